"""How webhooks stand: endpoints, the shards of their players, and what is tried again.

A deliverer holds a shard for as long as it renews it, so that as many processes as there are shards
can share an endpoint, and a player's events come from one of them at a time. How far a shard was
delivered is written from time to time, not for each event: whoever takes a shard over delivers the
last ones again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.money.book import Book
from app.wallet.event_log import SHARDS, RetryState

if TYPE_CHECKING:
    import asyncpg

LEASE: Final = timedelta(seconds=30)
"""How long a shard is held without being renewed: longer than an answer is waited for, so that the
next holder begins when nothing of the last one's is under way."""

GONE_AFTER: Final = timedelta(seconds=15)
"""A deliverer that was not seen for so long no longer counts when shards are shared."""

LISTED_MAX: Final = 500

DELIVERED_KEPT: Final = timedelta(days=30)
"""How long it can be seen that an event was set aside and taken later."""

FORGOTTEN_MAX: Final = 5_000
"""Of one step: some milliseconds' work."""


class Endpoint(NamedTuple):
    """An endpoint as it stands."""

    agent: str
    is_parked: bool
    failures: int
    """attempts that failed one after the other, whatever the event"""
    failing_since: datetime | None
    next_attempt_at: datetime | None
    last_outcome: str | None
    delivered_at: datetime | None
    epoch: int
    now: datetime
    """the database's clock"""


class Shard(NamedTuple):
    """A part of an agent's players, and how far it was delivered."""

    agent: str
    shard: int
    delivered_to: int


class Retry(NamedTuple):
    """An event that is tried again, or waits behind such a one of its player."""

    number: int
    player_id: int
    state: RetryState
    attempts: int
    failing_since: datetime | None
    next_attempt_at: datetime
    last_outcome: str | None
    epoch: int
    """the endpoint's, when this was read: a person has moved everything since if it is another"""


class Backlog(NamedTuple):
    """What an endpoint has not heard yet."""

    agent: str
    events: int
    oldest_seconds: int
    """since the first of them happened; 0: there is none"""
    parked: int
    """events that were given up"""
    is_failing: bool
    is_parked: bool


_OPEN_ENDPOINTS: Final = """
INSERT INTO webhook_endpoints (agent) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING
"""

_OPEN_SHARDS: Final = f"""
INSERT INTO webhook_shards (agent, shard, delivered_to)
SELECT a.agent, s.shard, coalesce(
    (SELECT last_number FROM event_log_heads h WHERE h.agent = a.agent), 0)
FROM unnest($1::text[]) AS a (agent) CROSS JOIN generate_series(0, {SHARDS - 1}) AS s (shard)
ON CONFLICT DO NOTHING
"""
"""A new endpoint hears what happens from now on; `wallet deliveries replay` gives it the rest."""

_TAKE_A_SLOT: Final = f"""
UPDATE webhook_deliverers SET name = $1, seen_at = now()
WHERE slot = (SELECT slot FROM webhook_deliverers
              WHERE seen_at < now() - interval '{2 * GONE_AFTER.seconds} s'
              ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING slot
"""

_MAKE_A_SLOT: Final = """
INSERT INTO webhook_deliverers (slot, name, seen_at)
SELECT coalesce(max(slot), 0) + 1, $1, now() FROM webhook_deliverers
ON CONFLICT DO NOTHING RETURNING slot
"""

_BE_SEEN: Final = "UPDATE webhook_deliverers SET seen_at = now() WHERE slot = $1 AND name = $2"
_SIGN_OFF: Final = "UPDATE webhook_deliverers SET seen_at = 'epoch' WHERE name = $1"

_LIVING: Final = f"""
SELECT count(*) FROM webhook_deliverers
WHERE seen_at >= now() - interval '{GONE_AFTER.seconds} s'
"""

