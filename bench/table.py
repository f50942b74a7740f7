"""The figures for people: a table of medians, and the ratios that the bar is made of."""

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.contenders import Sample
from bench.place import Place

RATIOS = (
    ("wallet-64", "function", "64 connections against (b), one commit per movement"),
    ("wallet-64", "tpcb", "… against (a), TPC-B-like"),
    ("wallet-64", "orm-serializable", "… against (c), ORM at SERIALIZABLE"),
    ("wallet-64", "orm-locked", "… against (d), ORM with a row lock"),
    ("wallet-two", "wallet-64", "two processes against one"),
    ("wallet-hot", "wallet-64", "one hot player against many players"),
    ("wallet-large", "wallet-64", "5 million movements against an almost empty database"),
    ("wallet-large", "function-large", "… against (b) among as many"),
)
COLUMNS = (
    "movements/s",
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
    ratios = Table("ratio of the rates, turn by turn: median (least to most)", "")
    for name, other, title in RATIOS:
        if name in samples and other in samples:
            rates = pairwise(samples[name], samples[other], lambda sample: sample.rate)
            ratios.add_row(title, f"{median(rates):.2f}   ({min(rates):.2f} to {max(rates):.2f})")
    if "wallet-1" in results:
        lone = results["wallet-1"]
        ratios.add_row("a lone request, p50 / p99 in ms", f"{lone.p50_ms:.2f} / {lone.p99_ms:.2f}")
    console.print(ratios)


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
        f"{result.per_commit:.1f}",
    ]


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
