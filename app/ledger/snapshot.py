"""One consistent view of the whole ledger, for reading that takes its time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import asyncpg
from sqlalchemy.engine import make_url

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

CONNECT_SECONDS: Final = 10

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
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain, timeout=CONNECT_SECONDS, server_settings=SETTINGS)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()
