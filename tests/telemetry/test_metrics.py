from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app.telemetry.metrics import Requests, Spread, by_one, counted, gauged, spread


def shown(*metrics: Metric) -> dict[tuple[str, tuple[tuple[str, str], ...]], object]:
    """What Prometheus would read from a page with these metrics."""

    class Page:
        def collect(self) -> tuple[Metric, ...]:
            return metrics

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Page())
    page = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_a_value_on_a_bound_belongs_below_it() -> None:
    values = Spread((10, 20))
    for value in (1, 10, 11, 20, 21):
        values.add(value)
    assert values.counts == [2, 2, 1]
    assert values.total == 63


def test_a_spread_is_shown_as_a_histogram_in_seconds() -> None:
    values = Spread((1_000_000, 2_000_000_000))
    for value in (500_000, 1_500_000_000, 3_000_000_000):
        values.add(value)
    page = shown(spread("took_seconds", "words", ("method",), {("bet",): values}))
    method = ("method", "bet")
    assert page["took_seconds_bucket", (("le", "0.001"), method)] == 1
    assert page["took_seconds_bucket", (("le", "2.0"), method)] == 2
    assert page["took_seconds_bucket", (("le", "+Inf"), method)] == 3
    assert page["took_seconds_count", (method,)] == 3
    assert page["took_seconds_sum", (method,)] == 4.5005


def test_requests_are_counted_by_what_was_asked_and_answered() -> None:
    requests = Requests(("moveFunds", "getBalance"))
    requests.count("moveFunds", "Win", 0, 200, 1_000_000)
    requests.count("moveFunds", "Win", 0, 200, 1_000_000)
    requests.count("getBalance", "", 404, 200, 1_000_000)
    labels = ("method", "event_type", "code", "status")
    page = shown(
        counted(
            "requests", "words", labels, {tuple(key): n for key, n in requests.answered.items()}
        )
    )
    told = {key[1]: value for key, value in page.items() if key[0] == "requests_total"}
    win = (("code", "0"), ("event_type", "Win"), ("method", "moveFunds"), ("status", "200"))
    assert told[win] == 2
    assert sum(told.values()) == 3  # type: ignore[arg-type]  # they are numbers
    assert requests.latency["moveFunds"].counts[0] == 2


def test_counters_with_one_label_and_gauges() -> None:
    page = shown(
        counted("retries", "words", ("reason",), by_one({"40001": 3})),
        gauged("waits", "words", (), {(): 1500}, per=1000),
    )
    assert page["retries_total", (("reason", "40001"),)] == 3
    assert page["waits", ()] == 1.5


def test_nothing_counted_is_a_page_without_samples() -> None:
    assert shown(counted("retries", "words", ("reason",), {})) == {}
