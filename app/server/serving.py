"""The server: uvicorn with our own connections and listening socket, and a bounded shutdown.

1. The address is bound first, so that one in use is reported before anything starts.
2. One process serves, or several share the address.
3. On Ctrl-C or SIGTERM nothing new is accepted, and requests in progress are finished in bounds.
"""

import functools
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import uvicorn
from typing_extensions import override
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import SIGNALS

from app.server.connections import connections_max
from app.server.errors import AddressTakenError, ServerFailedError
from app.server.port import Port, Served
from app.server.workers import Workers
from app.settings import Settings
from app.telemetry.logs import configure_logs

BACKLOG = 2048
"""The number of connections that may wait to be accepted during a burst; uvicorn's own default.

The kernel lowers it to its bound (net.core.somaxconn, 4096 on Linux).
"""

GOODBYE_SECONDS = 5
"""How long a shutdown may take beyond the deadline of the requests it waits for."""

BuildApp = Callable[[Settings, str], Served]
"""Builds what is served from a database; other processes import it by its module and name."""


class AnnouncingServer(uvicorn.Server):
    """A server that announces when it is ready."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def take_address(host: str, port: int) -> socket.socket:
    """Listen on an address (port 0: a free port); raise AddressTakenError if it is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or error
        raise AddressTakenError(f"{host}:{port} cannot be listened on: {reason}.") from error


def share_address(listening: socket.socket, count: int) -> list[socket.socket]:
    """Return `count` sockets that listen on one address, of which this is the first.

    Where the kernel spreads connections over them, each has its share. Over one socket it does not:
    whichever process wakes first takes all that wait, and one of four may have most callers and
    another one none.
    """
    if sys.platform != "linux":
        return [listening]
    # Only now: another program's socket, and another wallet's, must find the address in use.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    shared, address = [listening], listening.getsockname()
    try:
        while len(shared) < count:
            more = socket.create_server(
                address, family=listening.family, backlog=BACKLOG, reuse_port=True
            )
            shared.append(more)
    except OSError as error:
        for each in shared:
            each.close()
        raise AddressTakenError(
            f"{address[0]}:{address[1]} cannot be listened on {count} times: {error.strerror}."
        ) from error
    return shared


def address_of(listening: socket.socket) -> str:
    """Return the address as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run_server(
    settings: Settings,
    database_url: str,
    build_app: BuildApp,
    listening: socket.socket,
    announce: Callable[[], None],
) -> None:
    """Serve until a signal; if one process serves, it is raised again after the shutdown."""
    port = Port(
        functools.partial(build_app, settings, database_url),
        connections=connections_max(settings.pool_size + settings.lanes),
        deadline=settings.deadline,
    )
    config = port.config(
        loop="uvloop",
        lifespan="on",
        workers=settings.workers,
        backlog=BACKLOG,
        # Also the answers of the fast path, and those to what is no request at all.
        headers=[("Wallet-Sandbox", "on")] if settings.sandbox == "on" else [],
        timeout_graceful_shutdown=int(settings.deadline_seconds) + GOODBYE_SECONDS,
    )
    if settings.workers > 1:
        # What this process says of the others is for the log, too.
        configure_logs(only_warnings=settings.demo)
        with ExitStack() as stack:
            shared = share_address(listening, settings.workers)
            several = Workers(config, [stack.enter_context(each) for each in shared], announce)
            with _handlers_restored():
                several.run()
        failed = several.has_failed
    else:
        failed = _run_one(AnnouncingServer(config, announce), listening)
    if failed:
        raise ServerFailedError(ServerFailedError.__doc__)


@contextmanager
def _handlers_restored() -> Iterator[None]:
    """Undo what uvicorn's supervisor does to signals, so that a second Ctrl-C ends a slow end."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_alone(
    build: Callable[[], Served],
    listening: socket.socket,
    announce: Callable[[], None],
    *,
    connections: int,
    deadline: timedelta,
) -> None:
    """Serve one application in this process until a signal, which is raised again afterwards."""
    port = Port(build, connections=connections, deadline=deadline)
    config = port.config(loop="uvloop", lifespan="on", timeout_graceful_shutdown=GOODBYE_SECONDS)
    if _run_one(AnnouncingServer(config, announce), listening):
        raise ServerFailedError(ServerFailedError.__doc__)


def _run_one(server: uvicorn.Server, listening: socket.socket) -> bool:
    """Serve in this process; return whether it failed to start."""
    try:
        server.run([listening])
    except SystemExit as end:
        return end.code == STARTUP_FAILURE
    return not server.started
