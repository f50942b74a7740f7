"""SQLAlchemy's engine, connected as everything here connects: for what the schema's owner does.

It stands alone, since the library takes a third of the time in which a console's command starts.
"""

from collections.abc import Mapping
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.database_url import connect_arguments
from app.ledger.connecting import CONNECT_SECONDS, NO_SETTINGS, connect


def engine_for(
    url: str,
    *,
    seconds_max: int = CONNECT_SECONDS,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> AsyncEngine:
    """Return an engine without a pool that connects through `connect`."""
    arguments = connect_arguments(url)
    return create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        async_creator=partial(connect, arguments, seconds_max=seconds_max, settings=settings),
    )
