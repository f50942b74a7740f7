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
