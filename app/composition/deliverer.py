"""The composition of the deliverer: a process of its own, or a task beside the demo's server."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Final

import structlog

from app.cashier.readiness import why_not_ready
from app.composition.tasks import cancelled
from app.edges.probes import Readiness, probes_app
from app.edges.webhooks.deliverer import Deliverer
from app.edges.webhooks.endpoint import EndpointChoice
from app.edges.webhooks.metrics import DeliveryMetrics
from app.ledger.transaction import Ledger
from app.server.private_port import private_server
from app.settings import Settings
from app.telemetry.logs import configure_logs
from app.version import VERSION, build_id
from app.wallet.event_log import LoggedType

logger: Final = structlog.get_logger("main")

CONNECTIONS: Final = 5
"""Database connections of a deliverer: it numbers, feeds, writes, looks, and has one to spare."""


NICE: Final = 10
"""Beside a server on one machine, movements are decided before they are told of."""


async def deliver(settings: Settings, database_url: str, announce: Callable[[], None]) -> None:
    """Deliver webhooks until a signal, with health and metrics on a port of its own."""
    configure_logs()
    os.nice(NICE)
    ledger = Ledger(database_url, pool_size=CONNECTIONS, deadline=settings.deadline, serves=True)
    deliverer = Deliverer(ledger, _endpoints(settings))
    readiness = Readiness(lambda: why_not_ready(ledger))
    probes = probes_app(readiness, DeliveryMetrics(deliverer))
    serving = private_server(
        probes, settings.private_host, settings.deliver_port, 1, deadline=settings.deadline
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with serving:
            logger.info("start", version=VERSION, build=build_id())
            announce()
            running = asyncio.create_task(deliverer.run())
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if running.done():
                running.result()
            await cancelled(running)
    finally:
        await ledger.close()


async def deliver_beside(settings: Settings, database_url: str) -> None:
    """Deliver webhooks in a serving process, as the demo does."""
    ledger = Ledger(database_url, pool_size=CONNECTIONS, deadline=settings.deadline, serves=True)
    try:
        await Deliverer(ledger, _endpoints(settings)).run()
    finally:
        await ledger.close()


def _endpoints(settings: Settings) -> list[EndpointChoice]:
    """Return where webhooks go."""
    return [
        EndpointChoice(
            agent,
            webhook.url,
            [secret.get_secret_value() for secret in webhook.secret],
            frozenset(map(LoggedType, webhook.types)),
            webhook.networks,
            may_be_loopback=settings.demo,
        )
        for agent, webhook in settings.webhooks.items()
    ]
