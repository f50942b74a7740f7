"""What a process that follows the journal costs the money road: `wallet deliver` or `project`.

Loads run by turns, with the process and without it (it is stopped meanwhile), to and fro. After
each turn it comes to the end, so that what is left over belongs to no other turn.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from bench.contenders import Contender, Sample
from bench.place import CALLBACK_KEY, HERE, Place, plain_environment

LOWEST_PRIORITY = 19


class Turns(NamedTuple):
    """What loads came to without the process, and with it."""

    off: list[Sample]
    on: list[Sample]
    late: list[float]
    """how many seconds after each load with it the process had come to the end"""


def step_back(pid: int, nice: int) -> None:
    """Lower the priority of a process's whole session, by which Linux shares its time first."""
    group = Path(f"/proc/{pid}/autogroup")
    if nice and group.exists():
        group.write_text(str(nice), encoding="ascii")


@contextmanager
def following(
    place: Place, database: str, words: list[str], settings: Mapping[str, str], *, nice: int = 0
) -> Iterator[int]:
    """Run a command of the wallet until the block ends; yield its process."""
    environment = {
        **plain_environment(),
        "WALLET_DATABASE_URL": place.url(database),
        "WALLET_CALLBACK_KEYS": CALLBACK_KEY,
        **settings,
    }
    command = ["nice", "-n", str(nice), sys.executable, "-m", "app", *words]
    with subprocess.Popen(  # noqa: S603 - our own program
        command,
        cwd=HERE.parent,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            step_back(process.pid, nice)
            yield process.pid
        finally:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)
            process.wait(20)


def by_turns(
    pid: int, load: Contender, rounds: int, seconds: int, settle: Callable[[Sample], None]
) -> Turns:
    """Run a load by turns; `settle` waits until the process has come to the end."""
    turns = Turns([], [], [])
    for turn in range(2 * rounds):
        is_on = turn % 4 in {1, 2}
        os.kill(pid, signal.SIGCONT if is_on else signal.SIGSTOP)
        time.sleep(0.5)
        sample = load.run(seconds)
        (turns.on if is_on else turns.off).append(sample)
        ended = time.monotonic()
        os.kill(pid, signal.SIGCONT)
        settle(sample)
        if is_on:
            turns.late.append(time.monotonic() - ended)
    return turns


def told(what: str, turns: Turns, console: Console) -> float:
    """Tell what the process costs a load, and return the ratio of the rates, pair by pair."""
    pairs = sorted(on.rate / off.rate for off, on in zip(turns.off, turns.on, strict=True))
    (off, on), (p99_off, p99_on), (cost_off, cost_on) = (
        [statistics.median(getattr(sample, name) for sample in taken) for taken in turns[:2]]
        for name in ("rate", "p99_ms", "postgres_us")
    )
    ratio = statistics.median(pairs)
    console.print(
        f"{what}: {off:,.0f} movements a second without it, {on:,.0f} with it: {ratio:.3f}"
        f" ({pairs[0]:.2f} to {pairs[-1]:.2f}); p99 {p99_off:.0f} and {p99_on:.0f} ms;"
        f" PostgreSQL's time for each {cost_off:.0f} and {cost_on:.0f} µs; at the end"
        f" {statistics.median(turns.late):.1f} s after the load"
    )
    return ratio
