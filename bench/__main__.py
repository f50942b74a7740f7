"""`make bench`: the service beside its opponents, on one PostgreSQL, by turns; medians in a table.

1. A PostgreSQL of the bench's own is started, durable; its databases are made where they lack.
2. Every server is started once; idle ones cost nothing.
3. Each contender is warmed up, then all run by turns, as many rounds as asked.
4. The medians are printed as a table for people, and written as JSON where asked.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from rich.console import Console

from bench.contenders import Closed, Contender, Function, Paced, Sample, TpcB
from bench.meter import memory_mb
from bench.place import (
    LARGE,
    LARGE_MOVEMENTS,
    LARGE_PLAYERS,
    SMALL,
    SMALL_PLAYERS,
    TPCB,
    Place,
    ToolMissingError,
    check_tools,
    open_place,
    opponent,
    wallet,
)
from bench.table import machine, medians, show

SPREAD = "wallet-64"
"""The row that the others are measured against."""

WARM_UP_SECONDS = 2
LARGE_WARM_UP_SECONDS = 20
"""Half a million players' pages come into the buffers one by one."""

ROWS = {
    "wallet-1": "the wallet, a lone request at a time",
    "wallet-16": "the wallet, 16 connections",
    SPREAD: "the wallet, 64 connections",
    "wallet-256": "the wallet, 256 connections",
    "wallet-paced": "the wallet, open loop at half of its rate, 64 connections",
    "wallet-hot": "the wallet, one hot player, 64 connections",
    "wallet-two": "the wallet, two processes, 64 connections",
    "wallet-large": "the wallet, 5 million movements, 64 connections",
    "tpcb": "(a) pgbench, TPC-B-like, 32 clients",
    "function": "(b) pgbench, one SQL function call, 32 clients",
    "function-1": "(b) with one client",
    "function-large": "(b) among 5 million movements",
    "orm-serializable": "(c) FastAPI and ORM, SERIALIZABLE, 64 connections",
    "orm-locked": "(d) FastAPI and ORM, READ COMMITTED, 64 connections",
}
COMPARED = (SPREAD, "tpcb", "wallet-large", "function", "wallet-hot", "wallet-two")
RUN_FIRST = {name: place for place, name in enumerate(COMPARED)}
QUICK = (SPREAD, "wallet-1", "tpcb", "function", "orm-locked")


def main() -> int:
    """Run the bench as asked."""
    asked = _arguments()
    console = Console(stderr=True, highlight=False)
    try:
        check_tools()
    except ToolMissingError as error:
        console.print(str(error))
        return 1
    if asked.soak:
        return soak(asked.soak, console)
    if asked.told:
        return cost_of_telling(asked.told, console)
    names = asked.rows.split(",") if asked.rows else list(QUICK if asked.quick else ROWS)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    with open_place() as place:
        seconds = len(names) * (asked.rounds * asked.seconds + WARM_UP_SECONDS)
        prepare(place, names, seconds + LARGE_WARM_UP_SECONDS, console)
        with contenders(place, names, samples) as ready:
            for contender in ready:
                console.print(f"warming up: {ROWS[contender.name]}")
                is_large = contender.name == "wallet-large"
                seconds = LARGE_WARM_UP_SECONDS if is_large else WARM_UP_SECONDS
                samples[contender.name].append(contender.run(seconds))
            for name in names:
                if name != SPREAD:
                    samples[name].clear()
            for turn in range(asked.rounds):
                # To and fro: who comes late in one turn comes early in the next.
                for contender in ready if turn % 2 == 0 else reversed(ready):
                    sample = contender.run(asked.seconds)
                    if turn == 0 and contender.name == SPREAD:
                        samples[SPREAD].clear()
                    samples[contender.name].append(sample)
                    console.print(
                        f"{turn + 1}/{asked.rounds} {contender.name}: {sample.rate:,.0f}/s"
                    )
        facts = machine(place)
    show(
        Console(width=None if sys.stdout.isatty() else 160),
        facts,
        ROWS,
        samples,
        ratios_only=asked.quick,
    )
    if asked.json:
        rows = {name: medians(taken)._asdict() for name, taken in samples.items()}
        every = {name: [sample._asdict() for sample in taken] for name, taken in samples.items()}
        told = {"machine": facts, "medians": rows, "samples": every}
        Path(asked.json).write_text(json.dumps(told, indent=2) + "\n")
    return 0


def prepare(place: Place, names: list[str], seconds: int, console: Console) -> None:
    """Make the databases that are needed, and a log for so long."""
    place.make(SMALL, SMALL_PLAYERS, 1)
    if any(name.endswith("-large") for name in names):
        if place.has(LARGE):
            place.bring_forward(LARGE)
        else:
            console.print("making 5 million movements, once; this takes a few minutes")
            place.make(LARGE, LARGE_PLAYERS, LARGE_MOVEMENTS)
    if "tpcb" in names and not place.has(TPCB):
        console.print("making pgbench's tables, once")
        place.make_tpcb()
    place.use_log_again(seconds)


