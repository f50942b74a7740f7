"""Numbers events in the order in which what they tell of could be seen: nothing is skipped.

Each row that events tell of has the id of the transaction that wrote it. The ids are given out in
one order, and transactions end in another; a snapshot says exactly which have ended. So:

1. `begin`   takes the lock of who numbers, or finds somebody at work, and reads the snapshot `seen`
             up to which everything has been numbered.
2. `number`  in one statement, so on one snapshot of its own: numbers the rows that this snapshot
             shows and `seen` did not, by transaction and then by their place, and puts this
             snapshot in the place of `seen`. Both are one commit: a crash loses both or neither.

A row that `seen` did not show has an id that is not below `seen`'s end, or one of those that were
under way; each is found by the index. If there is more than one look may number, the ids are cut,
between two transactions, and `seen` becomes this snapshot as far as there.

A player's own rows are in the ledger's order: whoever writes to a wallet proves the revision that
they have read, so the later one took their snapshot after the earlier one had committed, and
their transaction's id after that.

Ids belong to one cluster. After a dump is restored, or a copy takes over, they begin anywhere: then
the system's identifier differs, and `recount` goes through all players once and numbers what has no
number. Later looks ask of every row with an id from before, whether it has one. A failover keeps
both: what a standby has is a beginning of the log, in which the snapshot stands after everything
that it shows.
"""

from typing import Final, NamedTuple

from app.ledger.event_log.told_of import OF_ACCOUNTS, OF_ALARMS, OF_MOVEMENTS
from app.ledger.money.book import Book

NUMBERED_MAX: Final = 5_000
"""Rows of each kind in one look: a twentieth of a second's work."""

RECOUNTED_MAX: Final = 2_000
"""Players of one step of a recount."""

_BEGIN: Final = """
SELECT seen::text, told_below::text, recount_after, recount_seen::text,
       system_identifier IS NOT DISTINCT FROM here.identifier AS is_here,
       system_identifier IS NULL AS is_new, here.identifier
FROM event_log_progress
CROSS JOIN (SELECT system_identifier AS identifier FROM pg_control_system()) here
FOR UPDATE OF event_log_progress SKIP LOCKED
"""

_LOOKED_RECENTLY: Final = """
SELECT looked_at > now() - interval '10 s' AND recount_after IS NULL
       AND system_identifier = (SELECT system_identifier FROM pg_control_system())
{nothing}
FROM event_log_progress
"""

_WRITE: Final = """
, told AS MATERIALIZED (
    SELECT w.agent, t.* FROM (
{of_movements}
        UNION ALL
{of_others}
    ) t
    CROSS JOIN LATERAL (SELECT agent FROM wallets WHERE player_id = t.player_id LIMIT 1) w
    WHERE {is_new}
), heads AS (
    INSERT INTO event_log_heads AS h (agent, last_number)
    SELECT agent, count(*) FROM told GROUP BY agent
    ON CONFLICT (agent) DO UPDATE SET last_number = h.last_number + excluded.last_number
    RETURNING agent, last_number
), numbered AS (
    INSERT INTO event_log (agent, number, player_id, type, place, occurred_at)
    SELECT t.agent,
           (SELECT last_number FROM heads WHERE heads.agent = t.agent)
               - count(*) OVER (PARTITION BY t.agent)
               + row_number() OVER (PARTITION BY t.agent ORDER BY {order}),
           t.player_id, t.type, t.place, t.occurred_at
    FROM told t
    RETURNING 1
)
"""

_IS_TOLD: Final = """
EXISTS (SELECT FROM event_log e
        WHERE e.player_id = t.player_id AND e.place = t.place AND e.type = t.type OFFSET 0)
"""

_SOURCES: Final = {
    "m": "movements",
    "o": "account_openings",
    "c": "account_changes",
    "x": "exceptions",
}

_UNSEEN: Final = """
    SELECT * FROM {table}
    WHERE xid >= pg_snapshot_xmax($1::text::pg_snapshot)
      AND xid <= (SELECT last FROM cut) AND xid < (SELECT pg_snapshot_xmax(now) FROM looked)
    UNION ALL
    SELECT t.* FROM under_way u
    CROSS JOIN LATERAL (SELECT * FROM {table} WHERE xid = u.xid OFFSET 0) t
"""

_CUT: Final = """
    (SELECT xid FROM {table} WHERE xid >= pg_snapshot_xmax($1::text::pg_snapshot)
     ORDER BY xid OFFSET $3 - 1 LIMIT 1)
"""

_NUMBER: Final = (
    """
WITH looked AS MATERIALIZED (SELECT pg_current_snapshot() AS now),
under_way AS MATERIALIZED (SELECT pg_snapshot_xip($1::text::pg_snapshot) AS xid),
cut AS MATERIALIZED (
    SELECT xid AS last FROM (
        SELECT ('9223372036854775807')::xid8 AS xid
"""
    + "".join(f"        UNION ALL {_CUT.format(table=table)}" for table in _SOURCES.values())
    + """
    ) x WHERE xid IS NOT NULL ORDER BY xid LIMIT 1
),
"""
    + ", ".join(
        f"{name}_fresh AS ({_UNSEEN.format(table=table)})" for name, table in _SOURCES.items()
    )
    + _WRITE.format(
        of_movements=OF_MOVEMENTS,
        of_others=f"{OF_ACCOUNTS}UNION ALL{OF_ALARMS}",
        is_new=f"t.xid >= $2::text::xid8 OR NOT {_IS_TOLD}",
        order="t.xid, t.player_id, t.kind, t.place, t.rank",
    )
    + """
, reached AS (
    SELECT CASE WHEN last >= pg_snapshot_xmax(now) THEN now ELSE (
        SELECT format('%s:%s:%s', coalesce(min(xid::text::bigint), last::text::bigint + 1),
                      last::text::bigint + 1,
                      string_agg(xid::text, ',' ORDER BY xid::text::bigint))
        FROM pg_snapshot_xip(now) AS running (xid) WHERE xid <= last
    )::pg_snapshot END AS seen, last < pg_snapshot_xmax(now) AS is_cut
    FROM looked CROSS JOIN cut
), kept AS (
    UPDATE event_log_progress SET seen = reached.seen, looked_at = now() FROM reached
)
SELECT (SELECT count(*) FROM numbered), is_cut FROM reached
"""
)

