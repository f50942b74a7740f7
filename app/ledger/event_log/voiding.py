"""Voids the numbers of events whose rows a node lacks that was restored by itself.

What was told stays in the log, which is only added to. From the first lost event on every number of
its agent is void: whoever has such a cursor is told so, and goes back to one before. An event says
which numbers those are, and what of them still holds is numbered again after it, with the same ids.

1. `missing_of`  asks each bucket, at its node, which of the latest events it has no row for. A row
                 that was written in the place of a lost one is another one: it has another moment.
2. `Ends`        how much of each node's transactions may count as seen: a restored one gives out
                 ids again that were seen before. What has a number is left out of later looks.
3. `void`        in the transaction of the yes: the survivors' new numbers, and the event.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.citus import NUMBER_BITS, TOLD, XID_BITS
from app.ledger.errors import LedgerError
from app.ledger.event_log.node_looks import NOTHING, Seen
from app.ledger.event_log.reading import IS_VOID, logged
from app.ledger.event_log.told import LoggedEvent
from app.ledger.money.book import Book
from app.wallet.event_log import NOBODY, LoggedType

EVENTS_AT_ONCE: Final = 5_000

SEEN_AGAIN: Final = 20_000
"""Rows of each kind that are looked at again at each node: more than are written before a restore
is noticed. Whatever has a number is left out."""

NUMBERS_PASSED: Final = 100_000
"""A restored node counts on from before: it passes over the numbers that it had given out."""

PASSES_MAX: Final = 1_000
"""A hundred million players in all: no restore loses so many, and something else is wrong."""

_LATEST: Final = f"""
SELECT number, player_id, type, place, occurred_at, bucket FROM event_log e
WHERE agent = $1 AND number < $2 AND type <> '{LoggedType.EVENTS_VOIDED}' AND NOT {IS_VOID}
ORDER BY number DESC LIMIT $3
"""

_MISSING: Final = """
SELECT k.n::integer
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[])
    WITH ORDINALITY AS k (player_id, type, place, occurred_at, n)
LEFT JOIN LATERAL (
    SELECT true AS is_there FROM movements
    WHERE player_id = k.player_id AND position = k.place AND ledger_time = k.occurred_at LIMIT 1
) m ON k.type IN ('movement.posted', 'movement.declined', 'limit.hit', 'round.settled')
LEFT JOIN LATERAL (
    SELECT true AS is_there FROM account_changes
    WHERE player_id = k.player_id AND change_id = k.place AND ledger_time = k.occurred_at LIMIT 1
) c ON k.type = 'account.updated'
LEFT JOIN LATERAL (
    SELECT true AS is_there FROM players
    WHERE player_id = k.player_id AND (k.type = 'alarm.raised' OR created_at = k.occurred_at)
    LIMIT 1
) p ON k.type IN ('account.opened', 'alarm.raised')
WHERE coalesce(m.is_there, c.is_there, p.is_there) IS NULL
"""

_AGENTS: Final = "SELECT agent, last_number FROM event_log_heads ORDER BY agent"

_NODE: Final = """
SELECT public.node_here_v1() AS node, pg_snapshot_xmin(pg_current_snapshot())::text AS ended
"""

_SOME_BEFORE: Final = """
SELECT xid::text FROM {table} WHERE xid >= $1::text::xid8 AND xid < $2::text::xid8
ORDER BY xid DESC OFFSET $3 LIMIT 1
"""

_HIGHEST_TOLD: Final = """
SELECT coalesce(max(player_id), 0) FROM event_log WHERE player_id >= $1 AND player_id < $2
"""

_COUNT_ON: Final = """
SELECT max(public.next_number_v1()) FROM generate_series(1, $1::integer)
"""

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('event_log'))"

_FIRST: Final = f"""
SELECT least($2::bigint, min(place)) FROM event_log
WHERE agent = $1 AND type = '{LoggedType.EVENTS_VOIDED}' AND number >= $2
"""
"""With an earlier such event among the numbers that are void now goes what it had voided."""

_ERA: Final = f"""
SELECT coalesce(max(era), 0) + 1 FROM event_log WHERE type = '{LoggedType.EVENTS_VOIDED}'
"""

_AGAIN: Final = f"""
WITH head AS (SELECT last_number FROM event_log_heads WHERE agent = $1),
again AS (
    INSERT INTO event_log (agent, number, player_id, type, place, occurred_at, bucket, era)
    SELECT agent, (SELECT last_number FROM head) + 1 + row_number() OVER (ORDER BY number),
           player_id, type, place, occurred_at, bucket, $4
    FROM event_log e
    WHERE agent = $1 AND number >= $2 AND type <> '{LoggedType.EVENTS_VOIDED}'
      AND number <> ALL ($3::bigint[]) AND NOT {IS_VOID}
    RETURNING 1
), said AS (
    INSERT INTO event_log (agent, number, player_id, type, place, occurred_at, era)
    SELECT $1, last_number + 1, {NOBODY}, '{LoggedType.EVENTS_VOIDED}', $2, now(), $4 FROM head
), kept AS (
    UPDATE event_log_heads SET last_number = last_number + 1 + (SELECT count(*) FROM again)
    WHERE agent = $1
), taken AS (
    UPDATE webhook_retries SET state = 'delivered', last_outcome = 'void'
    WHERE agent = $1 AND number >= $2 AND state <> 'delivered'
), moved AS (
    UPDATE webhook_endpoints SET epoch = epoch + 1 WHERE agent = $1
)
SELECT (SELECT last_number FROM head), (SELECT count(*) FROM again)
"""

_SEEN: Final = "SELECT bucket, node, seen::text FROM event_log_buckets"

_SEE_AGAIN: Final = """
UPDATE event_log_buckets SET seen = $3::text::pg_snapshot WHERE bucket = $1 AND node = $2
"""


class Lost(NamedTuple):
    """An event that was told, and whose row is not there any more."""

    number: int
    type: LoggedType
    player_id: int
    occurred_at: datetime


class Void(NamedTuple):
    """What became of an agent's events."""

    agent: str
    first: int
    last: int
    lost: Sequence[Lost]
    again: int
    """events that still hold, and have new numbers"""


