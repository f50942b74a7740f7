"""The composition of the projector: a process of its own, or a task beside the demo's server."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

import structlog

from app.cashier.readiness import why_not_ready
from app.cashier.slips import begin_anew
from app.composition.tasks import cancelled
from app.edges.metrics.slips import ProjectionMetrics
from app.edges.probes import Readiness, probes_app
from app.ledger.transaction import Ledger
from app.server.private_port import private_server
from app.settings import Settings
from app.slips.projector import Projector
from app.telemetry.logs import configure_logs
from app.version import VERSION, build_id

logger: Final = structlog.get_logger("main")

CONNECTIONS: Final = 4
"""Database connections of a projector: it reads, writes, counts, and has one to spare."""


async def project(
    settings: Settings, database_url: str, announce: Callable[[], None], *, from_zero: bool
) -> None:
    """Project bet slips until a signal, with health and metrics on a port of its own."""
    configure_logs()
    ledger = Ledger(database_url, pool_size=CONNECTIONS, deadline=settings.deadline)
    projector = Projector(ledger, settings.liability_alarms)
    readiness = Readiness(lambda: why_not_ready(ledger))
    probes = probes_app(readiness, ProjectionMetrics(projector))
    serving = private_server(
        probes, settings.private_host, settings.project_port, 1, deadline=settings.deadline
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with serving:
            if from_zero:
                await begin_anew(ledger)
            logger.info("start", version=VERSION, build=build_id())
            announce()
            running = asyncio.create_task(projector.run())
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if running.done():
                running.result()
            await cancelled(running)
    finally:
        await ledger.close()


async def project_beside(settings: Settings, database_url: str) -> None:
    """Project bet slips in a serving process, as the demo does."""
    ledger = Ledger(database_url, pool_size=CONNECTIONS, deadline=settings.deadline)
    try:
        await Projector(ledger, settings.liability_alarms).run()
    finally:
        await ledger.close()
