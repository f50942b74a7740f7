"""What a database is and how it fares, for `wallet status`: read once, on one snapshot."""

from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.money.book import Book

SETTINGS: Final = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "synchronous_standby_names",
    "max_pred_locks_per_transaction",
    "max_pred_locks_per_page",
    "max_connections",
    "shared_buffers",
    "timezone",
)
"""Settings that safety and speed rest on, as a look at the database should show them."""


class ServerState(NamedTuple):
    """One database at one moment."""

    version: str
    database: str
    role: str
    size_bytes: int
    is_standby: bool
    connections: int
    settings: dict[str, str]
    now: datetime
    """by the database's clock"""
    oldest_account: datetime | None
    """when the first account was opened; None: there is none"""


_STATE: Final = """
SELECT current_setting('server_version'), current_database(), current_user,
       pg_database_size(current_database()), pg_is_in_recovery(),
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),
       clock_timestamp(), (SELECT min(created_at) FROM players)
"""

_SETTINGS: Final = """
SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY($1::text[])
"""


async def server_state(book: Book) -> ServerState:
    """Read what the database says of itself."""
    rows = await book.connection.fetch(_SETTINGS, [*SETTINGS])
    settings = {row["name"]: row["value"] for row in rows}
    row = await book.connection.fetchrow(_STATE)
    if row is None:
        raise AssertionError("a query without a table has one row")
    version, database, role, size, is_standby, connections, now, oldest = row
    return ServerState(
        version, database, role, size, is_standby, connections, settings, now, oldest
    )


async def database_clock(book: Book) -> datetime:
    """Return the database's clock at this moment."""
    now: datetime = await book.connection.fetchval("SELECT clock_timestamp()")
    return now