async def heads(book: Book) -> dict[str, int]:
    """Return each agent's last number."""
    return dict(map(tuple, await book.connection.fetch(_AGENTS)))


async def before(book: Book, agent: str, number: int) -> list[LoggedEvent]:
    """Return the events before a number that are not void, the latest first."""
    rows = await book.connection.fetch(_LATEST, agent, number, EVENTS_AT_ONCE)
    return [logged(row) for row in rows]


async def missing_of(book: Book, events: Sequence[LoggedEvent]) -> list[Lost]:
    """Return those of a bucket's events whose rows it does not have; `book` is at its node."""
    rows = await book.connection.fetch(
        _MISSING,
        [event.player_id for event in events],
        [event.type.value for event in events],
        [event.place for event in events],
        [event.occurred_at for event in events],
    )
    gone = (events[row[0] - 1] for row in rows)
    return [Lost(e.number, e.type, e.player_id, e.occurred_at) for e in gone]


async def end_at(book: Book) -> tuple[int, int]:
    """Return which node a bucket is on, and below which of its transactions nothing is new."""
    row = await book.connection.fetchrow(_NODE)
    if row is None:
        raise AssertionError("a query without a table has one row")
    node, end = row["node"], int(row["ended"])
    first = node << XID_BITS
    for table in TOLD:
        statement = _SOME_BEFORE.format(table=table)
        xid = await book.connection.fetchval(
            statement, str(first), str(first + (1 << XID_BITS)), SEEN_AGAIN
        )
        end = min(end, NOTHING.end if xid is None else int(xid) - first)
    return node, end


async def highest_told(book: Book, node: int) -> int:
    """Return the highest number that this node gave to a player of whom something was told."""
    first = node << NUMBER_BITS
    return int(await book.connection.fetchval(_HIGHEST_TOLD, first, first + (1 << NUMBER_BITS)))


async def pass_over(book: Book, told: int) -> None:
    """Have a node count on beyond what it gave out before it was restored; `book` is there.

    Raises LedgerError where that is further than anything that was lost explains. What was passed
    over stays so: said again, it goes on from there.
    """
    reached = 0
    for _ in range(PASSES_MAX):
        reached = int(await book.connection.fetchval(_COUNT_ON, NUMBERS_PASSED))
        if reached > told:
            return
    raise LedgerError(
        f"a node gives out the number {reached}, and events tell of its player {told}: more than"
        f" {PASSES_MAX * NUMBERS_PASSED} numbers lie between"
    )


async def void(
    book: Book, lost: Mapping[str, Sequence[Lost]], ends: Mapping[int, int]
) -> list[Void]:
    """Void what must be, and have each node be looked at again from its end on."""
    await book.connection.execute(_LOCK)
    era: int = await book.connection.fetchval(_ERA)
    voided = []
    for agent, gone in lost.items():
        numbers = [each.number for each in gone]
        first: int = await book.connection.fetchval(_FIRST, agent, min(numbers))
        row = await book.connection.fetchrow(_AGAIN, agent, first, numbers, era)
        if row is None:
            raise AssertionError("a query without a table has one row")
        voided.append(Void(agent, first, row[0], gone, row[1]))
    for bucket, node, text in await book.connection.fetch(_SEEN):
        seen = Seen.of(text)
        if node in ends and ends[node] < seen.end:
            again = seen.until(ends[node] - 1)
            await book.connection.execute(_SEE_AGAIN, bucket, node, again.text)
    return voided
