"""The composition of the projector: a process of its own, or a task beside the demo's server."""

from collections.abc import Callable
from typing import Final

from app.cashier.slips import begin_anew
from app.composition.following import follow
from app.edges.metrics.slips import ProjectionMetrics
from app.ledger.citus.ledger import PlacedLedger
from app.settings import Settings
from app.slips.projector import Projector
from app.telemetry.spare import SpareTime

CONNECTIONS: Final = 4
"""Database connections of a projector: it reads, writes, counts, and has one to spare."""


async def project(
    settings: Settings, database_url: str, announce: Callable[[], None], *, from_zero: bool
) -> None:
    """Project bet slips until a signal, with health and metrics on a port of its own."""
    ledger = PlacedLedger(database_url, pool_size=CONNECTIONS, deadline=settings.deadline)
    projector = Projector(
        ledger, settings.liability_alarms, spare=SpareTime(settings.background_lag)
    )

    async def work() -> None:
        if from_zero:
            await begin_anew(ledger)
        await projector.run()

    page = ProjectionMetrics(projector)
    await follow(ledger, work, page, settings, settings.project_port, announce)


async def project_beside(settings: Settings, database_url: str) -> None:
    """Project bet slips in a serving process, as the demo does."""
    ledger = PlacedLedger(database_url, pool_size=CONNECTIONS, deadline=settings.deadline)
    try:
        await Projector(ledger, settings.liability_alarms).run()
    finally:
        await ledger.close()
