"""Ask the database for those who break the laws of one check."""

import json
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from app.ledger.audit.scope import Check

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

OFFENDERS_MAX: Final = 100
"""Of one invariant among one range of players; beyond it a list helps nobody."""


async def offenders(
    connection: "Connection", check: Check, *scope: object
) -> list[tuple[str, dict[str, Any]]]:
    """Return a bounded number of those who break each law, with the law's name.

    The query is planned for all of them, since hardly ever is there one: planned for the first
    hundred it would look up every movement by itself. A row that cannot be read, such as a list of
    reversals that is none, is itself an offence against each law of the check, and hides no other
    check's offenders.
    """
    query = f"""
        WITH offender AS MATERIALIZED ({check.query})
        SELECT * FROM (
            SELECT *, row_number() OVER (PARTITION BY invariant) AS offender_number FROM offender
        ) o WHERE offender_number <= {OFFENDERS_MAX}
    """
    try:
        async with connection.transaction():
            rows = await connection.fetch(query, *scope)
    except asyncpg.DataError as error:
        return [(law.name, {"unreadable": str(error)}) for law in check.invariants]
    return [_offender(dict(row)) for row in rows]


def _offender(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Separate a row into the law and the offender, which may have come as a document."""
    name: str = row.pop("invariant")
    row.pop("offender_number")
    if set(row) == {"offender"}:
        row = json.loads(row["offender"], parse_float=str)
    return name, {column: value for column, value in row.items() if value is not None}
