"""Database locks that a test holds, so that other transactions wait for them."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from tests.cashier.homes import connect, wallet_held
from tests.cashier.till import Till

WAITING: Final = """
SELECT pid FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND datname = current_database()
  AND (application_name = 'wallet/2' OR application_name LIKE 'citus_internal%')
"""
"""Other tests share the server. Who comes through another node waits as that node's connection."""


class Waiting(NamedTuple):
    """A transaction of the service that waits for a lock."""

    server: str
    """its superuser's address"""
    pid: int

    async def end(self) -> None:
        """End its connection, as the server does when it is restarted."""
        connection = await connect(self.server)
        try:
            await connection.execute("SELECT pg_terminate_backend($1::integer, 5000)", self.pid)
        finally:
            await connection.close()


@asynccontextmanager
async def held_up(till: Till, user_id: str = "anna") -> AsyncIterator[None]:
    """Hold a wallet's lock: the transaction that wants it waits, and its batch with it."""
    async with wallet_held(till.superuser_url, user_id):
        yield


async def waiting(till: Till, many: int = 1) -> list[Waiting]:
    """Until so many transactions of the service wait for a lock."""
    return await waiting_at(await till.servers(), many)


async def waiting_at(servers: Collection[str], many: int = 1) -> list[Waiting]:
    """Until so many wait at these servers."""
    for _ in range(400):
        found = [Waiting(server, pid) for server in servers for pid in await _pids_at(server)]
        if len(found) >= many:
            return found
        await asyncio.sleep(0.005)
    raise AssertionError("nobody waits")


async def _pids_at(server: str) -> list[int]:
    connection = await connect(server)
    try:
        return [row["pid"] for row in await connection.fetch(WAITING)]
    finally:
        await connection.close()
