"""The time lines of the ledger: the server that answers, the list of them, and what people said.

1. `look`          the server, the last time line, and one that nobody has said yes to
2. `count_missing` movements that a process answered and that are not there any more
3. `begin`         appends a time line; another process may have been faster
4. `list_timelines`, `answer` what people see of them, and what they say
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.citus import SERVER
from app.wallet.operators import Operator
from app.wallet.timelines import Beginning, Known, Server, TimelineKind

if TYPE_CHECKING:
    import asyncpg

    from app.ledger.money.book import Book

    Connection = asyncpg.Connection[asyncpg.Record]

_HEX: Final = 16
_TIMELINE_DIGITS: Final = 8
"""The name of a segment of the log begins with its timeline, in as many hexadecimal digits."""

_LAST_MOVEMENT: Final = f"""
    SELECT ledger_time FROM movements
    WHERE xid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = '{SERVER}')
    ORDER BY xid DESC LIMIT 1
"""  # noqa: S608 - our own constants
"""Of the movements that this server wrote itself: transactions of other nodes have numbers of
their own, and reading them all to find the last one takes too long."""

_LOOK: Final = f"""
SELECT pg_is_in_recovery() AS is_standby, pg_postmaster_start_time() AS started_at,
       s.system_identifier,
       CASE WHEN NOT pg_is_in_recovery()
            THEN pg_walfile_name(pg_current_wal_insert_lsn()) END AS segment,
       greatest(c.ran_at, e.looked_at, m.ledger_time) AS alive_at,
       t.number, t.kind, t.system_identifier AS known_system, t.timeline_id AS known_timeline,
       (SELECT max(money_until) FROM ledger_timeline_answers) AS money_until,
       w.number AS waiting, w.why,
       (SELECT max(number) FROM ledger_timelines WHERE kind = 'restored') AS restored
FROM pg_control_system() s
CROSS JOIN exception_collections c
CROSS JOIN event_log_progress e
LEFT JOIN LATERAL ({_LAST_MOVEMENT}) m ON true
LEFT JOIN LATERAL (SELECT * FROM ledger_timelines ORDER BY number DESC LIMIT 1) t ON true
LEFT JOIN LATERAL (
    SELECT l.number, l.why FROM ledger_timelines l
    WHERE l.kind = 'restored'
      AND NOT EXISTS (SELECT FROM ledger_timeline_answers a WHERE a.number = l.number)
    ORDER BY l.number DESC LIMIT 1
) w ON true
"""  # noqa: S608 - composed of constants
"""The timeline is read off the log's own place: a new one stands in the control file only after the
checkpoint that follows a promotion."""

_HERE: Final = """
SELECT pg_postmaster_start_time(),
       (SELECT number FROM ledger_timelines WHERE number > 0 ORDER BY number DESC LIMIT 1)
"""

_COUNT_THERE: Final = """
SELECT count(*)
FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS w (player_id, position, chain)
CROSS JOIN LATERAL (
    SELECT FROM movements
    WHERE player_id = w.player_id AND position = w.position AND chain = w.chain LIMIT 1
) m
"""

BEGIN: Final = f"""
INSERT INTO ledger_timelines (number, kind, system_identifier, timeline_id, why, noticed_by,
    noticed_at, last_movement_at)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(),
        least($7::timestamptz, ({_LAST_MOVEMENT})))
ON CONFLICT DO NOTHING
"""  # noqa: S608 - composed of constants
"""The last argument is a moment that people name, or that the nodes tell, if there is one."""

LAST_OF_BUCKET: Final = """
SELECT max(ledger_time) FROM (
    SELECT ledger_time FROM movements WHERE xid IS NOT NULL ORDER BY xid DESC LIMIT 200
) m
"""
"""On a node of its own, when the last movement was decided; among some, since ids of two nodes say
nothing of which came first."""

_LIST: Final = """
SELECT t.number, t.kind, t.system_identifier, t.timeline_id, t.why, t.noticed_by, t.noticed_at,
       t.last_movement_at, a.answered_at, a.by, a.is_verified, a.reason, a.money_until
FROM ledger_timelines t
LEFT JOIN ledger_timeline_answers a ON a.number = t.number
ORDER BY t.number DESC LIMIT $1
"""

_ANSWER: Final = """
INSERT INTO ledger_timeline_answers (number, answered_at, by, is_verified, via, came_from, reason,
    money_until)
