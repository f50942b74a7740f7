"""The real service on a real port, under settings and a clock of the test's own."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import uvicorn
import uvloop

from app.composition.service import build_app
from app.server.port import Port
from app.settings import Settings


@dataclass
class Clock:
    """What time the service believes it is; moved by the test, both ways."""

    now: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@contextlib.contextmanager
def serving(database_url: str, clock: Clock | None = None, **settings: object) -> Iterator[int]:
    """Serve until the block ends; yield the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    known = Settings.model_validate(settings)
    port = Port(
        lambda: build_app(known, database_url, clock=clock, require_durability=False),
        connections=100,
        deadline=known.deadline,
        keep_alive_seconds=3600,
    )
    config = port.config(lifespan="on", loop="uvloop", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    started = threading.Event()

    async def serve() -> None:
        watching = asyncio.create_task(_tell(server, started))
        await server.serve(sockets=[listening])
        started.set()
        await watching

    with ThreadPoolExecutor(1) as executor:
        served = executor.submit(uvloop.run, serve())
        started.wait(30)
        try:
            if served.done():
                served.result()
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            served.result(timeout=30)


async def _tell(server: uvicorn.Server, started: threading.Event) -> None:
    # Uvicorn has no event for it.
    while not (server.started or server.should_exit or started.is_set()):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    started.set()
