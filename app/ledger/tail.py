"""The movements and refusals that were written since the last look, for whoever watches them.

A movement carries the moment of its decision and appears at its commit, a little later: each look
begins `OVERLAP` before the last moment that was seen, and whoever looks leaves out what they have
seen. Movements of all players are found by their moments, in the journal's last pages; those of one
player by their positions.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.lookups import OwnedEntry
from app.ledger.money.book import Book
from app.ledger.money.rows import entry_of
from app.ledger.money.statements import ENTRY_COLUMNS

if TYPE_CHECKING:
    import asyncpg

OVERLAP: Final = timedelta(seconds=10)
"""The default deadline: a movement that took longer was answered 503."""

LOOKED_AT_MAX: Final = 5000
"""Movements of one look; some seconds of full load."""


class TailFilter(NamedTuple):
    """Which movements somebody wants to see; None: any."""

    user_id: str | None = None
    event_types: tuple[str, ...] = ()
    refused_only: bool = False


class LoggedRefusal(NamedTuple):
    """A refusal that left no outcome."""

    user_id: str
    refusal_id: int
    ledger_time: datetime
    event_type: str | None
    direction: str | None
    amount: str | None
    transaction_id: str | None
    reason: str


_WANTED: Final = """
m.ledger_time >= $1 AND (cardinality($2::text[]) = 0 OR m.event_type = ANY($2::text[]))
  AND (NOT $3::boolean OR m.decision NOT IN ('ACCEPTED', 'DECIDED_ELSEWHERE'))
"""

ENTRIES_OF_ALL: Final = f"""
WITH m AS MATERIALIZED (
    SELECT * FROM movements m WHERE {_WANTED}
    ORDER BY m.ledger_time, m.player_id, m.position LIMIT {LOOKED_AT_MAX}
)
SELECT {ENTRY_COLUMNS}, p.user_id, p.agent
FROM m
CROSS JOIN LATERAL (SELECT user_id, agent FROM players WHERE player_id = m.player_id LIMIT 1) p
ORDER BY m.ledger_time, m.player_id, m.position
"""  # noqa: S608 - composed of constants
"""The moments are found first, by the block index of the journal's last pages."""

ENTRIES_OF_PLAYER: Final = f"""
SELECT {ENTRY_COLUMNS}, p.user_id, p.agent
FROM (SELECT player_id, user_id, agent FROM players WHERE user_id = $4 LIMIT 1) p
CROSS JOIN LATERAL (
    SELECT * FROM movements m WHERE m.player_id = p.player_id AND {_WANTED}
    ORDER BY m.position DESC LIMIT {LOOKED_AT_MAX}
) m
ORDER BY m.position
"""  # noqa: S608 - composed of constants

_REFUSALS: Final = f"""
SELECT user_id, refusal_id, ledger_time, event_type, direction, amount, transaction_id, reason
FROM {{refusals}}
WHERE ledger_time >= $1 AND operation = 'moveFunds' AND ($2::text IS NULL OR user_id = $2)
  AND (cardinality($3::text[]) = 0 OR event_type = ANY($3::text[]))
ORDER BY ledger_time, refusal_id LIMIT {LOOKED_AT_MAX}
"""  # noqa: S608 - composed of constants


async def entries_since(book: Book, since: datetime, wanted: TailFilter) -> list[OwnedEntry]:
    """Return the movements decided at a moment or later, in the order of their moments."""
    arguments: list[object] = [since, list(wanted.event_types), wanted.refused_only]
    statement = ENTRIES_OF_ALL
    if wanted.user_id is not None:
        statement = ENTRIES_OF_PLAYER
        arguments.append(wanted.user_id)
    rows = await book.connection.fetch(statement, *arguments)
    return [_owned(row) for row in rows]


async def refusals_since(
    book: Book, since: datetime, wanted: TailFilter, *, in_buckets: bool = True
) -> list[LoggedRefusal]:
    """Return the refusals of movements that left no outcome, in the order of their moments.

    `in_buckets`: with those that are kept in buckets, if the ledger has several.
    """
    statement = _REFUSALS.format(refusals="refusals" if in_buckets else "ONLY refusals")
    rows = await book.connection.fetch(statement, since, wanted.user_id, list(wanted.event_types))
    return [LoggedRefusal(*row) for row in rows]


async def database_now(book: Book) -> datetime:
    """Return the moment of this transaction, by the ledger's clock."""
    now: datetime = await book.connection.fetchval(
        "SELECT coalesce($1::timestamptz, now())", book.now_given()
    )
    return now


def _owned(row: "asyncpg.Record") -> OwnedEntry:
    return OwnedEntry(entry_of(row), row["user_id"], row["agent"], None)
