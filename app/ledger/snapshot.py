"""One consistent, read-only snapshot of the whole ledger, for long reads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from app.database_url import connect_arguments
from app.ledger.connecting import connect

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

SETTINGS: Final = {
    "application_name": "wallet-audit",
    "timezone": "UTC",
    # Sorting a range of players in memory, not on disk.
    "work_mem": "64MB",
    "jit": "off",
    # Each query is planned for the part of the ledger it is asked about.
    "plan_cache_mode": "force_custom_plan",
    # Half of the default: worth it for the hashes, which hand out next to nothing though the
    # planner expects every row, and not yet for queries that only pass rows on.
    "parallel_tuple_cost": "0.05",
}


@asynccontextmanager
async def snapshot(url: str) -> AsyncIterator["Connection"]:
    """Connect to a database, and hold one read-only snapshot until the block ends."""
    connection = await connect(connect_arguments(url), settings=SETTINGS)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()
