"""Whether this machine has time to spare: what can wait leaves a full one to what cannot.

A process that follows the journal beside a server, on the same cores, takes from every movement
what it needs itself. So while no core is idle it waits, up to its patience; then it does all that
has come up at once, which costs less for each. On a machine of its own it never waits.
"""

import asyncio
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

SPARE_PERCENT: Final = 60
"""Of one core, that must have been idle. A server that answers as fast as it can leaves less of two
cores (four tenths of one); one at half of that leaves more, with webhooks delivered beside it."""

LOOK_EVERY: Final = timedelta(milliseconds=100)
"""Ten of the ticks in which Linux tells it."""

_STAT: Final = Path("/proc/stat")
_TICK_NANOSECONDS: Final = 10**9 // os.sysconf("SC_CLK_TCK")
_IDLE, _WAITING = 4, 5
"""Where they stand in the first line: a core that waits for a disk is free, too."""


def idle_nanoseconds() -> int | None:
    """Return how long the cores were idle in all; None: this system does not tell."""
    try:
        with _STAT.open("rb") as stat:
            fields = stat.readline().split()
    except OSError:
        return None
    return (int(fields[_IDLE]) + int(fields[_WAITING])) * _TICK_NANOSECONDS


class SpareTime:
    """What a process waits for before it takes up what can wait."""

    def __init__(
        self,
        patience: timedelta,
        *,
        idle: Callable[[], int | None] = idle_nanoseconds,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`patience`: how long what can wait may wait; of 0 it never does."""
        self._patience = patience // timedelta(microseconds=1) * 1000
        self._idle = idle
        self._clock = clock
        self._last = (clock(), idle())

    async def wait(self, since: int) -> None:
        """Return when there is time to spare, or when patience has ended since that moment."""
        while True:
            if self._clock() - since >= self._patience or self._has_come():
                return
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    def _has_come(self) -> bool:
        """Whether there was time to spare since the last look."""
        (then, was_idle), (now, is_idle) = self._last, (self._clock(), self._idle())
        self._last = (now, is_idle)
        if was_idle is None or is_idle is None:
            return True
        return (is_idle - was_idle) * 100 >= (now - then) * SPARE_PERCENT
