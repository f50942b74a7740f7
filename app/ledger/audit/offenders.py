"""Ask the database for those who break one law."""

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from app.ledger.audit.scope import Invariant

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

OFFENDERS_MAX: Final = 100
"""Of one invariant among one range of players; beyond it a list helps nobody."""


async def offenders(
    connection: "Connection", invariant: Invariant, *scope: object
) -> list[dict[str, Any]]:
    """Return a bounded number of those who break a law.

    The query is planned for all of them, since hardly ever is there one: planned for the first
    hundred it would look up every movement by itself. A row that cannot be read, such as a list of
    reversals that is none, is itself an offence, and hides no other law's offenders.
    """
    query = (
        f"WITH offender AS MATERIALIZED ({invariant.query})"
        f" SELECT * FROM offender LIMIT {OFFENDERS_MAX}"
    )
    try:
        async with connection.transaction():
            return [dict(row) for row in await connection.fetch(query, *scope)]
    except asyncpg.DataError as error:
        return [{"unreadable": str(error)}]
