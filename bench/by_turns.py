"""Measures the cost of log lines and metrics by switching them every tenth of a second.

It measures within one process and one second, because throughput varies by half between minutes on
a virtual machine. It runs as the service does, by `python -m bench.by_turns serve`; at its end it
writes the time of each kind of turn to the file that BY_TURNS names.
"""

import atexit
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.__main__ import main
from app.cashier.batch_stats import BatchStats
from app.edges.callback import handlers, log
from app.telemetry.metrics import Requests, Spread

TURN_SECONDS = 0.1

PLACES = (
    (log, "decided"),
    (Requests, "count"),
    (Spread, "add"),
    (BatchStats, "count"),
)
"""Where a decided movement is logged and counted."""


def nothing(*_: object) -> None:
    """Say nothing, count nothing."""


class Turns:
    """Puts them in and takes them out, and keeps what was done meanwhile."""

    def __init__(self) -> None:
        self.movements = 0
        self.sums = {name: [0.0, 0.0, 0] for name in ("told", "silent")}
        """seconds of CPU, seconds, movements"""
        self._told = [getattr(owner, name) for owner, name in PLACES]

    def counting(self, answer: Callable[..., object]) -> Callable[..., object]:
        """The same function, counting: it is called once for each movement."""

        def counted(*arguments: object) -> object:
            self.movements += 1
            return answer(*arguments)

        return counted

    def take(self) -> None:
        """Take turns for ever."""
        while True:
            for name in self.sums:
                self._put(name)
                before = self._now()
                time.sleep(TURN_SECONDS)
                for place, (then, now) in enumerate(zip(before, self._now(), strict=True)):
                    self.sums[name][place] += now - then

    def _put(self, name: str) -> None:
        for (owner, place), told in zip(PLACES, self._told, strict=True):
            setattr(owner, place, told if name == "told" else nothing)

    def _now(self) -> tuple[float, float, int]:
        return time.process_time(), time.monotonic(), self.movements

    def write(self) -> None:
        """Write the sums down."""
        Path(os.environ["BY_TURNS"]).write_text(json.dumps(self.sums))


if __name__ == "__main__":
    turns = Turns()
    handlers.answer_to = turns.counting(handlers.answer_to)  # type: ignore[assignment]
    atexit.register(turns.write)
    threading.Thread(target=turns.take, daemon=True).start()
    main()
