"""The metrics page of `wallet deliver`: attempts, what waits, and when events were numbered."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from app.edges.metrics.build import build_info
from app.edges.metrics.webhooks import webhook_attempts, webhooks_seen
from app.edges.webhooks.deliverer import Deliverer


class DeliveryMetrics:
    """The metrics page of one process."""

    def __init__(self, deliverer: Deliverer) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_DeliveryCollector(deliverer))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def page(self) -> bytes:
        """Return the current metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _DeliveryCollector(Collector):
    def __init__(self, deliverer: Deliverer) -> None:
        self._deliverer = deliverer

    @override
    def collect(self) -> Iterator[Metric]:
        deliverer = self._deliverer
        yield build_info()
        yield from webhook_attempts(deliverer.counts.attempts, deliverer.counts.seconds)
        age = (time.monotonic_ns() - deliverer.numbered_at) // 10**9
        yield from webhooks_seen(deliverer.backlogs, age)
