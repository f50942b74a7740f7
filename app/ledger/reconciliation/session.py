"""A connection for one reconciliation: temporary tables of its own, and bounded memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from app.database_url import connect_arguments
from app.ledger.connecting import connect
from app.ledger.pools import ABOVE_NODES

if TYPE_CHECKING:
    import asyncpg

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection: TypeAlias = object

SETTINGS: Final = {
    "application_name": "wallet-reconcile",
    "timezone": "UTC",
    # Hashing and sorting a few hundred thousand rows in memory, and what is more on disk.
    "work_mem": "64MB",
    "jit": "off",
    # Each statement runs once, and is planned for what was staged.
    "plan_cache_mode": "force_custom_plan",
    "search_path": ABOVE_NODES,
}


@asynccontextmanager
async def session(url: str) -> AsyncIterator[Connection]:
    """Connect, and close the connection with all its temporary tables when the block ends."""
    connection = await connect(connect_arguments(url), settings=SETTINGS)
    try:
        yield connection
    finally:
        await connection.close()
