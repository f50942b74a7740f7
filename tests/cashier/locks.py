"""Database locks that a test holds, so that other transactions wait for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.cashier.till import Till, connect


@asynccontextmanager
async def held_up(till: Till, user_id: str = "anna") -> AsyncIterator[None]:
    """Hold a wallet's lock: the transaction that wants it waits, and its batch with it."""
    holder = await connect(till.superuser_url)
    try:
        async with holder.transaction():
            await holder.execute(
                "SELECT FROM wallets JOIN players USING (player_id)"
                " WHERE user_id = $1 FOR UPDATE OF wallets",
                user_id,
            )
            yield
    finally:
        await holder.close()


async def waiting(till: Till, many: int = 1) -> list[int]:
    """Until so many transactions of the service wait for a lock; their process ids."""
    for _ in range(400):
        rows = await till.rows(
            "SELECT pid FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND application_name = 'wallet/2'"
            " AND datname = current_database()"  # Other tests share the server.
        )
        if len(rows) >= many:
            return [row[0] for row in rows]
        await asyncio.sleep(0.005)
    raise AssertionError("nobody waits")
