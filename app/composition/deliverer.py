"""The composition of the deliverer: a process of its own, or a task beside the demo's server."""

from collections.abc import Callable
from typing import Final

from app.composition.following import follow
from app.edges.webhooks.deliverer import Deliverer
from app.edges.webhooks.endpoint import EndpointChoice
from app.edges.webhooks.metrics import DeliveryMetrics
from app.ledger.citus.ledger import PlacedLedger
from app.settings import Settings
from app.telemetry.spare import SpareTime
from app.wallet.event_log import LoggedType

CONNECTIONS: Final = 5
"""Database connections of a deliverer: it numbers, feeds, writes, looks, and has one to spare."""


async def deliver(settings: Settings, database_url: str, announce: Callable[[], None]) -> None:
    """Deliver webhooks until a signal, with health and metrics on a port of its own."""
    ledger = PlacedLedger(
        database_url, pool_size=CONNECTIONS, deadline=settings.deadline, serves=True
    )
    deliverer = Deliverer(ledger, _endpoints(settings), spare=SpareTime(settings.background_lag))
    page = DeliveryMetrics(deliverer)
    await follow(ledger, deliverer.run, page, settings, settings.deliver_port, announce)


async def deliver_beside(settings: Settings, database_url: str) -> None:
    """Deliver webhooks in a serving process, as the demo does."""
    ledger = PlacedLedger(
        database_url, pool_size=CONNECTIONS, deadline=settings.deadline, serves=True
    )
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