_CLAIM: Final = f"""
UPDATE webhook_shards SET held_by = $1, held_until = now() + interval '{LEASE.seconds} s'
WHERE (agent, shard) IN (
    SELECT agent, shard FROM webhook_shards
    WHERE agent = ANY($2::text[]) AND (held_by IS NULL OR held_until < now())
    ORDER BY agent, shard LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING agent, shard, delivered_to
"""

_KEEP: Final = f"""
UPDATE webhook_shards s SET delivered_to = k.delivered_to,
    held_until = now() + interval '{LEASE.seconds} s'
FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS k (agent, shard, delivered_to)
WHERE s.agent = k.agent AND s.shard = k.shard AND s.held_by = $1
RETURNING s.agent, s.shard
"""

_LEAVE: Final = """
UPDATE webhook_shards SET held_by = NULL, held_until = NULL
WHERE held_by = $1 AND (agent, shard) IN (
    SELECT * FROM unnest($2::text[], $3::integer[]) AS k (agent, shard))
"""

_LEAVE_ALL: Final = """
UPDATE webhook_shards SET held_by = NULL, held_until = NULL WHERE held_by = $1
"""

_ENDPOINTS: Final = """
SELECT agent, state = 'parked', failures, failing_since, next_attempt_at, last_outcome,
       delivered_at, epoch, now()
FROM webhook_endpoints WHERE $1::text[] IS NULL OR agent = ANY($1::text[]) ORDER BY agent
"""

_NOTE_ENDPOINT: Final = """
UPDATE webhook_endpoints SET state = CASE WHEN $2 THEN 'parked' ELSE 'active' END, failures = $3,
    failing_since = $4, next_attempt_at = $5, last_outcome = $6,
    delivered_at = coalesce($7, delivered_at)
WHERE agent = $1 AND epoch = $8
"""

_LOCK_ENDPOINTS: Final = """
SELECT agent, epoch FROM webhook_endpoints WHERE agent = ANY($1::text[])
ORDER BY agent FOR NO KEY UPDATE
"""
"""Before anything else is locked, as a person's command does it, whom it makes wait."""

_RETRIES: Final = """
SELECT r.number, r.player_id, r.state, r.attempts, r.failing_since, r.next_attempt_at,
       r.last_outcome, p.epoch
FROM webhook_endpoints p
LEFT JOIN webhook_retries r
  ON r.agent = p.agent AND r.state <> 'delivered' AND r.player_id % $2 = ANY($3::integer[])
WHERE p.agent = $1
ORDER BY r.number
"""
"""Of an endpoint without any there is one row, of its epoch."""

_NOTE_RETRIES: Final = """
INSERT INTO webhook_retries AS r (agent, number, player_id, state, attempts, failing_since,
    next_attempt_at, last_outcome)
SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::integer[], $6::timestamptz[],
    $7::timestamptz[], $8::text[])
ON CONFLICT (agent, number) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
    failing_since = excluded.failing_since, next_attempt_at = excluded.next_attempt_at,
    last_outcome = excluded.last_outcome
WHERE r.state = 'delivered' OR r.number <> ALL($9::bigint[])
"""
"""What a person has moved since stays as they left it: they want it tried once more."""

_BACKLOG: Final = """
SELECT p.agent,
       greatest(coalesce(h.last_number, 0) - s.delivered_to, 0) + r.waiting,
       greatest(coalesce(extract(epoch FROM now() - least(first.occurred_at, r.oldest)), 0), 0)
           ::bigint,
       r.parked, p.failing_since IS NOT NULL, p.state = 'parked'
FROM webhook_endpoints p
LEFT JOIN event_log_heads h ON h.agent = p.agent
CROSS JOIN LATERAL (
    SELECT min(delivered_to) AS delivered_to FROM webhook_shards WHERE agent = p.agent
) s
LEFT JOIN LATERAL (
    SELECT occurred_at FROM event_log
    WHERE agent = p.agent AND number > s.delivered_to ORDER BY number LIMIT 1
) first ON true
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE w.state = 'waiting') AS waiting,
           count(*) FILTER (WHERE w.state = 'parked') AS parked,
           min(e.occurred_at) FILTER (WHERE w.state = 'waiting') AS oldest
    FROM webhook_retries w
    JOIN event_log e ON e.agent = w.agent AND e.number = w.number
    WHERE w.agent = p.agent AND w.state <> 'delivered'
) r
ORDER BY p.agent
"""

