"""Numbers events of buckets on several nodes: each is read at its own, and all are numbered here.

1. One process at a time: it holds a lock of this server's, which goes with its connection.
2. Exceptions are read here, and what they are about after them at the buckets' nodes, so that an
   alarm never comes before what it tells of. A bucket whose node is away is left out of this look.
3. What was read gets numbers, in one sequence for each agent, together with how far each bucket
   was seen: one commit of this server's. A crash before it loses both, and the next look reads
   the same again.

What has a number is recognised by its place in the log, so that nothing gets a second one, however
little was known of what had been seen.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeVar

from app.ledger.event_log.node_looks import (
    NOTHING,
    Known,
    Look,
    Reached,
    Seen,
    Unnumbered,
    agents_of,
    find_strangers,
    look_at,
    look_at_players,
)
from app.ledger.event_log.numbering import Numbered
from app.ledger.event_log.reading import IS_VOID
from app.ledger.event_log.told_of import OF_ALARMS
from app.ledger.money.book import Book
from app.ledger.together import together

T = TypeVar("T")


class AtBucket(Protocol):
    """Does work in one transaction at the node that has a bucket."""

    async def __call__(self, bucket: int, work: Callable[[Book], Awaitable[T]], /) -> T | None:
        """Return what came of the work; None: the node could not be reached, or was too slow."""


_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtext('event_log'))"

_BEGIN: Final = """
SELECT seen::text, coalesce(system_identifier = here.identifier, true) AS is_here, here.identifier,
       coalesce(looked_at > now() - interval '10 s', false) AS is_fresh
FROM event_log_progress
CROSS JOIN (SELECT system_identifier AS identifier FROM pg_control_system()) here
"""

_OWNERS: Final = """
SELECT b.bucket, p.groupid AS node
FROM public.buckets b
JOIN pg_catalog.pg_dist_shard s ON s.logicalrelid = (b.schema_name || '.wallets')::regclass
JOIN pg_catalog.pg_dist_placement p ON p.shardid = s.shardid
ORDER BY b.bucket
"""

_KNOWN: Final = "SELECT bucket, node, system_identifier, seen::text FROM event_log_buckets"

_ALARMS: Final = f"""
WITH looked AS MATERIALIZED (SELECT pg_current_snapshot() AS now),
x_fresh AS (
    SELECT * FROM exceptions
    WHERE xid >= pg_snapshot_xmax($1::text::pg_snapshot)
      AND xid < (SELECT pg_snapshot_xmax(now) FROM looked)
    UNION ALL
    SELECT t.* FROM pg_snapshot_xip($1::text::pg_snapshot) AS u (xid)
    CROSS JOIN LATERAL (SELECT * FROM exceptions WHERE xid = u.xid OFFSET 0) t
)
SELECT l.now::text, t.player_id, t.kind, t.place, t.rank, t.type, t.occurred_at
FROM looked l LEFT JOIN ({OF_ALARMS}) t ON NOT EXISTS (
    SELECT FROM event_log e
    WHERE e.player_id = t.player_id AND e.place = t.place AND e.type = t.type
      AND NOT {IS_VOID} OFFSET 0)
ORDER BY t.place LIMIT $2
"""

_TOLD_TO: Final = f"""
SELECT k.player_id, coalesce((
    SELECT max(e.place) FROM event_log e
    WHERE e.player_id = k.player_id AND e.type IN ('movement.posted', 'movement.declined')
      AND NOT {IS_VOID}), 0)
FROM unnest($1::bigint[]) AS k (player_id)
"""

_NUMBER: Final = f"""
WITH told AS MATERIALIZED (
    SELECT t.* FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::timestamptz[],
        $6::bigint[]) WITH ORDINALITY AS t (agent, player_id, type, place, occurred_at, bucket, n)
    WHERE NOT EXISTS (
        SELECT FROM event_log e
        WHERE e.player_id = t.player_id AND e.place = t.place AND e.type = t.type
          AND NOT {IS_VOID} OFFSET 0)
), era AS (
    SELECT coalesce(max(era), 0) AS era FROM event_log WHERE type = 'events.voided'
), heads AS (
    INSERT INTO event_log_heads AS h (agent, last_number)
    SELECT agent, count(*) FROM told GROUP BY agent
    ON CONFLICT (agent) DO UPDATE SET last_number = h.last_number + excluded.last_number
    RETURNING agent, last_number
), numbered AS (
    INSERT INTO event_log (agent, number, player_id, type, place, occurred_at, bucket, era)
    SELECT t.agent,
           (SELECT last_number FROM heads WHERE heads.agent = t.agent)
               - count(*) OVER (PARTITION BY t.agent)
               + row_number() OVER (PARTITION BY t.agent ORDER BY t.n),
           t.player_id, t.type, t.place, t.occurred_at, t.bucket, (SELECT era FROM era)
    FROM told t
    RETURNING 1
)
SELECT count(*) FROM numbered
"""

_REACHED: Final = """
INSERT INTO event_log_buckets AS b (bucket, node, system_identifier, seen)
SELECT k.bucket, k.node, k.system_identifier, k.seen::pg_snapshot
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
    AS k (bucket, node, system_identifier, seen)
