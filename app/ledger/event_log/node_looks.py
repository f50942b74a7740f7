"""Reads, at the node that has a bucket, what its rows tell that has no number yet.

A row says which transaction of which node wrote it: the number of the node above, the transaction's
id there below (`xid_of_node_v1`). Each look is on one snapshot of the node that has the bucket now.

1. Rows of this node are those that its snapshot shows and that the last look's did not.
2. Rows of other nodes came with the bucket when it was moved: Citus lets nobody write while it goes
   over to what it has copied, so that whatever such a node wrote was committed before that, and is
   there. They are found by what was seen of that node, and read first: of each player who has
   some, everything that has no number is read at once, in the ledger's order, since ids of two
   nodes cannot be compared.

Whoever writes to a bucket gets their transaction's id with the first row that they write there. So
a bucket that comes back to a node brings no transaction with a lower id than what it left there.

What a look says is believed only if it ran where it was expected, and if the same transaction has
then written to that server's log and committed. So no id that its snapshot shows as ended is ever
given out again, after a crash or by a standby, and what is told is on the standby.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.citus import TOLD, XID_BITS
from app.ledger.event_log.told_of import OF_ACCOUNTS, OF_MOVEMENTS
from app.ledger.money.book import Book
from app.ledger.money.statements import CONFIRM

if TYPE_CHECKING:
    import asyncpg

STRANGERS_MAX: Final = 500
"""Rows of each kind that other nodes wrote, in one look: each is a player at most, of whom
everything is read."""

XID_MAX: Final = 2**63

_NAMES: Final = {"movements": "m", "account_openings": "o", "account_changes": "c"}

_UNSEEN: Final = """
    SELECT t.* FROM {table} t
    WHERE t.xid >= $1::text::xid8 AND t.xid < $2::text::xid8 AND t.xid <= (SELECT last FROM cut)
    UNION ALL
    SELECT t.* FROM under_way u
    CROSS JOIN LATERAL (SELECT * FROM {table} WHERE xid = u.xid OFFSET 0) t
"""

_CUT: Final = """
    (SELECT xid FROM {table} WHERE xid >= $1::text::xid8 AND xid < $2::text::xid8
     ORDER BY xid OFFSET $4 - 1 LIMIT 1)
"""

_TOLD_OF: Final = f"""
SELECT w.agent, t.* FROM (
{OF_MOVEMENTS}
    UNION ALL
{OF_ACCOUNTS}
) t
CROSS JOIN LATERAL (SELECT agent FROM wallets WHERE player_id = t.player_id LIMIT 1) w
"""

_LOOKED: Final = """
looked AS MATERIALIZED (
    SELECT pg_current_snapshot() AS now, public.node_here_v1() AS node,
           (SELECT system_identifier FROM pg_control_system()) AS system_identifier
)
"""

_ANY_STRANGER: Final = """
    EXISTS (
        SELECT FROM unnest($5::text[], $6::text[]) AS r (low, high)
        CROSS JOIN LATERAL (
            SELECT FROM {table} WHERE xid >= r.low::xid8 AND xid < r.high::xid8 LIMIT 1) t)
    OR EXISTS (
        SELECT FROM unnest($7::text[]) AS u (xid)
        CROSS JOIN LATERAL (SELECT FROM {table} WHERE xid = u.xid::xid8 LIMIT 1) t)
"""

_LOOK: Final = (
    f"WITH {_LOOKED},"
    """
under_way AS MATERIALIZED (SELECT u.xid::xid8 AS xid FROM unnest($3::text[]) AS u (xid)),
cut AS MATERIALIZED (
    SELECT xid AS last FROM (
        SELECT $2::text::xid8 AS xid
"""
    + "".join(f"        UNION ALL {_CUT.format(table=table)}" for table in TOLD)
    + """
    ) x ORDER BY xid LIMIT 1
),
"""
    + ", ".join(f"{_NAMES[table]}_fresh AS ({_UNSEEN.format(table=table)})" for table in TOLD)
    + f"""
, told AS ({_TOLD_OF})
SELECT l.now::text, l.node, l.system_identifier, c.last::text,
       {" OR ".join(_ANY_STRANGER.format(table=table) for table in TOLD)} AS has_strangers,
       t.agent, t.player_id, t.kind, t.place, t.rank, t.type, t.occurred_at
FROM looked l CROSS JOIN cut c LEFT JOIN told t ON true
ORDER BY t.xid, t.player_id, t.kind, t.place, t.rank
"""
)

_STRANGERS_OF: Final = """
    SELECT t.xid, t.player_id FROM unnest($1::text[], $2::text[]) AS r (low, high)
    CROSS JOIN LATERAL (
        SELECT xid, player_id FROM {table}
        WHERE xid >= r.low::xid8 AND xid < r.high::xid8 AND xid <= (SELECT last FROM cut)
        ORDER BY xid
    ) t
    UNION ALL
    SELECT t.xid, t.player_id FROM unnest($3::text[]) AS u (xid)
    CROSS JOIN LATERAL (SELECT xid, player_id FROM {table} WHERE xid = u.xid::xid8 OFFSET 0) t
