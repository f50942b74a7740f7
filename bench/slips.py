"""Measure `wallet project`: slips a second, how far it lags behind, what it costs the money road.

`make bench-slips` starts a PostgreSQL of its own, and the wallet:

1. A million settled slips are put into a journal, events are numbered, and one projector reads all
   of it; then it reads everything again, and finds nothing to write.
2. Movements come at 1,000 a second by the clock, each with a slip, while a projector runs: how old
   the last one that was read is, ten times a second.
3. Loads run by turns, with a projector and without: one as fast as the wallet can, and one at half
   that rate. The projector has the lowest priority here, because everything shares one machine.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from urllib.parse import quote

from rich.console import Console

from bench.contenders import Closed, Contender, Paced, Sample
from bench.following import LOWEST_PRIORITY, Turns, following, told
from bench.following import by_turns as run_by_turns
from bench.meter import cpu_us, postgres_cpu_us
from bench.place import (
    HERE,
    SMALL,
    SMALL_PLAYERS,
    Place,
    ToolMissingError,
    check_tools,
    free_port,
    open_place,
    wallet,
)
from bench.rows import SPREAD

SLIPS = "slips"
"""The database of the million."""

AT_ONCE = 100_000
GOAL = 10_000
LAG_GOAL_SECONDS = 2.0
LAG_RATE = 1_000
RATIO_GOAL = 0.97
SECONDS_MAX = 1_800
SETTLED_SECONDS_MAX = 300

LEG = {
    "id": "l-1",
    "event_id": "match-1",
    "sport_id": "1",
    "sport_name": "Soccer",
    "category_name": "England",
    "tournament_name": "Premier League",
    "competitor_name": ["Home", "Away"],
    "market_name": "1x2",
    "outcome_name": "Home",
    "scheduled": 1_795_000_000,
    "live": False,
    "odds": "1.85",
}
SLIP = {
    "betslip": {"id": "s-1", "type": "2/2", "sum": 100, "k": "3.4225", "bets": [LEG, LEG]},
    "potential_win": 342,
}

NUMBERED = "SELECT coalesce(sum(last_number), 0) FROM event_log_heads"
READ = "SELECT coalesce(sum(number), 0) FROM slip_progress"
IS_READ = (
    "SELECT coalesce(sum(movements), 0) ="
    " (SELECT count(*) FROM movements WHERE decision = 'ACCEPTED') FROM slip_progress"
)
AGE = "SELECT extract(epoch FROM now() - max(reached_at)) FROM slip_progress"


def projecting(
    place: Place, database: str, *words: str, nice: int = 0
) -> AbstractContextManager[int]:
    """Run `wallet project` until the block ends; yield its process."""
    settings = {"WALLET_PROJECT_PORT": str(free_port())}
    return following(place, database, ["project", *words], settings, nice=nice)


def make_slips(place: Place, count: int, console: Console) -> None:
    """Make a journal of so many settled slips, and number its events."""
    console.print(f"making {count:,} slips")
    place.make(SLIPS, SMALL_PLAYERS, 1)
    place.bring_forward(SLIPS)
    place.psql(SLIPS, "-f", str(HERE / "slips.sql"))
    for first in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - first)
        place.psql(
            SLIPS, "-c", f"SET synchronous_commit = off; SELECT bench_slips({first}, {size})"
        )
    place.psql(SLIPS, "-c", "VACUUM ANALYZE movements")
    begun = time.monotonic()
    number = (
        "import asyncio, sys\n"
        "from app.cashier.event_log import number\n"
        "from app.ledger.transaction import Ledger\n"
        "async def main():\n"
        "    ledger = Ledger(sys.argv[1])\n"
        "    while (await number(ledger)).is_more: pass\n"
        "    await ledger.close()\n"
        "asyncio.run(main())\n"
    )
    subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", number, place.url(SLIPS)], cwd=HERE.parent, check=True
    )
    events = int(place.ask(SLIPS, NUMBERED))
    rate = events / (time.monotonic() - begun)
    console.print(f"{events:,} events numbered, {rate:,.0f} a second")


def caught_up(place: Place, database: str) -> float:
    """Wait until everything is read; return how long the reading took."""
    numbered = int(place.ask(database, NUMBERED))
    begun: float | None = None
    for _ in range(20 * SECONDS_MAX):
        read = int(place.ask(database, READ))
        if begun is None and read < numbered:
            begun = time.monotonic()
        if read >= numbered and begun is not None:
            return time.monotonic() - begun
        time.sleep(0.05)
    raise RuntimeError("the projector does not come to the end")


def measure_rate(place: Place, count: int, console: Console) -> int:
    """Project everything with one process, twice; return slips a second the first time."""
    rates = []
    for words in ((), ("--from-zero",)):
        with projecting(place, SLIPS, *words) as pid:
            spent = -postgres_cpu_us(place.postmaster)
            took = caught_up(place, SLIPS)
            spent += postgres_cpu_us(place.postmaster)
            own = cpu_us((pid,))
        rates.append(count / took)
        bets, legs = (place.ask(SLIPS, f"SELECT count(*) FROM sport_{t}") for t in ("bets", "legs"))  # noqa: S608
        what = "projected" if not words else "read again from zero"
        console.print(
            f"{int(bets):,} slips with {int(legs):,} legs {what}: {rates[-1]:,.0f} a second,"
            f" CPU time of the process and of PostgreSQL {own / count:.0f} and"
            f" {spent / count:.0f} µs a slip, load {os.getloadavg()[0]:.1f}"
        )
    return int(rates[0])


def measure_lag(place: Place, port: int, seconds: int, console: Console) -> float:
    """Send movements by the clock; return the greatest age of the last one that was read."""
    ages: list[float] = []
    stopped = threading.Event()

    def look() -> None:
        while not stopped.wait(0.1):
            ages.append(float(place.ask(SMALL, AGE) or 0))

    load = Paced("wallet-paced", place, SMALL, port=port, rate=lambda: LAG_RATE)
    with projecting(place, SMALL):
        load.run(3)
        # On a machine that others fill it begins late, and nothing read is no lag of nothing.
        wait_until_read(place)
        looking = threading.Thread(target=look)
        looking.start()
        load.run(seconds)
        stopped.set()
        looking.join()
    # Before the first and after the last movement nothing is there to be read.
    within = sorted(ages[10:-10]) or ages
    console.print(
        f"at {LAG_RATE:,} movements a second: behind by {statistics.median(within):.2f} s,"
        f" at most {within[-1]:.2f} s"
    )
    return within[-1]


def by_turns(place: Place, load: Contender, asked: argparse.Namespace) -> Turns:
    """Run a load by turns, without a projector and with one."""

    def settle(_: Sample) -> None:
        wait_until_read(place)

    with projecting(place, SMALL, nice=LOWEST_PRIORITY) as pid:
        return run_by_turns(pid, load, asked.rounds, asked.seconds, settle)


def wait_until_read(place: Place) -> None:
    """Wait until every movement is numbered and read."""
    for _ in range(2 * SETTLED_SECONDS_MAX):
        if place.ask(SMALL, IS_READ) == "t":
            return
        time.sleep(0.5)
    raise RuntimeError("the projector does not come to the end")


def main() -> int:
    """Measure as asked."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="bench.slips", description=__doc__)
    parser.add_argument("--slips", type=int, default=1_000_000, help="slips to project")
    parser.add_argument("--seconds", type=int, default=8, help="of each load")
    parser.add_argument("--rounds", type=int, default=6, help="loads with and without; 0: none")
    asked = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    try:
        check_tools()
    except ToolMissingError as error:
        console.print(str(error))
        return 1
    os.environ["BENCH_EXTRA_DATA"] = quote(json.dumps(SLIP))
    result: dict[str, object] = {}
    with open_place() as place:
        make_slips(place, asked.slips, console)
        rate = measure_rate(place, asked.slips, console)
        place.ask("postgres", f"DROP DATABASE {SLIPS} WITH (FORCE)")
        place.make(SMALL, SMALL_PLAYERS, 1)
        place.bring_forward(SMALL)
        place.use_log_again(asked.seconds * (2 * asked.rounds + 2))
        with wallet(place, SMALL, 1) as server:
            Closed(SPREAD, place, SMALL, port=server.port).run(2)
            lag = measure_lag(place, server.port, 2 * asked.seconds, console)
            result = {"slips_a_second": rate, "lag_seconds": round(lag, 2)}
            ratio = 1.0
            if asked.rounds:
                full = Closed(SPREAD, place, SMALL, port=server.port)
                found = by_turns(place, full, asked)
                half = statistics.median(sample.rate for sample in found.off) / 2
                paced = Paced("wallet-paced", place, SMALL, port=server.port, rate=lambda: half)
                ordinary = by_turns(place, paced, asked)
                told("as fast as it can", found, console)
                ratio = told("half as fast, by the clock", ordinary, console)
                result["ratio"] = round(ratio, 3)
    print(json.dumps(result))
    return 0 if rate >= GOAL and lag < LAG_GOAL_SECONDS and ratio >= RATIO_GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
