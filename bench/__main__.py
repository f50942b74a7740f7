"""`make bench`: the service and its opponents, on one PostgreSQL, by turns; medians in a table.

1. A PostgreSQL of the bench's own is started, durable; its databases are made where they lack.
2. Every server is started once; idle ones cost nothing.
3. Each contender is warmed up, then all run by turns, as many rounds as asked.
4. The medians are printed as a table for people, and written as JSON where asked.

`--beside FOLDER` runs another checkout of the wallet against this one instead of the opponents.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from bench import beside
from bench.contenders import Closed, Contender, Sample
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
    raise_descriptor_limit,
    wallet,
)
from bench.rows import LOADS, QUICK, RATIOS, ROWS, SPREAD, contenders
from bench.table import compared, machine, medians, show

WARM_UP_SECONDS = 2
WARM_UP_SECONDS_QUICK = 1
LARGE_WARM_UP_SECONDS = 20
"""Half a million players' pages come into the buffers one by one."""

STORM = "wallet-storm"


def main() -> int:
    """Run the bench as asked."""
    # SIGTERM ends the bench as Ctrl-C does: through the blocks that stop what it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
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
    names = _rows(asked)
    if STORM in names and not raise_descriptor_limit():
        console.print("The storm is left out: the system allows too few open files (ulimit -Hn).")
        names.remove(STORM)
    return compare(asked, names, console)


def compare(asked: argparse.Namespace, names: list[str], console: Console) -> int:
    """Run the rows by turns, and show what came of it."""
    titles, ratios = ROWS, list(RATIOS)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    with open_place() as place, ExitStack() as stack:
        seconds = len(names) * (asked.rounds * asked.seconds + WARM_UP_SECONDS)
        if asked.beside:
            place.use_log_again(2 * seconds)
            titles, ratios = beside.titles(names), beside.ratios(names)
            samples = {name: [] for name in titles}
            console.print("opening the players of both checkouts")
            two = beside.side_by_side(place, asked.beside.resolve(), names)
            ready = stack.enter_context(two)
        else:
            prepare(place, names, seconds + LARGE_WARM_UP_SECONDS, console)
            ready = stack.enter_context(contenders(place, names, samples))
        warm_up = WARM_UP_SECONDS_QUICK if asked.quick else WARM_UP_SECONDS
        for contender in ready:
            console.print(f"warming up: {titles[contender.name]}")
            is_large = contender.name == "wallet-large"
            sample = contender.run(LARGE_WARM_UP_SECONDS if is_large else warm_up)
            samples[contender.name].append(sample)
        take_turns(ready, samples, asked, console)
        facts = machine(place)
    found = compared(ratios, samples)
    width = None if sys.stdout.isatty() else 160
    show(Console(width=width), facts, titles, samples, found, ratios_only=asked.quick)
    if asked.json:
        rows = {name: medians(taken)._asdict() for name, taken in samples.items()}
        every = {name: [sample._asdict() for sample in taken] for name, taken in samples.items()}
        told = {
            "machine": facts,
            "medians": rows,
            "ratios": [ratio._asdict() for ratio in found],
            "samples": every,
        }
        Path(asked.json).write_text(json.dumps(told, indent=2) + "\n")
    return 0


def take_turns(
    ready: Sequence[Contender],
    samples: dict[str, list[Sample]],
    asked: argparse.Namespace,
    console: Console,
) -> None:
    """Run all by turns; the samples of the warming up go as the first of the turns come."""
    warm = {name: taken[:] for name, taken in samples.items()}
    for turn in range(asked.rounds):
        # To and fro: who comes late in one turn comes early in the next.
        for contender in ready if turn % 2 == 0 else reversed(ready):
            name = contender.name
            sample = contender.run(asked.seconds)
            # The open loop takes its rate from what the first row has done so far.
            if warm.pop(name, None):
                samples[name].clear()
            samples[name].append(sample)
            wrong = f", {sample.errors:,} errors" if sample.errors else ""
            console.print(f"{turn + 1}/{asked.rounds} {name}: {sample.rate:,.0f}/s{wrong}")


def prepare(place: Place, names: list[str], seconds: int, console: Console) -> None:
    """Make the databases that are needed, and a log for so long."""
    place.make(SMALL, SMALL_PLAYERS, 1)
    if any(name.endswith("-large") for name in names):
        if place.has(LARGE):
            place.bring_forward(LARGE)
        else:
            console.print("making 5 million movements, once; this takes a few minutes")
            place.make(LARGE, LARGE_PLAYERS, LARGE_MOVEMENTS)
    if {"wallet-buckets", "wallet-buckets-256"} & set(names):
        console.print("making the players of the row with buckets, and splitting them")
        place.make_split()
    if "tpcb" in names and not place.has(TPCB):
        console.print("making pgbench's tables, once")
        place.make_tpcb()
    place.use_log_again(seconds)


def soak(movements: int, console: Console) -> int:
    """Move so many under 64 connections, and tell how the server's memory fares."""
    with open_place() as place:
        prepare(place, [], movements // 4000, console)
        with wallet(place, SMALL, 1) as server:
            contender = Closed(SPREAD, place, SMALL, server.pids, port=server.port)
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
            Closed(SPREAD, place, SMALL, server.pids, port=server.port).run(seconds)
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


def _rows(asked: argparse.Namespace) -> list[str]:
    """The rows that are asked for; one that there is not is an error of the command line."""
    known = list(LOADS if asked.beside else ROWS)
    if asked.only is None:
        return list(beside.LOADS_BESIDE if asked.beside else QUICK if asked.quick else ROWS)
    names = asked.only.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"No such row: {', '.join(unknown)}; there are {', '.join(known)}.")
    if "wallet-paced" in names and SPREAD not in names:
        names.insert(0, SPREAD)  # The open loop's rate is half of this row's.
    return list(dict.fromkeys(names))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, ratios only")
    parser.add_argument("--only", metavar="ROW,…", help=f"only these: {', '.join(ROWS)}")
    parser.add_argument(
        "--beside",
        metavar="FOLDER",
        type=Path,
        help=f"another checkout of the wallet, with its .venv; rows: {', '.join(LOADS)}",
    )
    parser.add_argument("--rounds", type=int, default=10, help="how often each runs")
    parser.add_argument("--seconds", type=int, default=2, help="how long each run is")
    parser.add_argument("--soak", type=int, help="so many movements, for the server's memory")
    parser.add_argument("--told", type=int, help="so many seconds, for what logs and numbers cost")
    parser.add_argument("--json", help="a file for the figures")
    asked = parser.parse_args()
    if asked.beside and not beside.python_of(asked.beside).exists():
        parser.error(f"{asked.beside} has no environment of its own: `make venv` there")
    return asked


if __name__ == "__main__":
    sys.exit(main())
