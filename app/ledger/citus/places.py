"""Where the buckets of a ledger are: Citus's own list of nodes and shards, read and never written.

1. `find_places`  the node of each bucket; nothing, where the database is no Citus cluster
2. `list_nodes`   the nodes that buckets can be moved to
3. `move`         moves a bucket to another node while it is served
"""

from typing import TYPE_CHECKING, Final

import asyncpg

from app.database_url import connect_arguments
from app.ledger.citus import NotPlacedError, Place
from app.ledger.connecting import connect
from app.wallet.buckets import schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.ledger.money.book import Book

IS_CITUS: Final = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"

_PLACES: Final = """
SELECT b.bucket, n.nodename AS host, n.nodeport AS port
FROM public.buckets b
JOIN pg_catalog.pg_dist_shard s ON s.logicalrelid = (b.schema_name || '.wallets')::regclass
JOIN pg_catalog.pg_dist_placement p ON p.shardid = s.shardid
JOIN pg_catalog.pg_dist_node n ON n.groupid = p.groupid
WHERE n.noderole = 'primary'
ORDER BY b.bucket
"""

_NODES: Final = """
SELECT nodename AS host, nodeport AS port FROM pg_catalog.pg_dist_node
WHERE noderole = 'primary' AND isactive AND shouldhaveshards ORDER BY groupid
"""

_MOVE: Final = "SELECT pg_catalog.citus_schema_move($1::text::regnamespace, $2::text, $3::integer)"


async def find_places(book: "Book") -> "Mapping[int, Place]":
    """Return the node of each bucket; empty: the buckets are on this server, as its own tables."""
    if not await book.connection.fetchval(IS_CITUS):
        return {}
    rows = await book.connection.fetch(_PLACES)
    return {row["bucket"]: Place(row["host"], row["port"]) for row in rows}


async def list_nodes(book: "Book") -> list[Place]:
    """Return the nodes that may own buckets."""
    return [Place(*row) for row in await book.connection.fetch(_NODES)]


async def move(url: str, bucket: int, count: int, to: Place) -> None:
    """Move a bucket to another node, as the owner of its tables; it is served all the while.

    Its rows are copied while they are read and written; writes wait for the last moment of it.
    """
    connection = await connect(connect_arguments(url))
    try:
        await connection.execute(_MOVE, schema_of(bucket, count), to.host, to.port)
    except asyncpg.PostgresError as error:
        raise NotPlacedError(f"Citus did not move it: {error}") from error
    finally:
        await connection.close()
