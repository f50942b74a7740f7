"""Measure `wallet deliver`: events a second of one process, and what delivery costs the money road.

`make bench-webhooks` starts a PostgreSQL of its own, the wallet, and a receiver on this machine:

1. A load of movements runs while nobody delivers; then one deliverer catches up with all of them.
2. Loads run by turns, with a deliverer and without: one as fast as the wallet can, and one at half
   that rate, by the clock, which is more than an ordinary day. Deliverer and receiver have the
   lowest priority here, because everything shares one machine.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console

from bench.contenders import Closed, Contender, Paced, Sample
from bench.following import LOWEST_PRIORITY, Turns, following, step_back, told
from bench.following import by_turns as run_by_turns
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

SECRET = "whsec_" + "YmVuY2ggd2ViaG9va3MgYmVuY2ggd2ViaG9va3M="
CAUGHT_UP_SECONDS_MAX = 300
GOAL = 5_000
RATIO_GOAL = 0.97


class Receiver:
    """The receiver's process, and what it has counted."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._file = folder / "taken"
        command = [sys.executable, "-m", "bench.receiver", str(self.port), str(self._file)]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=HERE.parent, start_new_session=True
        )

    def taken(self) -> int:
        """How many it has taken."""
        return int(self._file.read_text() or 0) if self._file.exists() else 0

    def step_back(self) -> None:
        """Let it have what the others leave."""
        step_back(self._process.pid, LOWEST_PRIORITY)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(10)


def delivering(place: Place, agent: str, port: int, *, nice: int) -> AbstractContextManager[int]:
    """Run `wallet deliver` until the block ends; yield its process."""
    endpoint = {
        "url": f"http://127.0.0.1:{port}/hooks",
        "secret": SECRET,
        "networks": ["127.0.0.0/8"],
    }
    settings = {
        "WALLET_WEBHOOKS": json.dumps({agent: endpoint}),
        "WALLET_DELIVER_PORT": str(free_port()),
    }
    return following(place, SMALL, ["deliver"], settings, nice=nice)


def catch_up(place: Place, agent: str, receiver: Receiver, moved: int, console: Console) -> int:
    """Deliver everything with one process, and return events a second."""
    before = receiver.taken()
    with delivering(place, agent, receiver.port, nice=0):
        for _ in range(20 * CAUGHT_UP_SECONDS_MAX):
            if receiver.taken() > before:
                break
            time.sleep(0.05)
        begun, first = time.monotonic(), receiver.taken()
        last, at = first, begun
        while time.monotonic() - begun < CAUGHT_UP_SECONDS_MAX:
            time.sleep(0.1)
            taken = receiver.taken()
            if taken == last and taken - before >= moved:
                break
            if taken > last:
                last, at = taken, time.monotonic()
    rate = (last - first) / (at - begun)
    console.print(f"{last - before:,} events delivered, {rate:,.0f} a second by one process")
    return int(rate)


def by_turns(
    place: Place, agent: str, receiver: Receiver, load: Contender, asked: argparse.Namespace
) -> Turns:
    """Run a load by turns, without a deliverer and with one."""
    receiver.step_back()
    wanted = receiver.taken()

    def settled(sample: Sample) -> None:
        nonlocal wanted
        wanted = settle(receiver, wanted + int(sample.rate * asked.seconds))

    with delivering(place, agent, receiver.port, nice=LOWEST_PRIORITY) as pid:
        return run_by_turns(pid, load, asked.rounds, asked.seconds, settled)


def settle(receiver: Receiver, wanted: int) -> int:
    """Wait until everything is delivered, and nothing follows; return how much that is in all."""
    last = -1
    for _ in range(2 * CAUGHT_UP_SECONDS_MAX):
        taken = receiver.taken()
        if taken >= wanted and taken == last:
            break
        last = taken
        time.sleep(0.5)
    return last


def main() -> int:
    """Measure as asked."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="bench.webhooks", description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="of each load")
    parser.add_argument("--rounds", type=int, default=6, help="loads with and without delivery")
    asked = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    try:
        check_tools()
    except ToolMissingError as error:
        console.print(str(error))
        return 1
    with open_place() as place, tempfile.TemporaryDirectory() as folder:
        place.make(SMALL, SMALL_PLAYERS, 1)
        place.bring_forward(SMALL)
        place.use_log_again(asked.seconds * (2 * asked.rounds + 2))
        agent = place.ask(SMALL, "SELECT agent FROM wallets LIMIT 1")
        receiver = Receiver(Path(folder))
        try:
            with delivering(place, agent, receiver.port, nice=0):
                time.sleep(3)
            with wallet(place, SMALL, 1) as server:
                Closed(SPREAD, place, SMALL, port=server.port).run(2)
                first = Closed(SPREAD, place, SMALL, port=server.port).run(asked.seconds)
                moved = int(first.rate * asked.seconds)
                rate = catch_up(place, agent, receiver, moved, console)
                full = Closed(SPREAD, place, SMALL, port=server.port)
                found = by_turns(place, agent, receiver, full, asked)
                half = statistics.median(sample.rate for sample in found.off) / 2
                paced = Paced("wallet-paced", place, SMALL, port=server.port, rate=lambda: half)
                ordinary = by_turns(place, agent, receiver, paced, asked)
        finally:
            receiver.close()
    told("as fast as it can", found, console)
    ratio = told("half as fast, by the clock", ordinary, console)
    every = [[int(sample.rate) for sample in taken] for taken in (*found[:2], *ordinary[:2])]
    print(json.dumps({"events_a_second": rate, "ratio": round(ratio, 3), "rates": every}))
    return 0 if rate >= GOAL and ratio >= RATIO_GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
