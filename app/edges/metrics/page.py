"""The page `/metrics`: the counters of this process, formatted at each scrape.

Each process has its own counters and its own private port: Prometheus scrapes them all, and queries
add them up. Counters begin at 0 with the process, as Prometheus expects.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from typing_extensions import override

from app.cashier.batching import Batcher
from app.cashier.request_archive import RequestArchive
from app.cashier.watch import Watch
from app.edges.metrics.build import build_info
from app.edges.metrics.ledger import of_ledger, of_standby, of_watch
from app.edges.metrics.movements import of_batches, of_movements
from app.edges.metrics.requests import of_archive, of_requests
from app.edges.metrics.slips import bets_projected, of_slips
from app.edges.metrics.webhooks import webhook_attempts, webhooks_seen
from app.ledger.transaction import Ledger
from app.telemetry.logs import lines_dropped
from app.telemetry.metrics import Requests, counted

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The metrics page of one process."""

    def __init__(
        self,
        ledger: Ledger,
        batcher: Batcher,
        edges: Mapping[str, Requests],
        watch: Watch | None = None,
        *,
        archive: RequestArchive | None = None,
        expects_sync: bool = False,
    ) -> None:
        """`edges`: the requests of each contract, by its name; `watch`: one that has begun.

        `archive`: what keeps requests; `expects_sync`: whether commits are expected to wait for a
        synchronous standby.
        """
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(
            _ProcessCollector(
                ledger,
                batcher,
                edges,
                watch or Watch(ledger),
                archive,
                expects_sync=expects_sync,
            )
        )
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def page(self) -> bytes:
        """Return the current metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _ProcessCollector(Collector):
    def __init__(
        self,
        ledger: Ledger,
        batcher: Batcher,
        edges: Mapping[str, Requests],
        watch: Watch,
        archive: RequestArchive | None,
        *,
        expects_sync: bool,
    ) -> None:
        self._archive = archive
        self._ledger = ledger
        self._batcher = batcher
        self._edges = edges
        self._expects_sync = expects_sync
        self._watch = watch

    @override
    def collect(self) -> Iterator[Metric]:
        yield build_info()
        yield from of_requests(self._edges)
        yield of_archive(self._archive)
        yield from of_movements(self._batcher.batch_stats)
        yield from of_batches(self._batcher)
        yield from of_ledger(self._ledger)
        yield from of_standby(self._ledger, expects_sync=self._expects_sync)
        yield from of_watch(self._watch.seen)
        yield from webhook_attempts({}, {})
        yield from webhooks_seen(self._watch.seen.backlogs, self._watch.seen.numbering_age)
        yield bets_projected(0)
        yield from of_slips(self._watch.seen.slips)
        yield counted(
            "wallet_log_lines_dropped",
            "Log lines that nobody will read: standard error was not read, full or gone",
            (),
            {(): lines_dropped()},
        )
