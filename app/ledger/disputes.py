"""What stands around a movement: the time line, who heard "unknown", what was done since.

1. `entries_around`     a wallet's movements before and after a position
2. `asides_between`     what else concerns the player meanwhile: refusals, changes of the account
3. `unheard_of`         when its caller was told that nobody knows, and when they came back
4. `place_at`           where a player stood at a moment, if nothing was decided under the id
5. `handling_of`        exceptions, adjustments and differences of reports under a transaction id
"""

from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.lookups import PLAYERS_ENTRIES, OwnedEntry, owned_entry
from app.ledger.money.book import Book

ASIDES_MAX: Final = 200
HANDLINGS_MAX: Final = 100


class Aside(NamedTuple):
    """Something about a player that moved no money."""

    at: datetime
    what: str
    transaction_id: str | None
    by: str
    words: str | None


class Unheard(NamedTuple):
    """An answer that did not reach its caller."""

    told_at: datetime
    came_back_at: datetime | None
    """None: they have not asked again"""


class Handling(NamedTuple):
    """Something that people or a report have to do with the transaction id."""

    at: datetime
    what: str
    """exception, adjustment or difference"""
    number: int
    state: str
    by: str | None
    words: str


_AROUND: Final = f"""
{PLAYERS_ENTRIES} AND m.position BETWEEN $2::bigint AND $3::bigint ORDER BY m.position
"""

# Of a change only that it was made: what it says of a player is nobody's who reads of a dispute.
_ASIDES: Final = """
SELECT at, what, transaction_id, by, words FROM (
    SELECT * FROM (
        SELECT r.ledger_time AS at,
               concat_ws(' ', coalesce(r.event_type, r.operation), r.amount, 'refused') AS what,
               r.transaction_id, r.source AS by,
               concat(r.reason, ' (' || r.differs || ')') AS words, r.refusal_id AS number
        FROM refusals r
        WHERE r.user_id = $1 AND r.ledger_time BETWEEN $3 AND $4
        UNION ALL
        SELECT c.ledger_time, c.operation, NULL, c.source, NULL, c.change_id
        FROM account_changes c
        WHERE c.player_id = $2 AND c.ledger_time BETWEEN $3 AND $4
    ) all_of_them
    ORDER BY abs(extract(epoch FROM at - $5::timestamptz)), number LIMIT $6
) nearest
ORDER BY at, number
"""

_UNHEARD: Final = """
SELECT told_at, came_back_at FROM unanswered WHERE player_id = $1 AND position = $2
"""

_NEAREST: Final = """
SELECT p.player_id, (
    SELECT m.position FROM movements m
    WHERE m.player_id = p.player_id AND m.ledger_time <= $2
    ORDER BY m.position DESC LIMIT 1)
FROM players p WHERE p.user_id = $1
"""

_HANDLING: Final = """
SELECT at, what, number, state, by, words FROM (
    SELECT opened_at AS at, 'exception' AS what, exception_id AS number, state,
           coalesce(closed_by, taken_by) AS by, format('%s: %s', kind, summary) AS words
    FROM exceptions WHERE transaction_id = $1
    UNION ALL
    SELECT a.proposed_at, 'adjustment', a.adjustment_id,
           coalesce(d.decision, CASE WHEN a.expires_at <= coalesce($2::timestamptz, now())
                                     THEN 'expired' ELSE 'open' END),
           concat_ws(', ', a.proposed_by, d.decided_by),
           format('%s of %s %s to %s: %s, %s', a.direction, round(a.amount, a.scale), a.currency,
                  a.pocket, a.reason, a.ticket)
    FROM adjustments a
    LEFT JOIN adjustment_decisions d ON d.adjustment_id = a.adjustment_id
    WHERE a.transaction_id = $1
    UNION ALL
    SELECT r.ran_at, 'difference', r.run_id, d.verdict, r.source,
           format('%s: %s by the report %s, %s here, %s', d.cause, trim_scale(d.theirs),
                  r.file_name, trim_scale(d.ours), d.currency)
    FROM reconciliation_differences d
    JOIN reconciliation_runs r ON r.run_id = d.run_id
    WHERE d.transaction_id = $1
) h
ORDER BY at, what, number LIMIT $3
"""


async def entries_around(book: Book, player_id: int, first: int, last: int) -> list[OwnedEntry]:
    """Return a player's movements from a position to another, both included; oldest first."""
    rows = await book.connection.fetch(_AROUND, player_id, first, last)
    return [owned_entry(row) for row in rows]


async def asides_between(
    book: Book, user_id: str, player_id: int, since: datetime, until: datetime, near: datetime
) -> list[Aside]:
    """Return what was refused to a player, and changed about them; the nearest to a moment."""
    arguments = (user_id, player_id, since, until, near, ASIDES_MAX)
    rows = await book.connection.fetch(_ASIDES, *arguments)
    return [Aside(*row) for row in rows]


async def unheard_of(book: Book, player_id: int, position: int) -> Unheard | None:
    """Return when a movement's caller was told "unknown"; None: they never were."""
    row = await book.connection.fetchrow(_UNHEARD, player_id, position)
    return None if row is None else Unheard(*row)


async def place_at(book: Book, user_id: str, at: datetime) -> tuple[int, int] | None:
    """Return a player and the position of their latest movement then; None: there is no player."""
    row = await book.connection.fetchrow(_NEAREST, user_id, at)
    return None if row is None else (row[0], row[1] or 0)


async def handling_of(book: Book, transaction_id: str) -> list[Handling]:
    """Return what people and reports have to do with a transaction id, oldest first."""
    rows = await book.connection.fetch(_HANDLING, transaction_id, book.now_given(), HANDLINGS_MAX)
    return [Handling(*row) for row in rows]
