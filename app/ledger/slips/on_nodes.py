"""Reads the journal for bet slips where the buckets are on several nodes, each at its own.

The event log and what was projected are on the coordinator, the movements with their players. A
round is read after the events that touched it, so that it has at least what they tell of.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from app.ledger.citus import MOVING
from app.ledger.errors import LedgerAwayError
from app.ledger.money.book import Book
from app.ledger.slips.reading import (
    COLUMNS,
    LAST_PLACE,
    OF_OLD,
    SCANNED_MAX,
    SCANNED_TO,
    TOUCHED,
    Batch,
    Progress,
    Round,
    RoundId,
    reach,
    read_rounds,
)
from app.ledger.together import together

if TYPE_CHECKING:
    import asyncpg

    Rows = list[asyncpg.Record]

T = TypeVar("T")


class AtBucket(Protocol):
    """Reads at the node that has a bucket, on one snapshot of it."""

    async def __call__(self, bucket: int, work: Callable[[Book], Awaitable[T]], /) -> T:
        """Return what came of the work; raises LedgerError."""


_EVENTS: Final = """
SELECT bucket, player_id, place FROM event_log
WHERE agent = $1 AND number > $2 AND number <= $3 AND type = 'movement.posted'
"""

_BY_PLACE: Final = TOUCHED.format(
    or_is_known="",
    movements=f"""
    SELECT {COLUMNS}
    FROM unnest($1::bigint[], $2::bigint[]) AS e (player_id, place)
    CROSS JOIN LATERAL (
        SELECT * FROM movements WHERE player_id = e.player_id AND position = e.place LIMIT 1
    ) m
""",  # noqa: S608 - composed of constants
)

_OLD: Final = TOUCHED.format(or_is_known="", movements=OF_OLD)

_KNOWN: Final = """
SELECT r.player_id, r.event_id FROM unnest($1::bigint[], $2::text[]) AS r (player_id, event_id)
WHERE EXISTS (
    SELECT FROM sport_bets b WHERE b.player_id = r.player_id AND b.event_id = r.event_id OFFSET 0)
"""


class _Touched(NamedTuple):
    """What a look has found in one bucket."""

    bucket: int
    rows: "Rows"


async def read_batch_on_nodes(
    book: Book,
    before: Progress,
    under_way: Collection[RoundId],
    at: AtBucket,
    buckets: Sequence[int],
) -> Batch:
    """Look at what comes next, as `read_batch` does; `book` is the coordinator's."""
    if before.is_of_old:
        after, touched = await _touched_of_old(before, at, buckets)
        has_more = not after.is_at_end
    else:
        after, has_more = await reach(book, before)
        touched = await _touched_by_events(book, before, after, at)
    rows = [row for found in touched for row in found.rows]
    known = await _known(book, [RoundId(*row[:2]) for row in rows if row[1] is not None])
    under_way = {*known, *under_way}

    async def rounds_of(found: _Touched) -> list[Round]:
        ids = [
            RoundId(*row[:2])
            for row in found.rows
            if row[1] is not None and (row[5] or RoundId(*row[:2]) in under_way)
        ]
        return await at(found.bucket, lambda there: read_rounds(there, ids)) if ids else []

    rounds = await together(map(rounds_of, touched))
    return Batch(
        before,
        after._replace(looks=before.looks + 1),
        has_more,
        list(chain.from_iterable(rounds)),
        sum(row[2] for row in rows),
        sum(row[3] for row in rows),
        max((row[4] for row in rows), default=None),
    )


async def _touched_by_events(
    book: Book, before: Progress, after: Progress, at: AtBucket
) -> list[_Touched]:
    """Return which rounds an agent's next events touch."""
    places: dict[int, tuple[list[int], list[int]]] = {}
    for bucket, player_id, place in await book.connection.fetch(
        _EVENTS, before.agent, before.number, after.number
    ):
        players, positions = places.setdefault(bucket, ([], []))
        players.append(player_id)
        positions.append(place)

    async def read(bucket: int) -> _Touched:
        rows = await at(bucket, lambda there: there.connection.fetch(_BY_PLACE, *places[bucket]))
        if sum(row[2] for row in rows) != len(places[bucket][0]):
            raise LedgerAwayError(MOVING)
        return _Touched(bucket, rows)

    return await together(map(read, places))


async def _touched_of_old(
    before: Progress, at: AtBucket, buckets: Sequence[int]
) -> tuple[Progress, list[_Touched]]:
    """Return how far a look goes among movements from before the log, and what it touches.

    Players are in order over all buckets: it goes as far as the first bucket that has more.
    """
    place = (before.after_player_id, before.after_position)

    async def scan(bucket: int) -> "tuple[asyncpg.Record | None, asyncpg.Record | None]":
        async def work(there: Book) -> "tuple[asyncpg.Record | None, asyncpg.Record | None]":
            fetchrow = there.connection.fetchrow
            return await fetchrow(SCANNED_TO, *place, SCANNED_MAX), await fetchrow(LAST_PLACE)

        return await at(bucket, work)

    scanned = await together(map(scan, buckets))
    cuts = [tuple(cut) for cut, _ in scanned if cut is not None]
    ends = [tuple(end) for _, end in scanned if end is not None]
    reached = min(cuts) if cuts else max(ends, default=place)

    async def read(bucket: int) -> _Touched:
        rows = await at(bucket, lambda there: there.connection.fetch(_OLD, *place, *reached))
        return _Touched(bucket, rows)

    touched = await together(map(read, buckets))
    player_id, position = reached
    after = before._replace(after_player_id=player_id, after_position=position, is_at_end=not cuts)
    return after, touched


async def _known(book: Book, rounds: Sequence[RoundId]) -> frozenset[RoundId]:
    """Return those of these rounds of which a bet was projected."""
    if not rounds:
        return frozenset()
    columns = map(list, zip(*rounds, strict=True))
    return frozenset(RoundId(*row) for row in await book.connection.fetch(_KNOWN, *columns))
