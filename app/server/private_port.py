"""The private port of a serving process: a second, small server in the same event loop.

Of several workers each takes the first free port from `WALLET_PRIVATE_PORT` on, so that every
process can be scraped for its own metrics; a replaced worker's port is free for its successor.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import structlog
import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from app.server.connections import PRIVATE_CONNECTIONS_MAX
from app.server.errors import AddressTakenError
from app.server.port import Port, Served
from app.server.serving import take_address

logger = structlog.get_logger("private")

GOODBYE_SECONDS = 1
"""How long a shutdown waits for a probe or a scrape; both take milliseconds."""


class _QuietServer(uvicorn.Server):
    """A server that leaves signals to the main server of the process."""

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def private_server(
    app: ASGIApp, host: str, port: int, workers: int, *, deadline: timedelta
) -> AsyncIterator[str]:
    """Serve `app` on the private port until the block ends; yield its address.

    Its connections have a limit of their own, so that probes are answered when callers have used
    up theirs.
    """
    listening = take_one_of(host, port, workers)
    private = Port(lambda: Served(app), connections=PRIVATE_CONNECTIONS_MAX, deadline=deadline)
    server = _QuietServer(private.config(lifespan="off", timeout_graceful_shutdown=GOODBYE_SECONDS))
    serving = asyncio.create_task(server.serve([listening]))
    host, taken = listening.getsockname()[:2]
    address = f"http://[{host}]:{taken}" if ":" in host else f"http://{host}:{taken}"
    logger.info("private port", address=address)
    try:
        yield address
    finally:
        server.should_exit = True
        await serving


def check_private_ports(host: str, port: int, workers: int) -> None:
    """Raise AddressTakenError if a worker would find no port, before anything is started."""
    for candidate in range(port, port + workers) if port else ():
        take_address(host, candidate).close()


def take_one_of(host: str, port: int, count: int) -> socket.socket:
    """Listen on the first of `count` ports that is free; port 0 takes any."""
    for candidate in range(port, port + count) if port else (0,):
        try:
            return take_address(host, candidate)
        except AddressTakenError:
            if candidate == port + count - 1:
                raise
    raise AssertionError("there is at least one port to try")