_BY_PLAYERS: Final = """
    SELECT t.* FROM counted k
    CROSS JOIN LATERAL (SELECT * FROM {table} WHERE player_id = k.player_id AND {beyond} OFFSET 0) t
    WHERE t.xid IS NOT NULL
"""

_BEYOND: Final = {
    "m": "position > (SELECT coalesce(max(e.place), 0) FROM event_log e"
    " WHERE e.player_id = k.player_id AND e.type IN ('movement.posted', 'movement.declined'))",
    "o": "true",
    "c": "true",
}

_RECOUNT: Final = (
    """
WITH counted AS MATERIALIZED (
    SELECT player_id FROM wallets WHERE player_id > $1 ORDER BY player_id LIMIT $2
),
"""
    + ", ".join(
        f"{name}_fresh AS ({_BY_PLAYERS.format(table=_SOURCES[name], beyond=beyond)})"
        for name, beyond in _BEYOND.items()
    )
    + """
, x_fresh AS (
    SELECT t.* FROM exceptions t WHERE $1 = -9223372036854775808 AND t.xid IS NOT NULL
)
"""
    + _WRITE.format(
        of_movements=OF_MOVEMENTS,
        of_others=f"{OF_ACCOUNTS}UNION ALL{OF_ALARMS}",
        is_new=f"NOT {_IS_TOLD}",
        order="t.player_id, t.kind, t.place, t.rank",
    )
    + """
SELECT (SELECT count(*) FROM numbered), (SELECT max(player_id) FROM counted)
"""
)

_BEGIN_RECOUNT: Final = """
UPDATE event_log_progress SET system_identifier = $1, recount_after = -9223372036854775808,
    recount_seen = pg_current_snapshot()
"""

_ADOPT: Final = "UPDATE event_log_progress SET system_identifier = $1"

_GO_ON: Final = "UPDATE event_log_progress SET recount_after = $1, looked_at = now()"

_END_RECOUNT: Final = (
    """
UPDATE event_log_progress SET seen = recount_seen, recount_after = NULL, recount_seen = NULL,
    told_below = (
        SELECT (xid::text::bigint + 1)::text::xid8 FROM (
            SELECT pg_snapshot_xmax(pg_current_snapshot()) AS xid
            UNION ALL (SELECT told_below FROM event_log_progress)
"""
    + "".join(
        f"            UNION ALL (SELECT xid FROM {table} WHERE xid IS NOT NULL"
        " ORDER BY xid DESC LIMIT 1)\n"
        for table in _SOURCES.values()
    )
    + """
        ) x ORDER BY x.xid DESC LIMIT 1
    )
"""
)


_NOTHING_NEW: Final = _LOOKED_RECENTLY.format(
    nothing="".join(
        f"""
       AND NOT EXISTS (
           SELECT FROM {table}
           WHERE xid >= pg_snapshot_xmax(seen) AND xid < pg_snapshot_xmax(pg_current_snapshot())
           OFFSET 0)
       AND NOT EXISTS (
           SELECT FROM pg_snapshot_xip(seen) AS u (xid)
           CROSS JOIN LATERAL (SELECT FROM {table} t WHERE t.xid = u.xid LIMIT 1) t)
"""
        for table in _SOURCES.values()
    )
)
"""Most looks of a quiet night find nothing: they take no lock and leave nothing to write."""


class Numbered(NamedTuple):
    """What one look has numbered, and whether there was more than it may number at once."""

    events: int
    is_more: bool


async def number_events(book: Book, *, most: int = NUMBERED_MAX) -> Numbered | None:
    """Number what could not be seen at the last look; None: somebody else is at it."""
    if await book.connection.fetchval(_NOTHING_NEW):
        return Numbered(0, is_more=False)
    row = await book.connection.fetchrow(_BEGIN)
    if row is None:
        return None
    if row["is_new"]:
        await book.connection.execute(_ADOPT, row["identifier"])
    elif not row["is_here"]:
        await book.connection.execute(_BEGIN_RECOUNT, row["identifier"])
        return await _recount(book, -(2**63))
    if row["recount_after"] is not None:
        return await _recount(book, row["recount_after"])
    done = await book.connection.fetchrow(_NUMBER, row["seen"], row["told_below"], most)
    if done is None:
        raise AssertionError("a look says what it has found")
    return Numbered(*done)


async def _recount(book: Book, after: int) -> Numbered:
    row = await book.connection.fetchrow(_RECOUNT, after, RECOUNTED_MAX)
    if row is None:
        raise AssertionError("a step says what it has counted")
    events, last = row
    if last is None:
        await book.connection.execute(_END_RECOUNT)
    else:
        await book.connection.execute(_GO_ON, last)
    return Numbered(events, is_more=True)
