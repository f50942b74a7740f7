"""Where a ledger's rows are: what a test does to them by hand, past the code under test.

One PostgreSQL has them all, in `public` or in a schema for each bucket. On Citus each bucket's
schema is on a node, and so are the locks, the transactions and the connections of whoever moves
money there. Above it, on the coordinator, foreign tables show the rows; whoever locks one of theirs
there locks all those of a bucket, and waits for themselves.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg

from app.database_url import node_url
from app.ledger.citus.places import find_places
from app.ledger.money.book import Book
from app.wallet.buckets import bucket_of, schema_of

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

COUNT: Final = "SELECT count(*)::integer FROM public.buckets"

ALONE: Final = "SET citus.enable_ddl_propagation = off;"
"""What is made on a node is for this node; a server without Citus knows no such setting."""

SHARD: Final = """
SELECT shard_name(logicalrelid, shardid) FROM pg_dist_shard
WHERE logicalrelid = to_regclass($1)
"""
"""What a table of a bucket is called on the node where its rows are."""


@dataclass(frozen=True)
class Home:
    """The server that has a bucket, and the bucket's schema."""

    url: str
    """of the server's superuser"""
    schema: str
    is_node: bool

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Connection"]:
        """Connect to it; tables without a schema are those of the bucket."""
        connection = await connect(self.url)
        try:
            await connection.execute(f"{ALONE} SET search_path = {self.schema}, public;")
            yield connection
        finally:
            await connection.close()

    async def table(self, name: str) -> str:
        """Return what the table that has the rows is called, by whoever has `opened` it."""
        if not self.is_node:
            return name
        async with self.opened() as connection:
            shard: str = await connection.fetchval(SHARD, f"{self.schema}.{name}")
        return shard


async def homes(url: str) -> list[Home]:
    """Return the home of each bucket; `url` is the superuser's, where all rows are seen."""
    connection = await connect(url)
    try:
        count: int = await connection.fetchval(COUNT)
        if not count:
            return [Home(url, "public", is_node=False)]
        places = await find_places(Book(connection, None))
    finally:
        await connection.close()
    return [
        Home(
            node_url(url, *places[bucket]) if places else url,
            schema_of(bucket, count),
            is_node=bool(places),
        )
        for bucket in range(count)
    ]


async def home_of(url: str, user_id: str) -> Home:
    """Return the home of a player."""
    found = await homes(url)
    return found[bucket_of(user_id, len(found))]


async def servers(url: str) -> list[str]:
    """Return the addresses of all servers that have players' rows, each once."""
    return list(dict.fromkeys(home.url for home in await homes(url)))


@asynccontextmanager
async def wallet_held(url: str, user_id: str) -> AsyncIterator[None]:
    """Hold the lock of a player's wallet."""
    async with (await home_of(url, user_id)).opened() as holder, holder.transaction():
        await holder.execute(
            "SELECT FROM wallets JOIN players USING (player_id)"
            " WHERE user_id = $1 FOR UPDATE OF wallets",
            user_id,
        )
        yield


async def rewrite(url: str, statement: str, *arguments: object) -> None:
    """Change rows that nobody may change, in every bucket."""
    for home in await homes(url):
        async with home.opened() as connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(statement, *arguments)


async def connect(url: str) -> "Connection":
    """A connection of the test's own."""
    return await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)
