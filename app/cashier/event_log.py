"""The event log for whoever tells of it: number what is new, and read a page after a cursor.

Any process may number, one at a time: `wallet deliver` does it all the time, and `events` of the
transfer API before it reads, so that an operator who only polls needs no other process. What is
read is told only when the synchronous standby, if there is one, has it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple, TypeAlias, TypeVar

from app.ledger.citus import MOVING
from app.ledger.errors import LedgerAwayError, LedgerError
from app.ledger.event_log.numbering import NUMBERED_MAX, Numbered, number_events
from app.ledger.event_log.on_nodes import AtBucket, number_on_nodes
from app.ledger.event_log.reading import (
    Found,
    last_number,
    look_up,
    look_up_alarms,
    numbers_after,
    tell,
    told_of,
)
from app.ledger.event_log.told import LoggedEvent, Told
from app.ledger.money.book import Book
from app.ledger.together import together
from app.ledger.transaction import Ledger
from app.wallet.event_log import Cursor, LoggedType, cursor_at

LOOKED_THROUGH_MAX: Final = 10_000
"""Events of one page that are looked through where only some types are asked for."""

LOOKS_MAX: Final = 20
"""Looks of one request: more than are written between two polls, and within its deadline."""


NODE_SECONDS_MAX: Final = 2
"""How long a node may take for its part of a look. One that takes longer, or is away, is left out,
and what others have to tell goes on."""

T = TypeVar("T")
Tell: TypeAlias = Callable[[Book, Sequence[LoggedEvent]], Awaitable[list[Told]]]


class EventPage(NamedTuple):
    """Events in order, where they end, and whether there are more."""

    events: list[Told]
    cursor: Cursor | None
    """None: nothing was ever told"""
    has_more: bool


async def number(ledger: Ledger, *, most: int = NUMBERED_MAX) -> Numbered | None:
    """Number what could not be seen at the last look; None: another process is at it.

    Raises LedgerRestoredError before somebody has said yes to a restored ledger, or a LedgerError.
    """
    parts = await ledger.parts()

    async def work(book: Book) -> Numbered | None:
        if parts:
            return await number_on_nodes(book, nodes_of(parts), most)
        return await number_events(book, most=most)

    # A look leaves its numbers in a commit, which would wait for a standby that is away.
    ledger.standby.refuse_if_silent()
    return await ledger.beside_money(work, verifies=True)


def nodes_of(parts: Mapping[int, Ledger]) -> AtBucket:
    """Return what does work at the nodes of these buckets, within bounds."""

    async def at(bucket: int, work: Callable[[Book], Awaitable[T]]) -> T | None:
        try:
            # Each look leaves a commit that waits for its standby.
            parts[bucket].standby.refuse_if_silent()
            async with asyncio.timeout(NODE_SECONDS_MAX):
                return await parts[bucket].beside_money(work)
        except (LedgerError, TimeoutError):
            return None

    return at


async def number_all(ledger: Ledger, *, looks_max: int = LOOKS_MAX) -> None:
    """Number until a look leaves nothing, or somebody else is at it, within bounds."""
    for _ in range(looks_max):
        done = await number(ledger)
        if done is None or not done.is_more:
            return


async def event_reader(ledger: Ledger) -> Tell:
    """Return what reads what events tell of: each where its player is."""
    parts = await ledger.parts()
    return partial(_tell_in_parts, parts) if parts else tell


async def _tell_in_parts(
    parts: Mapping[int, Ledger], book: Book, events: Sequence[LoggedEvent]
) -> list[Told]:
    """Read what events tell of, alarms in `book`, everything else at the nodes of its buckets."""

    async def in_bucket(bucket: int) -> Found:
        of_it = [event for event in events if event.bucket == bucket]
        return await parts[bucket].read_only(lambda there: look_up(there, of_it))

    buckets = sorted({event.bucket for event in events if event.bucket is not None})
    found = await look_up_alarms(book, events)
    for there in await together(map(in_bucket, buckets)):
        found = found.beside(there)
    if not found.has_all_of(events):
        raise LedgerAwayError(MOVING)
    return told_of(events, found)


async def page_after(
    ledger: Ledger,
    agent: str,
    cursor: Cursor | None,
    *,
    types: Collection[LoggedType] = (),
    count_max: int,
) -> EventPage | None:
    """Return an agent's events after a cursor (None: from the first one on).

    `types`: only these; empty: all. None: the ledger does not have the event of this cursor: it was
    restored to a moment before it, or is another one. Raises LedgerError.
    """
    # What makes others void is for everybody.
    wanted_types = {*types, LoggedType.EVENTS_VOIDED}
    await number_all(ledger)
    after = 0 if cursor is None else cursor.number
    tell = await event_reader(ledger)

    async def work(book: Book) -> EventPage | None:
        if cursor is not None and not await _has(book, tell, agent, cursor):
            return None
        wanted = LOOKED_THROUGH_MAX if types else count_max
        rows = await numbers_after(book, agent, after, wanted)
        chosen = [row for row in rows if not types or row.type in wanted_types][:count_max]
        if not rows:
            return EventPage([], cursor, has_more=False)
        # A page that is full ends at its last event; one that is not, where its look ended.
        end = chosen[-1] if len(chosen) == count_max else rows[-1]
        events = await tell(book, chosen)
        (at_end,) = events[-1:] if chosen[-1:] == [end] else await tell(book, [end])
        last = await last_number(book, agent)
        return EventPage(events, cursor_at(end.number, at_end.id), has_more=last > end.number)

    return await ledger.read_only(work)


async def _has(book: Book, tell: Tell, agent: str, cursor: Cursor) -> bool:
    rows = await numbers_after(book, agent, cursor.number - 1, 1)
    if not rows or rows[0].number != cursor.number:
        return False
    (event,) = await tell(book, rows)
    return cursor_at(cursor.number, event.id) == cursor