@contextmanager
def contenders(
    place: Place, names: list[str], samples: dict[str, list[Sample]]
) -> Iterator[list[Contender]]:
    """Start the servers that the rows need, and say who takes part."""

    def half() -> float:
        return median(sample.rate for sample in samples[SPREAD]) / 2

    with ExitStack() as stack:
        ready: list[Contender] = []
        if any(name.startswith("wallet-") for name in names):
            one = stack.enter_context(wallet(place, SMALL, 1))
            ready += [
                Closed(name, place, SMALL, one.pids, one.port, connections, players)
                for name, connections, players in (
                    (SPREAD, 64, SMALL_PLAYERS),
                    ("wallet-1", 1, SMALL_PLAYERS),
                    ("wallet-16", 16, SMALL_PLAYERS),
                    ("wallet-256", 256, SMALL_PLAYERS),
                    ("wallet-hot", 64, 1),
                )
                if name in names
            ]
        if "wallet-paced" in names:
            ready.append(
                Paced("wallet-paced", place, SMALL, one.pids, one.port, 64, SMALL_PLAYERS, half)
            )
        if "wallet-two" in names:
            two = stack.enter_context(wallet(place, SMALL, 2))
            ready.append(Closed("wallet-two", place, SMALL, two.pids, two.port, 64, SMALL_PLAYERS))
        if "wallet-large" in names:
            large = stack.enter_context(wallet(place, LARGE, 1))
            ready.append(
                Closed("wallet-large", place, LARGE, large.pids, large.port, 64, LARGE_PLAYERS)
            )
        for name, isolation in (
            ("orm-serializable", "SERIALIZABLE"),
            ("orm-locked", "READ COMMITTED"),
        ):
            if name in names:
                other = stack.enter_context(opponent(place, isolation))
                ready.append(Closed(name, place, SMALL, other.pids, other.port, 64, SMALL_PLAYERS))
        if "tpcb" in names:
            ready.append(TpcB("tpcb", place, TPCB))
        if "function" in names:
            ready.append(Function("function", place, SMALL))
        if "function-1" in names:
            ready.append(Function("function-1", place, SMALL, clients=1))
        if "function-large" in names:
            ready.append(Function("function-large", place, LARGE))
        # Who is compared with the first runs next to it.
        yield sorted(ready, key=lambda contender: RUN_FIRST.get(contender.name, len(RUN_FIRST)))


def soak(movements: int, console: Console) -> int:
    """Move so many under 64 connections, and tell how the server's memory fares."""
    with open_place() as place:
        prepare(place, [], movements // 4000, console)
        with wallet(place, SMALL, 1) as server:
            contender = Closed(SPREAD, place, SMALL, server.pids, server.port, 64, SMALL_PLAYERS)
            moved, step = 0.0, max(movements // 50_000, 1)
            console.print(f"at the start: {memory_mb(server.pids):.0f} MB")
            while moved < movements:
                sample = contender.run(step)
                moved += sample.rate * step
                console.print(f"after {moved:,.0f} movements: {memory_mb(server.pids):.0f} MB")
    return 0


def cost_of_telling(seconds: int, console: Console) -> int:
    """Tell what log lines and numbers cost, by turns within one process."""
    with open_place() as place, tempfile.NamedTemporaryFile() as sums:
        prepare(place, [], seconds, console)
        with wallet(place, SMALL, 1, module="bench.by_turns", BY_TURNS=sums.name) as server:
            Closed(SPREAD, place, SMALL, server.pids, server.port, 64, SMALL_PLAYERS).run(seconds)
        taken = json.loads(Path(sums.name).read_text())
    cost = {}
    for name, (cpu, wall, movements) in taken.items():
        cost[name] = 1e6 * cpu / movements
        console.print(
            f"{name}: {movements:,} movements, {movements / wall:,.0f}/s,"
            f" {cost[name]:.1f} µs of the server's CPU time each"
        )
    share = 1 - cost["silent"] / cost["told"]
    console.print(f"log lines and numbers: {share:.1%} of the server's CPU time")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, about a minute")
    parser.add_argument("--rows", help=f"only these, comma-separated: {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=10, help="how often each runs")
    parser.add_argument("--seconds", type=int, default=2, help="how long each run is")
    parser.add_argument("--soak", type=int, help="so many movements, for the server's memory")
    parser.add_argument("--told", type=int, help="so many seconds, for what logs and numbers cost")
    parser.add_argument("--json", help="a file for the figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
