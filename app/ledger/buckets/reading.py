"""What the ledger says of its buckets: how many, where each lies, how large and how busy it is."""

from datetime import timedelta
from typing import Final, NamedTuple

from app.ledger.buckets import COPIED, TABLES
from app.ledger.citus import IN_EACH, Place
from app.ledger.citus.places import find_places
from app.ledger.money.book import Book

RATE_OF: Final = timedelta(minutes=1)
"""The time over which a bucket's movements are counted, for its rate."""

_COUNT: Final = "SELECT count(*) FROM public.buckets"
_SCHEMAS: Final = "SELECT bucket, schema_name FROM public.buckets ORDER BY bucket"
_NOT_LEVEL: Final = """
SELECT b.schema_name FROM public.buckets b
WHERE EXISTS (
    SELECT FROM unnest($1::text[]) AS wanted (name)
    WHERE NOT EXISTS (
        SELECT FROM pg_proc p
        WHERE p.pronamespace = to_regnamespace(b.schema_name) AND p.proname = wanted.name
    )
)
ORDER BY b.bucket LIMIT 1
"""


class Bucket(NamedTuple):
    """One bucket, as it stands now."""

    number: int
    schema: str
    players: int
    movements: int
    size_bytes: int
    """its tables with their indexes"""
    lately: int
    """the movements of the last RATE_OF"""
    place: Place | None = None
    """the node that owns it; None: this server, as everything else"""


async def count_buckets(book: Book) -> int:
    """Return how many buckets the ledger has."""
    count: int = await book.connection.fetchval(_COUNT)
    return count or 1


async def find_not_level(book: Book) -> str | None:
    """Return a bucket of this server in which no money can move yet; None: it can in all."""
    schema: str | None = await book.connection.fetchval(_NOT_LEVEL, COPIED)
    return schema


async def list_buckets(book: Book) -> list[Bucket]:
    """Return every bucket; a ledger with one has its rows in the schema `public`."""
    rows = await book.connection.fetch(_SCHEMAS)
    places = [(row["bucket"], row["schema_name"]) for row in rows] or [(0, "public")]
    nodes = await find_places(book)
    buckets = []
    for number, schema in places:
        size = await book.connection.fetchval(_size_of(schema, is_on_node=number in nodes))
        found = await book.connection.fetchrow(_of(schema), RATE_OF)
        if found is None:
            raise AssertionError("a query of sums has one row")
        players, movements, lately = found
        place = nodes.get(number)
        buckets.append(Bucket(number, schema, players, movements, size, lately, place))
    return buckets


def _size_of(schema: str, *, is_on_node: bool) -> str:
    """Return a query of its own: a node knows the sizes of its own tables only."""
    size = "citus_total_relation_size" if is_on_node else "pg_total_relation_size"
    tables = IN_EACH if is_on_node else TABLES
    return "SELECT " + " + ".join(f"{size}('{schema}.{table}')" for table in tables)


def _of(schema: str) -> str:
    return f"""
        SELECT (SELECT count(*) FROM {schema}.players),
               (SELECT coalesce(sum(position), 0)::bigint FROM {schema}.wallets),
               (SELECT count(*) FROM {schema}.movements
                WHERE ledger_time >= now() - $1::interval)
    """  # noqa: S608 - names of ours
