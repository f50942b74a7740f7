"""How a report is read: one query in one read-only snapshot, row by row, every value as text.

A report looks at the journal up to a position: a moment, and how many movements there were up to
it. The same position gives the same rows, byte for byte, for ever, because the journal is only
added to.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from app.ledger.together import together

if TYPE_CHECKING:
    import asyncpg

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection: TypeAlias = object

ROWS_AT_A_TIME: Final = 2000


class Position(NamedTuple):
    """How far the journal had come."""

    moment: datetime
    """that was asked for, else that of the latest movement"""
    movements: int
    """how many movements were decided until then, those of the moment itself included"""


class LedgerReport(NamedTuple):
    """A report: its columns, those of them that are money to sum, and its query.

    The query's first parameter is the position's moment. What it selects after the columns is the
    key that its rows are in the order of: by it, rows of several buckets are merged.
    """

    name: str
    columns: tuple[str, ...]
    sums: tuple[str, ...]
    query: str
    added: tuple[str, ...] = ()
    """columns to add up where several buckets have a row with the same key"""


def amount(expression: str, scale: str) -> str:
    """Print an amount at its currency's scale; an amount of nothing stays null."""
    return f"round({expression}, {scale})::text"


def moment(expression: str) -> str:
    """Print a moment in UTC, to the microsecond, the same for every session."""
    return f"to_char({expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


# least() passes over a null, so it alone would say now() where no moment was given.
_POSITION: Final = """
SELECT CASE WHEN $1::timestamptz IS NULL THEN max(ledger_time) ELSE least($1, now()) END, count(*)
FROM movements WHERE $1 IS NULL OR ledger_time <= $1
"""

_UNTIL: Final = "SELECT count(*) FROM movements WHERE ledger_time <= $1"


async def position_at(connections: Sequence[Connection], at: datetime | None) -> Position | None:
    """Return the position at a moment, or (None) at the journal's end; None: there is nothing.

    Each connection sees a part of the journal, all together the whole of it.
    """
    found = await together(each.fetchrow(_POSITION, at) for each in connections)
    moments = [row[0] for row in found if row is not None and row[1] > 0]
    if not moments:
        return None
    moment = max(moments)
    if len(connections) == 1:
        return Position(moment, sum(row[1] for row in found if row is not None))
    counts = await together(each.fetchval(_UNTIL, moment) for each in connections)
    return Position(moment, sum(counts))


async def rows_of(
    connection: Connection, report: LedgerReport, *arguments: object
) -> AsyncIterator[tuple[Any, ...]]:
    """Yield what the report's query returns, the key after the columns; inside a transaction."""
    cursor = connection.cursor(report.query, *arguments, prefetch=ROWS_AT_A_TIME)
    async for row in cursor:
        yield tuple(row)
