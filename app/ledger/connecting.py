"""Open a connection to the database that an address names, trying one host after the other.

The driver's time limit applies to all hosts together: a first host that does not respond at all,
such as a machine without power, would use all of it and the second host would never be tried. Here
each host gets its share of the time.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import asyncpg
from asyncpg.exceptions import TargetServerAttributeNotMatched

from app.database_url import ConnectArguments
from app.ledger.array_types import ArraysKnown

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

CONNECT_SECONDS: Final = 10
"""The default time limit for all hosts together."""

NEXT_HOST: Final = (OSError, asyncpg.CannotConnectNowError, TargetServerAttributeNotMatched)
"""Errors after which the next host is tried: unreachable, starting or stopping, read-only."""

NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})


async def connect(
    arguments: ConnectArguments,
    *,
    seconds_max: int = CONNECT_SECONDS,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> "Connection":
    """Connect to the first host that accepts the connection and has the role the address asks for.

    `seconds_max` bounds all attempts together, with at least a second for each host; an address may
    name less. Of the session's settings the address decides `application_name` and adds `options`;
    the others are given by the caller.
    """
    hosts = _one_by_one(arguments)
    share = min(max(seconds_max // len(hosts), 1), arguments.get("timeout", seconds_max))
    merged = {**settings, **arguments.get("server_settings", {})}
    last: Exception | None = None
    for one in hosts:
        one["server_settings"], one["timeout"] = merged, share
        try:
            return await asyncpg.connect(**one, connection_class=ArraysKnown)
        except TimeoutError as error:
            last = TimeoutError("the host does not answer in time")
            last.__cause__ = error
        except NEXT_HOST as error:
            last = error
    raise last or ConnectionError("the address names no host")


def _one_by_one(arguments: ConnectArguments) -> list[ConnectArguments]:
    """Return the arguments for each host alone; without a host the driver uses its default."""
    common = arguments.copy()
    hosts, ports = common.pop("host", []), common.pop("port", [])
    if not hosts:
        return [common]
    return [{**common, "host": [h], "port": [p]} for h, p in zip(hosts, ports, strict=True)]
