"""The server: uvicorn with our own connections and listening socket, and a bounded shutdown.

1. The address is bound first, so that one in use is reported before anything starts.
2. One process serves, or several share the socket.
3. On Ctrl-C or SIGTERM nothing new is accepted, and requests in progress are finished in bounds.
"""

import functools
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import uvicorn
from typing_extensions import override
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.server.connections import connections_max
from app.server.errors import AddressTakenError, ServerFailedError
from app.server.port import Port, Served
from app.settings import Settings

BACKLOG = 2048
"""The number of connections that may wait to be accepted during a burst; uvicorn's own default.

The kernel lowers it to its bound (net.core.somaxconn, 4096 on Linux).
"""

GOODBYE_SECONDS = 5
"""How long a shutdown may take beyond the deadline of the requests it waits for."""

POLL_SECONDS = 0.05
"""The interval at which a supervisor looks whether its workers have started; people wait for it."""


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


class Workers(Multiprocess):
    """Several processes on one socket, which are announced once and end together.

    Ctrl-C in a terminal reaches every process of its group. The workers ignore it, and end when
    this process sends them SIGTERM.
    """

    def __init__(
        self, config: uvicorn.Config, listening: socket.socket, announce: Callable[[], None]
    ) -> None:
        super().__init__(config, [listening])
        self._announce = announce

    @override
    def init_processes(self) -> None:
        with _without_interrupts():
            super().init_processes()
        if all(self._is_ready(process) for process in self.processes):
            self._announce()

    @override
    def keep_subprocess_alive(self) -> None:
        with _without_interrupts():
            super().keep_subprocess_alive()

    def _is_ready(self, process: Process) -> bool:
        """Wait until a worker serves, has failed, or is not needed any more."""
        while process.process.is_alive() and not self.signal_queue:
            if process.is_ready(timeout=1):
                return True
            time.sleep(POLL_SECONDS)
        return False


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT; a process started in this block inherits that and never gets it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def take_address(host: str, port: int) -> socket.socket:
    """Listen on an address (port 0: a free port); raise AddressTakenError if it is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or error
        raise AddressTakenError(f"{host}:{port} cannot be listened on: {reason}.") from error


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
    """Serve until a signal; the signal is raised again after the shutdown."""
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
        several = Workers(config, listening, announce)
        several.run()
        failed = any(process.exitcode == STARTUP_FAILURE for process in several.processes)
    else:
        failed = _run_one(AnnouncingServer(config, announce), listening)
    if failed:
        raise ServerFailedError(ServerFailedError.__doc__)


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
