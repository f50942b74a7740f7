"""Measure `wallet deliver`: events a second of one process, and what delivery costs the money road.

`make bench-webhooks` starts a PostgreSQL of its own, the wallet, and a receiver on this machine:

1. A load of movements runs while nobody delivers; then one deliverer catches up with all of them.
2. Loads run by turns, with a deliverer and without. It has the lowest priority here, because
   everything shares one machine: what is left is what its statements cost the database.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bench.contenders import Closed
from bench.place import (
    CALLBACK_KEY,
    HERE,
    SMALL,
    SMALL_PLAYERS,
    Place,
    ToolMissingError,
    check_tools,
    free_port,
    open_place,
    plain_environment,
    wallet,
)
from bench.rows import SPREAD

SECRET = "whsec_" + "YmVuY2ggd2ViaG9va3MgYmVuY2ggd2ViaG9va3M="
LOWEST_PRIORITY = 19
CAUGHT_UP_SECONDS_MAX = 300
GOAL = 5_000
RATIO_GOAL = 0.97


class Receiver:
    """The receiver's process, and what it has counted."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._file = folder / "taken"
        command = [sys.executable, "-m", "bench.receiver", str(self.port), str(self._file)]
        self._process = subprocess.Popen(command, cwd=HERE.parent)  # noqa: S603 - our own program

    def taken(self) -> int:
        """How many it has taken."""
        return int(self._file.read_text() or 0) if self._file.exists() else 0

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(10)


@contextmanager
def delivering(place: Place, agent: str, port: int, *, nice: int) -> Iterator[int]:
    """Run `wallet deliver` until the block ends; yield its process."""
    endpoint = {
        "url": f"http://127.0.0.1:{port}/hooks",
        "secret": SECRET,
        "networks": ["127.0.0.0/8"],
    }
    environment = {
        **plain_environment(),
        "WALLET_DATABASE_URL": place.url(SMALL),
        "WALLET_CALLBACK_KEYS": CALLBACK_KEY,
        "WALLET_WEBHOOKS": json.dumps({agent: endpoint}),
        "WALLET_DELIVER_PORT": str(free_port()),
    }
    command = ["nice", "-n", str(nice), sys.executable, "-m", "app", "deliver"]
    with subprocess.Popen(  # noqa: S603 - our own program
        command,
        cwd=HERE.parent,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


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
    place: Place, agent: str, receiver: Receiver, port: int, asked: argparse.Namespace
) -> tuple[list[int], list[int]]:
    """Run loads by turns, without a deliverer and with one."""
    rates: tuple[list[int], list[int]] = ([], [])
    with delivering(place, agent, receiver.port, nice=LOWEST_PRIORITY) as pid:
        for turn in range(2 * asked.rounds):
            is_on = turn % 4 in {1, 2}
            os.kill(pid, signal.SIGCONT if is_on else signal.SIGSTOP)
            time.sleep(0.5)
            before = receiver.taken()
            sample = Closed(SPREAD, place, SMALL, port=port).run(asked.seconds)
            rates[is_on].append(int(sample.rate))
            # What is left over belongs to no other turn.
            os.kill(pid, signal.SIGCONT)
            settle(receiver, before + int(sample.rate * asked.seconds))
    return rates


def settle(receiver: Receiver, wanted: int) -> None:
    """Wait until everything is delivered, and nothing follows."""
    last = -1
    for _ in range(2 * CAUGHT_UP_SECONDS_MAX):
        taken = receiver.taken()
        if taken >= wanted and taken == last:
            return
        last = taken
        time.sleep(0.5)


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
                off, on = by_turns(place, agent, receiver, server.port, asked)
        finally:
            receiver.close()
    ratio = statistics.median(on) / statistics.median(off)
    console.print(
        f"movements a second, medians of {asked.rounds}: {statistics.median(off):,.0f} without"
        f" delivery, {statistics.median(on):,.0f} with it: {ratio:.3f}"
    )
    print(json.dumps({"events_a_second": rate, "ratio": round(ratio, 3), "off": off, "on": on}))
    return 0 if rate >= GOAL and ratio >= RATIO_GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
