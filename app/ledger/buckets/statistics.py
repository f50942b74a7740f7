"""Keeps the statistics of the tables above the buckets, which autovacuum never analyses.

Autovacuum analyses a table when its own rows have changed, and those above the buckets have none.
Queries over all buckets are planned by statistics of the whole, which only an ANALYZE of the table
above makes.
"""

from typing import Final

from app.ledger.money.book import Book

_ANALYZE: Final = "SELECT analyze_above_buckets_v1()"


async def analyze_above(book: Book) -> str | None:
    """Analyse one table if autovacuum has analysed it in a bucket since; return which, if any.

    The function runs with the rights of the tables' owner, one process at a time, and a table at
    most once a minute.
    """
    table: str | None = await book.connection.fetchval(_ANALYZE)
    return table
