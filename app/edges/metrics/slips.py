"""Metrics of bet slips: what a projector has done, and how they stand in the one ledger."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from app.cashier.slips import SlipFigures
from app.edges.metrics.build import build_info
from app.slips.projector import Projector
from app.telemetry.metrics import by_one, counted, gauged
from app.wallet.money import CRYPTO_SCALE_MAX

SCALE: Final = 10**CRYPTO_SCALE_MAX
"""Every currency's amounts are whole numbers of these parts."""


class ProjectionMetrics:
    """The metrics page of one process of `wallet project`."""

    def __init__(self, projector: Projector) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_ProjectionCollector(projector))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def page(self) -> bytes:
        """Return the current metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _ProjectionCollector(Collector):
    def __init__(self, projector: Projector) -> None:
        self._projector = projector

    @override
    def collect(self) -> Iterator[Metric]:
        yield build_info()
        yield bets_projected(self._projector.bets)
        yield from of_slips(self._projector.figures)


def bets_projected(bets: int) -> Metric:
    """Show how many bets a projector has written; a serving process writes none."""
    return counted(
        "wallet_slips_projected",
        "Sports bets that this process has written, each again when something happened to it",
        (),
        {(): bets},
    )


def of_slips(figures: SlipFigures) -> Iterator[Metric]:
    """Show how slips stand in the one ledger: queries take the maximum, never the sum."""
    yield gauged(
        "wallet_slips_unread",
        "Events that no projector has read for bet slips yet",
        (),
        {(): figures.unread_events},
    )
    yield gauged(
        "wallet_slips_unread_seconds",
        "How long ago the first of them happened; 0: there is none",
        (),
        {(): figures.unread_seconds},
    )
    yield gauged(
        "wallet_slip_faults",
        "Texts that look like a bet slip and could not be read, by the reason",
        ("reason",),
        by_one(figures.faults),
    )
    yield gauged(
        "wallet_slip_mismatches",
        "Where a bet slip and the journal do not agree, by the kind",
        ("kind",),
        by_one(figures.mismatches),
    )
    yield gauged(
        "wallet_sport_liability",
        "What open bets may win on the outcomes that may cost most, in major units; for curves",
        ("currency", "rank"),
        {
            (each.currency, str(each.rank)): int(Decimal(each.potential_win) * SCALE)
            for each in figures.largest
        },
        per=SCALE,
    )
