"""Open connections to the database that an address names, one host after the other.

The driver's time limit holds for all hosts together, so a first host that is silent, as a machine
without power is, would use all of it and the second would never be asked. Here each host has its
share of the time.
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import asyncpg
from asyncpg.exceptions import TargetServerAttributeNotMatched
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.database_url import ConnectArguments, connect_arguments

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

CONNECT_SECONDS: Final = 10
"""How long all hosts together may take, unless somebody says otherwise."""

NEXT_HOST: Final = (OSError, asyncpg.CannotConnectNowError, TargetServerAttributeNotMatched)
"""What one host says that another may not: it is gone, starting or stopping, or only reads."""

NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})


async def connect(
    arguments: ConnectArguments,
    *,
    seconds_max: int = CONNECT_SECONDS,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> "Connection":
    """Connect to the first host that lets us in and is what the address asks for.

    `seconds_max` bounds the whole, to a second for each host; an address may name less. Of the
    session's settings the address decides `application_name` and adds `options`; the others are
    ours.
    """
    hosts = _one_by_one(arguments)
    share = min(max(seconds_max // len(hosts), 1), arguments.get("timeout", seconds_max))
    merged = {**settings, **arguments.get("server_settings", {})}
    last: Exception | None = None
    for one in hosts:
        one["server_settings"], one["timeout"] = merged, share
        try:
            return await asyncpg.connect(**one)
        except TimeoutError as error:
            last = TimeoutError("the host does not answer in time")
            last.__cause__ = error
        except NEXT_HOST as error:
            last = error
    raise last or ConnectionError("the address names no host")


def _one_by_one(arguments: ConnectArguments) -> list[ConnectArguments]:
    """Return the arguments for each host alone; the driver knows where to look if none is named."""
    common = arguments.copy()
    hosts, ports = common.pop("host", []), common.pop("port", [])
    if not hosts:
        return [common]
    return [{**common, "host": [h], "port": [p]} for h, p in zip(hosts, ports, strict=True)]


def engine_for(
    url: str,
    *,
    seconds_max: int = CONNECT_SECONDS,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> AsyncEngine:
    """Return an engine without a pool that connects as above."""
    arguments = connect_arguments(url)
    return create_async_engine(
        "postgresql+asyncpg://",
        poolclass=NullPool,
        async_creator=partial(connect, arguments, seconds_max=seconds_max, settings=settings),
    )
