"""A process that follows the journal, as `wallet deliver` and `wallet project` are, until a signal.

Movements are decided before they are told of: it lowers its own priority.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from app.cashier.readiness import why_not_ready
from app.composition.tasks import cancelled
from app.edges.probes import Page, Readiness, probes_app
from app.ledger.transaction import Ledger
from app.server.private_port import private_server
from app.settings import Settings
from app.telemetry.logs import configure_logs
from app.version import VERSION, build_id

logger: Final = structlog.get_logger("main")

NICE: Final = 10
"""Within a session or a group; between them Linux shares by others' weights, so that what is late
still has its share of a full machine."""


async def follow(
    ledger: Ledger,
    work: Callable[[], Coroutine[Any, Any, None]],
    page: Page,
    settings: Settings,
    port: int,
    announce: Callable[[], None],
) -> None:
    """Work until a signal, with health and metrics on a port of its own; then close the ledger."""
    configure_logs()
    os.nice(NICE)
    probes = probes_app(Readiness(lambda: why_not_ready(ledger)), page)
    serving = private_server(probes, settings.private_host, port, 1, deadline=settings.deadline)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with serving:
            logger.info("start", version=VERSION, build=build_id())
            announce()
            running = asyncio.create_task(work())
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if running.done():
                running.result()
            await cancelled(running)
    finally:
        await ledger.close()