"""

_CUT_STRANGERS: Final = """
    (SELECT t.xid FROM unnest($1::text[], $2::text[]) AS r (low, high)
     CROSS JOIN LATERAL (
         SELECT xid FROM {table} WHERE xid >= r.low::xid8 AND xid < r.high::xid8
         ORDER BY xid LIMIT $4
     ) t
     ORDER BY t.xid OFFSET $4 - 1 LIMIT 1)
"""

_STRANGERS: Final = (
    f"WITH cut AS MATERIALIZED (SELECT xid AS last FROM (SELECT '{XID_MAX}'::xid8 AS xid"
    + "".join(f" UNION ALL {_CUT_STRANGERS.format(table=table)}" for table in TOLD)
    + """) x ORDER BY xid LIMIT 1)
SELECT public.node_here_v1() AS node, s.xid::text, s.player_id FROM (
"""
    + " UNION ALL ".join(_STRANGERS_OF.format(table=table) for table in TOLD)
    + ") s"
)

_OF_PLAYERS: Final = (
    f"WITH {_LOOKED},"
    """
k AS MATERIALIZED (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS k (player_id, beyond)),
m_fresh AS (
    SELECT t.* FROM k
    CROSS JOIN LATERAL (
        SELECT * FROM movements WHERE player_id = k.player_id AND position > k.beyond OFFSET 0) t
    WHERE t.xid IS NOT NULL
),
"""
    + ", ".join(
        f"""{_NAMES[table]}_fresh AS (
    SELECT t.* FROM k
    CROSS JOIN LATERAL (SELECT * FROM {table} WHERE player_id = k.player_id OFFSET 0) t
    WHERE t.xid IS NOT NULL
)"""
        for table in ("account_openings", "account_changes")
    )
    + f"""
, told AS ({_TOLD_OF})
SELECT l.node, t.agent, t.player_id, t.kind, t.place, t.rank, t.type, t.occurred_at
FROM looked l LEFT JOIN told t ON true
"""
)

_AGENTS: Final = """
SELECT k.player_id, w.agent FROM unnest($1::bigint[]) AS k (player_id)
CROSS JOIN LATERAL (SELECT agent FROM wallets WHERE player_id = k.player_id LIMIT 1) w
"""

_OPENING, _MOVEMENT = 1, 3
_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)


class Seen(NamedTuple):
    """Which transactions of a node had ended: those below `end`, without those that ran."""

    end: int
    running: tuple[int, ...] = ()

    @classmethod
    def of(cls, snapshot: str) -> "Seen":
        """Read a snapshot as PostgreSQL writes it."""
        _, end, running = snapshot.split(":")
        return cls(int(end), tuple(map(int, filter(None, running.split(",")))))

    @property
    def text(self) -> str:
        """As PostgreSQL writes it."""
        return (
            f"{min(self.running, default=self.end)}:{self.end}:{','.join(map(str, self.running))}"
        )

    def until(self, last: int) -> "Seen":
        """Return what was seen of the transactions up to this one."""
        return Seen(last + 1, tuple(xid for xid in self.running if xid <= last))


NOTHING: Final = Seen(3)
"""PostgreSQL's first transaction has the number 3."""


class Unnumbered(NamedTuple):
    """What a row tells, before it has a number."""

    agent: str
    player_id: int
    kind: int
    place: int
    rank: int
    type: str
    occurred_at: datetime


class Known(NamedTuple):
    """What was seen of a node's transactions in one bucket, and which cluster that was."""

    system_identifier: int | None
    seen: Seen


class Reached(NamedTuple):
    """A node whose transactions in a bucket were seen so far."""

    bucket: int
    node: int
    system_identifier: int | None
    seen: Seen


class Look(NamedTuple):
    """What one look at a bucket has found."""

    events: list[Unnumbered]
    reached: list[Reached]
    is_more: bool
    """it did not read everything that there is"""
    has_strangers: bool = False
    """there are rows of other nodes, which come first"""


async def look_at(
    bucket: int, node: int, known: Mapping[int, Known], most: int, book: Book
) -> Look | None:
    """Read what this node wrote and nobody has seen; None: the bucket is not where it was."""
    mine = known.get(node, Known(None, NOTHING))
    lows, highs, under_way = strangers_of(node, known)
    first = node << XID_BITS
    while True:
        rows = await book.connection.fetch(
            _LOOK,
            str(first + mine.seen.end),
            str((node + 1) << XID_BITS),
            [str(first + xid) for xid in mine.seen.running],
            most,
            lows,
            highs,
            under_way,
        )
        now, ran_at, system_identifier, last, has_strangers = rows[0][:5]
        if ran_at != node:
            return None
        if mine.system_identifier in {None, system_identifier}:
            break
        # Another cluster, whose ids begin anywhere: everything is read again, and what has a number
        # is left out when the others get theirs.
        mine = Known(system_identifier, NOTHING)
    if has_strangers:
        return Look([], [], is_more=True, has_strangers=True)
    events = _events(row[5:] for row in rows)
    seen, is_cut = Seen.of(now), int(last) < (node + 1) << XID_BITS
    if not events and not is_cut:
        return Look([], [], is_more=False)
    if is_cut:
        seen = seen.until(int(last) - first)
    if not await _has_ended_here(book, node):
        return None
    return Look(events, [Reached(bucket, node, system_identifier, seen)], is_cut)


def strangers_of(node: int, known: Mapping[int, Known]) -> tuple[list[str], list[str], list[str]]:
    """Return the ids of rows that other nodes wrote and nobody has seen: ranges, and single ones.

    Between the ranges of nodes that are known may be those of nodes that had the bucket meanwhile.
    """
    ranges, single, reached = [], [], 0
    for other in sorted({*known, node}):
        first = other << XID_BITS
        ranges.append((reached, first))
        reached = (other + 1) << XID_BITS
        if other != node:
            seen = known[other].seen
            ranges.append((first + seen.end, reached))
            single += [str(first + xid) for xid in seen.running]
    ranges.append((reached, XID_MAX))
    lows = [str(low) for low, high in ranges if low < high]
    return lows, [str(high) for low, high in ranges if low < high], single


async def find_strangers(
    bucket: int, node: int, known: Mapping[int, Known], book: Book
) -> tuple[list[int], list[Reached]] | None:
    """Return the players of some rows that other nodes wrote, and what is seen with all of them.

    None: the bucket is not where it was.
    """
    rows = await book.connection.fetch(_STRANGERS, *strangers_of(node, known), STRANGERS_MAX)
    if any(row["node"] != node for row in rows):
        return None
    last: dict[int, int] = {}
    for row in rows:
        other, xid = divmod(int(row["xid"]), 1 << XID_BITS)
        last[other] = max(last.get(other, 0), xid)
    reached = [
        Reached(bucket, other, _of(known, other), Seen(max(xid + 1, _end(known, other))))
        for other, xid in last.items()
    ]
    return sorted({row["player_id"] for row in rows}), reached


async def look_at_players(
    node: int, beyond: Mapping[int, int], book: Book
) -> list[Unnumbered] | None:
    """Read what these players' rows tell, movements beyond a position each, in the ledger's order.

    None: the bucket is not where it was.
    """
    rows = await book.connection.fetch(_OF_PLAYERS, list(beyond), list(beyond.values()))
    if rows[0]["node"] != node or not await _has_ended_here(book, node):
        return None
    return in_ledger_order(_events(row[1:] for row in rows))


async def agents_of(book: Book, players: Collection[int]) -> dict[int, str]:
    """Return the agents of those players who are in this bucket."""
    return dict(map(tuple, await book.connection.fetch(_AGENTS, list(players))))


def in_ledger_order(events: Iterable[Unnumbered]) -> list[Unnumbered]:
    """Order each player's events: movements by their positions, changes among them by their times.

    The clocks of two nodes may differ, so a movement counts as no earlier than those before it.
    """
    ordered: list[Unnumbered] = []
    for _, some in groupby(sorted(events), key=lambda event: event.player_id):
        ordered += _of_player(list(some))
    return ordered


def _of_player(events: Sequence[Unnumbered]) -> list[Unnumbered]:
    moments, latest = [], _BEFORE_ALL
    for event in events:
        moment = _BEFORE_ALL if event.kind == _OPENING else event.occurred_at
        if event.kind == _MOVEMENT:
            moment = latest = max(latest, moment)
        moments.append(moment)
    return [event for _, event in sorted(zip(moments, events, strict=True))]


async def _has_ended_here(book: Book, node: int) -> bool:
    """Write to this server's log, which then knows all ids given out so far; False: elsewhere."""
    ran_at: int = await book.connection.fetchval("SELECT public.node_here_v1()")
    await book.connection.execute(CONFIRM)
    return ran_at == node


def _events(rows: "Iterator[asyncpg.Record] | Iterator[tuple[object, ...]]") -> list[Unnumbered]:
    return [Unnumbered(*row) for row in rows if row[0] is not None]


def _of(known: Mapping[int, Known], node: int) -> int | None:
    return known[node].system_identifier if node in known else None


def _end(known: Mapping[int, Known], node: int) -> int:
    return known[node].seen.end if node in known else 0