ON CONFLICT (bucket, node) DO UPDATE SET system_identifier = excluded.system_identifier,
    seen = excluded.seen
"""

_LOOKED: Final = """
UPDATE event_log_progress SET system_identifier = $1, seen = coalesce($2::text::pg_snapshot, seen),
    looked_at = CASE WHEN $3 THEN now() ELSE looked_at END
"""


class _Placed(NamedTuple):
    """Something to be numbered, and the bucket that it is in."""

    bucket: int
    event: Unnumbered


class _Alarms(NamedTuple):
    """Exceptions without a number, and the snapshot that shows them."""

    events: list[Unnumbered]
    """without their players' agents"""
    seen: str
    is_all: bool


async def number_on_nodes(book: Book, at: AtBucket, most: int) -> Numbered | None:
    """Number what could not be seen at the last look; None: somebody else is at it.

    `book` is this server's; `at` leads to the buckets.
    """
    if not await book.connection.fetchval(_LOCK):
        return None
    (progress,) = await book.connection.fetch(_BEGIN)
    alarms = await _alarms(book, progress["seen"] if progress["is_here"] else NOTHING.text, most)
    looks = await _look(book, at, most)
    found = {bucket: look for bucket, look in looks.items() if look is not None}
    told = [_Placed(bucket, event) for bucket, look in found.items() for event in look.events]
    is_more = any(look.is_more for look in found.values())
    # An alarm is not to come before what it is about.
    raised = [] if is_more or not alarms.events else await _with_agents(at, alarms, list(found))
    reached = [each for look in found.values() for each in look.reached]
    if not raised and not reached and progress["is_fresh"]:
        return Numbered(0, is_more=is_more)
    events = await _write(book, [*told, *raised], reached)
    have_all = not is_more and alarms.is_all and len(raised) == len(alarms.events)
    await book.connection.execute(
        _LOOKED,
        progress["identifier"],
        alarms.seen if have_all else None,
        len(found) == len(looks),
    )
    return Numbered(events, is_more or (bool(raised) and not alarms.is_all))


async def _alarms(book: Book, seen: str, most: int) -> _Alarms:
    rows = await book.connection.fetch(_ALARMS, seen, most)
    events = [Unnumbered("", *row[1:]) for row in rows if row["player_id"] is not None]
    return _Alarms(events, rows[0]["now"], is_all=len(rows) < most)


async def _with_agents(at: AtBucket, alarms: _Alarms, buckets: Sequence[int]) -> list[_Placed]:
    """Return those alarms whose players are in one of these buckets."""
    players = {event.player_id for event in alarms.events}
    asked = await together(at(bucket, lambda book: agents_of(book, players)) for bucket in buckets)
    places = {
        player: (bucket, agent)
        for bucket, agents in zip(buckets, asked, strict=True)
        for player, agent in (agents or {}).items()
    }
    return [
        _Placed(places[event.player_id][0], event._replace(agent=places[event.player_id][1]))
        for event in alarms.events
        if event.player_id in places
    ]


async def _look(book: Book, at: AtBucket, most: int) -> dict[int, Look | None]:
    """Look at every bucket at its node; None: it could not be looked at."""
    known: dict[int, dict[int, Known]] = {}
    for bucket, node, identifier, seen in await book.connection.fetch(_KNOWN):
        known.setdefault(bucket, {})[node] = Known(identifier, Seen.of(seen))
    owners = dict(map(tuple, await book.connection.fetch(_OWNERS)))
    found = await together(
        at(bucket, partial(look_at, bucket, node, known.get(bucket, {}), most))
        for bucket, node in owners.items()
    )
    looks = dict(zip(owners, found, strict=True))
    for bucket, look in looks.items():
        if look is not None and look.has_strangers:
            looks[bucket] = await _look_at_strangers(
                book, at, bucket, owners[bucket], known.get(bucket, {})
            )
    return looks


async def _look_at_strangers(
    book: Book, at: AtBucket, bucket: int, node: int, known: Mapping[int, Known]
) -> Look | None:
    """Read some of what came with the bucket from other nodes, whole players at a time."""
    found = await at(bucket, partial(find_strangers, bucket, node, known))
    if found is None:
        return None
    players, reached = found
    beyond = dict(map(tuple, await book.connection.fetch(_TOLD_TO, players)))
    events = await at(bucket, partial(look_at_players, node, beyond))
    return None if events is None else Look(events, reached, is_more=True)


async def _write(book: Book, told: Sequence[_Placed], reached: Sequence[Reached]) -> int:
    """Give numbers to what has none, in this order, and note what was seen with it."""
    events = [placed.event for placed in told]
    count: int = await book.connection.fetchval(
        _NUMBER,
        [event.agent for event in events],
        [event.player_id for event in events],
        [event.type for event in events],
        [event.place for event in events],
        [event.occurred_at for event in events],
        [placed.bucket for placed in told],
    )
    await book.connection.execute(
        _REACHED,
        [each.bucket for each in reached],
        [each.node for each in reached],
        [each.system_identifier for each in reached],
        [each.seen.text for each in reached],
    )
    return count