_NUMBERING_AGE: Final = """
SELECT coalesce(extract(epoch FROM now() - looked_at)::bigint, 0) FROM event_log_progress
"""

_OPEN_RETRIES: Final = f"""
SELECT r.number, r.player_id, r.state, r.attempts, r.failing_since, r.next_attempt_at,
       r.last_outcome, p.epoch
FROM webhook_retries r JOIN webhook_endpoints p ON p.agent = r.agent
WHERE r.agent = $1 AND r.state <> 'delivered'
ORDER BY r.number LIMIT {LISTED_MAX}
"""

_FORGET: Final = f"""
DELETE FROM webhook_retries WHERE (agent, number) IN (
    SELECT agent, number FROM webhook_retries
    WHERE state = 'delivered' AND next_attempt_at < now() - interval '{DELIVERED_KEPT.days} d'
    LIMIT $1 FOR UPDATE SKIP LOCKED)
"""
"""Whatever is still owed to an endpoint stays, however old."""

_RETRY_NOW: Final = """
WITH endpoint AS (
    UPDATE webhook_endpoints SET state = 'active', failures = 0, failing_since = NULL,
        next_attempt_at = NULL, epoch = epoch + 1
    WHERE agent = $1 RETURNING 1
), again AS (
    UPDATE webhook_retries SET state = 'waiting', failing_since = NULL, next_attempt_at = now()
    WHERE agent = $1 AND state <> 'delivered' RETURNING 1
)
SELECT (SELECT count(*) FROM endpoint), (SELECT count(*) FROM again)
"""

_REPLAY: Final = """
WITH endpoint AS (
    UPDATE webhook_endpoints SET state = 'active', failures = 0, failing_since = NULL,
        next_attempt_at = NULL, epoch = epoch + 1
    WHERE agent = $1 RETURNING 1
), shards AS (
    UPDATE webhook_shards SET delivered_to = $2, held_by = NULL, held_until = NULL
    WHERE agent = $1 RETURNING 1
), again AS (
    UPDATE webhook_retries SET state = 'delivered', last_outcome = 'replayed'
    WHERE agent = $1 AND number > $2 AND state <> 'delivered' RETURNING 1
)
SELECT (SELECT count(*) FROM endpoint)
"""


async def open_endpoints(book: Book, agents: Collection[str]) -> None:
    """Make what is missing of these endpoints."""
    await book.connection.execute(_OPEN_ENDPOINTS, list(agents))
    await book.connection.execute(_OPEN_SHARDS, list(agents))


async def sign_on(book: Book, name: str) -> int | None:
    """Take a slot among the deliverers; None: another one took it at this moment."""
    slot: int | None = await book.connection.fetchval(_TAKE_A_SLOT, name)
    if slot is None:
        slot = await book.connection.fetchval(_MAKE_A_SLOT, name)
    return slot


async def be_seen(book: Book, slot: int, name: str) -> int | None:
    """Say that this deliverer lives, and return how many do; None: another one has its slot."""
    if await book.connection.execute(_BE_SEEN, slot, name) != "UPDATE 1":
        return None
    return int(await book.connection.fetchval(_LIVING))


async def sign_off(book: Book, name: str) -> None:
    """Leave the slot and every shard to other deliverers, whatever this one knows of them."""
    await book.connection.execute(_LEAVE_ALL, name)
    await book.connection.execute(_SIGN_OFF, name)


async def claim_shards(
    book: Book, name: str, agents: Collection[str], count_max: int
) -> list[Shard]:
    """Take shards that nobody holds."""
    rows = await book.connection.fetch(_CLAIM, name, list(agents), count_max)
    return [Shard(*row) for row in rows]


