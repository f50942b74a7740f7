"""Metrics: plain counters that cost an addition each, and the families made of them at a scrape.

Each component keeps its own counters as attributes; nothing is looked up, locked or formatted
before a scrape. Times are whole nanoseconds until they are formatted.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Final, TypeAlias, TypeVar

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

NANOSECONDS: Final = 10**9

TIME_BOUNDS: Final = tuple(
    milliseconds * 10**6
    for milliseconds in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
)
"""From an idle server's answer to the deadline, in nanoseconds."""

Key = TypeVar("Key", bound=Hashable)

Names: TypeAlias = tuple[str, ...]
Values: TypeAlias = tuple[str | int, ...]


class Spread:
    """A histogram with fixed bounds: a count for each, and the sum of all values."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[int, ...] = TIME_BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0

    def add(self, value: int) -> None:
        """Count one value; a value on a bound belongs below it."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Requests:
    """A contract's answers and their durations, and its untrusted callers."""

    __slots__ = ("answered", "gone", "lacking", "latency", "not_admitted")

    def __init__(
        self,
        methods: Iterable[str],
        *,
        answers: Iterable[tuple[str, str, int, int]] = (),
        not_admitted: Iterable[str] = (),
        lacking: Iterable[tuple[str, str]] = (),
    ) -> None:
        """All but `methods` are label values known beforehand, shown at 0 from the start."""
        self.answered = zeros(answers)
        """method, event type (empty where none was understood), code (0: done), HTTP status"""
        self.latency = {method: Spread() for method in methods}
        self.not_admitted = zeros(not_admitted)
        """by what refused an untrusted caller"""
        self.lacking = zeros(lacking)
        """method, and what its request lacked that a later release asks for"""
        self.gone = 0
        """callers who hung up before their answer"""

    def count(self, method: str, event_type: str, code: int, status: int, taken: int) -> None:
        """Count one answer, which took this many nanoseconds."""
        self.answered[method, event_type, code, status] += 1
        self.latency[method].add(taken)


def zeros(known: Iterable[Key]) -> Counter[Key]:
    """Return counters at 0, since for Prometheus a series that begins at 1 has not increased."""
    return Counter(dict.fromkeys(known, 0))


def counted(
    name: str, words: str, labels: Names, counts: Mapping[Values, int], *, per: int = 1
) -> Metric:
    """Show counters, divided by `per`."""
    family = CounterMetricFamily(name, words, labels=labels)
    # A copy: an answer may come in between.
    for key, count in sorted(dict(counts).items()):
        family.add_metric(tuple(map(str, key)), count / per)
    return family


def gauged(
    name: str, words: str, labels: Names, values: Mapping[Values, int], *, per: int = 1
) -> Metric:
    """Show what is now, divided by `per`."""
    family = GaugeMetricFamily(name, words, labels=labels)
    for key, value in values.items():
        family.add_metric(tuple(map(str, key)), value / per)
    return family


def spread(
    name: str,
    words: str,
    labels: Names,
    spreads: Mapping[Values, Spread],
    *,
    per: int = NANOSECONDS,
) -> Metric:
    """Show spreads as histograms, divided by `per`: seconds, from nanoseconds."""
    family = HistogramMetricFamily(name, words, labels=labels)
    for key, values in spreads.items():
        buckets, sum_so_far = [], 0
        for bound, count in zip((*values.bounds, None), values.counts, strict=True):
            sum_so_far += count
            buckets.append(("+Inf" if bound is None else str(bound / per), sum_so_far))
        family.add_metric(tuple(map(str, key)), buckets, sum_value=values.total / per)
    return family


def by_one(counts: Mapping[str, int]) -> dict[Values, int]:
    """Counters with one label, as the families want them."""
    return {(key,): count for key, count in dict(counts).items()}
