"""One consistent, read-only snapshot of the whole ledger, for long reads on several connections.

The first connection exports its snapshot and the others take it over, so that all of them see the
same rows, whatever is committed meanwhile.

Where buckets are on several nodes there is no snapshot of all of them: each is read on one of its
own, by its search path.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from app.database_url import connect_arguments
from app.ledger.citus.places import IS_CITUS
from app.ledger.connecting import NO_SETTINGS, connect
from app.ledger.pools import ABOVE_NODES, WHOLE_LEDGER
from app.wallet.buckets import schema_of

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

SETTINGS: Final = {
    "application_name": "wallet-audit",
    "timezone": "UTC",
    # Hash tables of a range of players in memory, not on disk.
    "work_mem": "64MB",
    "jit": "off",
    # Each query is planned for the part of the ledger it is asked about.
    "plan_cache_mode": "force_custom_plan",
    # The connections share the work; a query that takes workers besides would take theirs.
    "max_parallel_workers_per_gather": "0",
    # A look at everything reads whole tables, in order: looking rows up one by one costs several
    # times as much even where all of them are in memory.
    "random_page_cost": "4",
    "search_path": ABOVE_NODES,
}

BY_KEY: Final = {
    # A look at a few rows among many must not read whole tables because statistics are old.
    "enable_seqscan": "off",
    "random_page_cost": "1.1",
}
"""Settings for reading a small part of the ledger."""


PLANNING: Final = {
    name: SETTINGS[name]
    for name in ("work_mem", "jit", "max_parallel_workers_per_gather", "random_page_cost")
}
"""Of the settings, those that the nodes of a cluster have to know: they plan for themselves."""


async def read_by_key(connection: "Connection") -> None:
    """Read rows one by one from here on, and no table whole."""
    await _set(connection, BY_KEY)


async def _set(connection: "Connection", settings: Mapping[str, str]) -> None:
    """Set what holds until the transaction ends, here and on every node that it asks.

    What a session has from its start stays on the coordinator. A server without Citus takes the
    first setting for somebody's own.
    """
    await connection.execute("SET LOCAL citus.propagate_set_commands = 'local'")
    for name, value in settings.items():
        await connection.execute(f"SET LOCAL {name} = '{value}'")
    await connection.execute("SET LOCAL citus.propagate_set_commands = 'none'")


_COUNT: Final = "SELECT count(*) FROM public.buckets"


async def bucket_paths(url: str) -> list[str]:
    """Return the search path of each bucket that is on some node; none: this server has it all."""
    connection = await connect(connect_arguments(url))
    try:
        count = await connection.fetchval(_COUNT)
        if not count or not await connection.fetchval(IS_CITUS):
            return []
    finally:
        await connection.close()
    return [f"{schema_of(bucket, count)}, {WHOLE_LEDGER}" for bucket in range(count)]


@asynccontextmanager
async def snapshot_of_each(url: str) -> AsyncIterator[list["Connection"]]:
    """Open a connection for each bucket that is on some node, with a snapshot of its own.

    If this server has it all, it is one connection.
    """
    paths = await bucket_paths(url)
    async with AsyncExitStack() as stack:
        opened: list[Connection] = []
        for settings in [{"search_path": path} for path in paths] if paths else [NO_SETTINGS]:
            opened += await stack.enter_async_context(snapshot(url, settings=settings))
        yield opened


@asynccontextmanager
async def snapshot(
    url: str, connections: int = 1, settings: Mapping[str, str] = NO_SETTINGS
) -> AsyncIterator[list["Connection"]]:
    """Open connections that hold one read-only snapshot until the block ends.

    `settings` of their sessions come before the usual ones. They may lead to nodes, which plan as
    this server would.
    """
    arguments = connect_arguments(url)
    async with AsyncExitStack() as stack:
        opened: list[Connection] = []
        exported = None
        for _ in range(connections):
            connection = await connect(arguments, settings={**SETTINGS, **settings})
            stack.push_async_callback(connection.close)
            await stack.enter_async_context(
                connection.transaction(isolation="repeatable_read", readonly=True)
            )
            if exported is not None:
                await connection.execute(f"SET TRANSACTION SNAPSHOT '{exported}'")
            elif connections > 1:
                exported = await connection.fetchval("SELECT pg_export_snapshot()")
            if settings:
                await _set(connection, PLANNING)
            opened.append(connection)
        yield opened
