"""The figures for people: a table of medians, and the ratios that the bar is made of."""

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.contenders import Sample
from bench.place import Place


def rate(sample: Sample) -> float:
    """Answers per second."""
    return sample.rate


def server_us(sample: Sample) -> float:
    """CPU time of the server for each answer."""
    return sample.server_us or 0


def postgres_us(sample: Sample) -> float:
    """CPU time of PostgreSQL for each answer."""
    return sample.postgres_us


def p50_ms(sample: Sample) -> float:
    """The median of the latencies."""
    return sample.p50_ms


class Ratio(NamedTuple):
    """One row against another, by one of their figures."""

    name: str
    other: str
    title: str
    figure: Callable[[Sample], float] = rate


class Compared(NamedTuple):
    """A ratio as it was measured."""

    title: str
    median: float
    least: float
    most: float


COLUMNS = (
    "answers/s",
    "p50 ms",
    "p99 ms",
    "errors",
    "server µs",
    "PostgreSQL µs",
    "memory MB",
    "rolled back",
    "a commit",
)


def machine(place: Place) -> dict[str, str]:
    """Where and when the figures were taken."""
    settings = "fsync", "synchronous_commit", "full_page_writes"
    durable = ", ".join(f"{name} {place.ask('postgres', f'SHOW {name}')}" for name in settings)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{os.cpu_count()} × {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": place.ask("postgres", "SHOW server_version"),
        "durability": durable,
        "load average": " ".join(f"{part:.1f}" for part in os.getloadavg()),
    }


def show(
    console: Console,
    facts: Mapping[str, str],
    titles: Mapping[str, str],
    samples: Mapping[str, Sequence[Sample]],
    ratios: Sequence[Compared],
    *,
    ratios_only: bool,
) -> None:
    """Print the table of medians (unless only the ratios are wanted) and the ratios."""
    results = {name: medians(taken) for name, taken in samples.items()}
    console.print(" · ".join(facts.values()), highlight=False)
    if not ratios_only:
        table = Table("", *COLUMNS)
        for column in table.columns[1:]:
            column.justify = "right"
        for name, result in results.items():
            table.add_row(titles[name], *_cells(result))
        console.print(table)
    shown = Table("ratio, turn by turn (of the rates, where nothing else is said)", "median")
    shown.add_column("least to most")
    for ratio in ratios:
        shown.add_row(ratio.title, f"{ratio.median:.2f}", f"{ratio.least:.2f} to {ratio.most:.2f}")
    if "wallet-1" in results:
        lone = results["wallet-1"]
        shown.add_row(
            "a lone request, p50 and p99 in ms", f"{lone.p50_ms:.2f}", f"{lone.p99_ms:.2f}"
        )
    console.print(shown)


def compared(ratios: Sequence[Ratio], samples: Mapping[str, Sequence[Sample]]) -> list[Compared]:
    """The ratios whose rows were both run."""
    found = []
    for name, other, title, figure in ratios:
        if samples.get(name) and samples.get(other):
            each = pairwise(samples[name], samples[other], figure)
            found.append(Compared(title, median(each), min(each), max(each)))
    return found


def medians(samples: Sequence[Sample]) -> Sample:
    """The median of every column by itself."""
    columns = zip(*samples, strict=True)
    return Sample(*(None if None in column else median(column) for column in columns))


def pairwise(
    samples: Sequence[Sample], others: Sequence[Sample], figure: Callable[[Sample], float]
) -> list[float]:
    """One against the other in the same turn: a machine's mood lasts longer than that."""
    return [figure(one) / figure(other) for one, other in zip(samples, others, strict=True)]


def _cells(result: Sample) -> list[str]:
    return [
        f"{result.rate:,.0f}",
        f"{result.p50_ms:.2f}",
        f"{result.p99_ms:.2f}",
        f"{result.errors:,.0f}",
        "–" if result.server_us is None else f"{result.server_us:.0f}",
        f"{result.postgres_us:.0f}",
        "–" if result.memory_mb is None else f"{result.memory_mb:.0f}",
        f"{result.rolled_back:.2%}",
        "–" if result.per_commit is None else f"{result.per_commit:.1f}",
    ]


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