async def keep_shards(book: Book, name: str, shards: Sequence[Shard]) -> frozenset[tuple[str, int]]:
    """Write how far these shards were delivered, and return those that are still held."""
    columns = list(zip(*shards, strict=True)) or [(), (), ()]
    rows = await book.connection.fetch(_KEEP, name, *map(list, columns))
    return frozenset((agent, shard) for agent, shard in rows)


async def leave_shards(book: Book, name: str, shards: Collection[tuple[str, int]]) -> None:
    """Leave shards to others."""
    agents, numbers = [agent for agent, _ in shards], [number for _, number in shards]
    await book.connection.execute(_LEAVE, name, agents, numbers)


async def endpoints(book: Book, agents: Collection[str] | None = None) -> list[Endpoint]:
    """Return how endpoints stand; None: all of them."""
    rows = await book.connection.fetch(_ENDPOINTS, None if agents is None else list(agents))
    return [Endpoint(*row) for row in rows]


async def note_endpoint(book: Book, endpoint: Endpoint) -> None:
    """Write how an endpoint stands, unless a person has moved it meanwhile."""
    agent, *state, _ = endpoint
    await book.connection.execute(_NOTE_ENDPOINT, agent, *state)


async def lock_endpoints(book: Book, agents: Collection[str]) -> dict[str, int]:
    """Let no person move these endpoints before the transaction ends, and return their epochs."""
    rows = await book.connection.fetch(_LOCK_ENDPOINTS, list(agents))
    return {agent: epoch for agent, epoch in rows}  # noqa: C416 - a record is no tuple


async def retries_of(book: Book, agent: str, shards: Collection[int]) -> tuple[list[Retry], int]:
    """Return what is to be tried again for the players of these shards, in order, and the epoch."""
    rows = await book.connection.fetch(_RETRIES, agent, SHARDS, list(shards))
    retries = [_retry(row) for row in rows if row["number"] is not None]
    return retries, rows[0]["epoch"]


async def open_retries(book: Book, agent: str) -> list[Retry]:
    """Return what an endpoint has not taken, in order, within bounds."""
    return [_retry(row) for row in await book.connection.fetch(_OPEN_RETRIES, agent)]


async def note_retries(book: Book, agent: str, retries: Sequence[Retry], epoch: int) -> None:
    """Write what is tried again, and what came of it.

    Where a person has moved the endpoint since a retry was read (`epoch` is the endpoint's, which
    is locked), only that the event was taken is written over what they have left.
    """
    if retries:
        *columns, _ = zip(*retries, strict=True)
        moved = [
            retry.number
            for retry in retries
            if retry.epoch != epoch and retry.state is not RetryState.DELIVERED
        ]
        await book.connection.execute(_NOTE_RETRIES, agent, *map(list, columns), moved)


async def forget_delivered(book: Book, at_most: int) -> int:
    """Forget retries that were taken long ago, within bounds, and return how many."""
    done = await book.connection.execute(_FORGET, at_most)
    return int(done.rpartition(" ")[2])


async def backlogs(book: Book) -> list[Backlog]:
    """Return what each endpoint has not heard yet."""
    return [Backlog(*row) for row in await book.connection.fetch(_BACKLOG)]


async def numbering_age(book: Book) -> int:
    """Return how many seconds ago the ledger was last looked through for events."""
    return int(await book.connection.fetchval(_NUMBERING_AGE) or 0)


async def retry_now(book: Book, agent: str) -> int | None:
    """Try everything again at once that an endpoint has not taken; None: no such endpoint."""
    row = await book.connection.fetchrow(_RETRY_NOW, agent)
    return int(row[1]) if row is not None and row[0] else None


async def replay_after(book: Book, agent: str, number: int) -> bool:
    """Deliver everything again that comes after a number; False: no such endpoint."""
    return bool(await book.connection.fetchval(_REPLAY, agent, number))


def _retry(row: "asyncpg.Record") -> Retry:
    return Retry(*row)._replace(state=RetryState(row["state"]))