SELECT t.number, n.moment, $1, $2, $3, $4, $5, n.moment + $6::interval
FROM ledger_timelines t
CROSS JOIN (SELECT coalesce($7::timestamptz, now()) AS moment) n
WHERE t.kind = 'restored'
  AND NOT EXISTS (SELECT FROM ledger_timeline_answers a WHERE a.number = t.number)
RETURNING number
"""


class Witness(NamedTuple):
    """A movement that was answered: where it stands, and its link in the chain."""

    player_id: int
    position: int
    chain: bytes


class Look(NamedTuple):
    """What one look has found."""

    is_standby: bool
    server: Server
    known: Known | None
    money_until: datetime | None
    waiting: int | None
    """the number of a time line that nobody has said yes to"""
    why: str | None
    """what was seen of that one"""
    restored: int
    """the number of the last time line that was a restore; 0: there was none"""


class Timeline(NamedTuple):
    """A time line, and what a person said to it."""

    number: int
    kind: TimelineKind
    system_identifier: int
    timeline_id: int
    why: str
    noticed_by: str
    noticed_at: datetime
    last_movement_at: datetime | None
    """when the last movement was decided that it began with"""
    answered_at: datetime | None
    by: str | None
    is_verified: bool | None
    reason: str | None
    money_until: datetime | None
    """until when money is taken under tokens that it does not know"""

    @property
    def is_waiting(self) -> bool:
        """Whether nobody is served before somebody has said yes."""
        return self.kind is TimelineKind.RESTORED and self.answered_at is None


async def look(connection: "Connection") -> Look:
    """Look at the server and at the time lines that its ledger remembers."""
    row = await connection.fetchrow(_LOOK)
    if row is None:
        raise AssertionError("the migrations leave one row of each")
    segment = row["segment"]
    known = None
    if row["number"] is not None:
        kind = TimelineKind(row["kind"])
        known = Known(row["number"], kind, row["known_system"], row["known_timeline"])
    return Look(
        row["is_standby"],
        Server(
            row["system_identifier"],
            0 if segment is None else int(segment[:_TIMELINE_DIGITS], _HEX),
            row["started_at"],
            row["alive_at"],
        ),
        known,
        row["money_until"],
        row["waiting"],
        row["why"],
        row["restored"] or 0,
    )


async def here(connection: "Connection") -> tuple[datetime, int]:
    """Return when the server was started, and the number of the last time line."""
    row = await connection.fetchrow(_HERE)
    if row is None:
        raise AssertionError("a query without a table has one row")
    started_at, number = row
    return started_at, number


async def count_missing(connection: "Connection", witnesses: Sequence[Witness]) -> int:
    """Count the movements that were answered, and are not there as they were."""
    if not witnesses:
        return 0
    columns = map(list, zip(*witnesses, strict=True))
    return len(witnesses) - int(await connection.fetchval(_COUNT_THERE, *columns))


def row_of(
    seen: Look, begun: Beginning, noticed_by: str, last_movement_at: datetime | None = None
) -> tuple[int, str, int, int, str, str, datetime | None]:
    """Return the arguments of BEGIN: the time line after the one that is known.

    `last_movement_at`: where movements are on several nodes, or people name a moment.
    """
    number = 1 if seen.known is None else seen.known.number + 1
    server = seen.server
    return (
        number,
        begun.kind.value,
        server.system_identifier,
        server.timeline_id,
        begun.why,
        noticed_by,
        last_movement_at,
    )


async def begin(
    book: "Book", begun: Beginning, noticed_by: str, last_movement_at: datetime | None = None
) -> int:
    """Append a time line that a person, or a file outside, tells of; return its number."""
    number, *rest = row_of(await look(book.connection), begun, noticed_by, last_movement_at)
    await book.connection.execute(BEGIN, number, *rest)
    return number


async def list_timelines(book: "Book", count_max: int) -> list[Timeline]:
    """Return time lines, the latest first."""
    rows = await book.connection.fetch(_LIST, count_max)
    return [Timeline(*row)._replace(kind=TimelineKind(row["kind"])) for row in rows]


async def answer(book: "Book", operator: Operator, reason: str, money_for: timedelta) -> list[int]:
    """Say yes to every time line that waits for it, and return their numbers."""
    rows = await book.connection.fetch(
        _ANSWER,
        operator.name,
        operator.is_verified,
        operator.via.value,
        operator.source,
        reason,
        money_for,
        book.now_given(),
    )
    return [row["number"] for row in rows]
