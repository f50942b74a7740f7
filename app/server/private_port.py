"""The private port of a serving process: a second, small server in the same event loop.

With several workers the first free port of `WALLET_PRIVATE_PORT`, the next, … belongs to each, so
that every process can be asked for its own numbers; a worker that is replaced takes the freed one.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
import uvicorn
from typing_extensions import override

from app.server.errors import AddressTakenError
from app.server.serving import take_address

logger = structlog.get_logger("private")

GOODBYE_SECONDS = 1
"""A probe or a scrape is over at once."""


class _QuietServer(uvicorn.Server):
    """A server that leaves the signals to the one it stands beside."""

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def private_server(app: object, host: str, port: int, workers: int) -> AsyncIterator[str]:
    """Serve `app` on the private port for as long as the block lasts; hand out its address."""
    listening = take_one_of(host, port, workers)
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application, whichever its types
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )
    server = _QuietServer(config)
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
    """Raise AddressTakenError if a worker would find no port; told before anything starts."""
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
