"""Follow movements as they are decided, and refusals that leave no outcome.

Each look reads what was written since a little before the last one, and leaves out what was seen.
What is remembered of what was seen is as old as the overlap, and no older.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from app.ledger.deadlines import within
from app.ledger.lookups import OwnedEntry
from app.ledger.money.book import Book
from app.ledger.tail import (
    LOOKED_AT_MAX,
    OVERLAP,
    LoggedRefusal,
    TailFilter,
    database_now,
    entries_since,
    refusals_since,
)
from app.ledger.together import together
from app.ledger.transaction import Ledger

EVERY: Final = timedelta(milliseconds=500)

Line: TypeAlias = OwnedEntry | LoggedRefusal


async def follow(
    ledger: Ledger,
    wanted: TailFilter,
    *,
    back: timedelta,
    seconds_max: int | None = None,
    every: timedelta = EVERY,
) -> AsyncIterator[list[Line]]:
    """Yield what is new, look by look: first what was decided up to `back` ago.

    It ends after `seconds_max`; None: when nobody listens any more. Raises LedgerError.
    """
    seen: dict[tuple[object, ...], datetime] = {}
    since = await _now(ledger) - back
    loop = asyncio.get_running_loop()
    ends_at = None if seconds_max is None else loop.time() + seconds_max
    while True:
        async with within(ledger.deadline):
            lines, is_whole = await _look(ledger, since, wanted)
            fresh = [line for line in lines if _key(line) not in seen]
            if fresh:
                # Nobody is shown what a promotion of the standby would lose.
                await ledger.confirm()
        seen |= {_key(line): _moment(line) for line in lines}
        if fresh:
            yield fresh
        latest = max(seen.values(), default=since)
        since = max(since, latest - (OVERLAP if is_whole else timedelta(0)))
        seen = {key: moment for key, moment in seen.items() if moment >= since}
        if is_whole:
            if ends_at is not None and loop.time() >= ends_at:
                return
            await asyncio.sleep(every.total_seconds())


async def _look(ledger: Ledger, since: datetime, wanted: TailFilter) -> tuple[list[Line], bool]:
    """Return what was written since a moment, and whether that is all of it."""

    async def work(book: Book) -> list[list[Line]]:
        return [
            [*await entries_since(book, since, wanted)],
            [*await refusals_since(book, since, wanted)],
        ]

    async def of_nobody(book: Book) -> list[list[Line]]:
        return [[*await refusals_since(book, since, wanted, in_buckets=False)]]

    parts = await ledger.parts()
    if parts:
        found = await together(
            [
                ledger.beside_money(of_nobody),
                *(part.beside_money(work) for part in parts.values()),
            ]
        )
        lists = [lines for lists in found for lines in lists]
    else:
        lists = await ledger.beside_money(work)
    # What is beyond the end of a list that is full may be in it later than what is in the others.
    ends = [_moment(lines[-1]) for lines in lists if len(lines) == LOOKED_AT_MAX]
    lines = [line for lines in lists for line in lines if not ends or _moment(line) <= min(ends)]
    return sorted(lines, key=_moment), not ends


async def _now(ledger: Ledger) -> datetime:
    return await ledger.read_only(database_now, confirmed=False)


def _key(line: Line) -> tuple[object, ...]:
    if isinstance(line, LoggedRefusal):
        return line.user_id, line.refusal_id, "refusal"
    return line.entry.player_id, line.entry.position


def _moment(line: Line) -> datetime:
    return line.ledger_time if isinstance(line, LoggedRefusal) else line.entry.ledger_time
