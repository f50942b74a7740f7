"""Turns: of the lanes of several buckets, one reads and decides at a time, and another writes.

The movements of the others gather meanwhile, so that their batches are not much smaller than those
of one lane: with all lanes at it at once, a batch has half of its lane's callers.
"""

import asyncio
import time
from typing import Final, Protocol

LANES_AT_ONCE: Final = 3
"""Lanes that have a batch under way. With four buckets and 64 callers a commit had 13.4 movements,
and the rate was 0.79 of one lane's; 14.8 and 0.72 with two lanes, 12.7 and 0.78 with all four."""

TURN_NANOSECONDS_MAX: Final = 50 * 10**6
"""How long the others wait at most: a batch may be held up by another process's lock, or by a
database that does not answer."""


NANOSECONDS: Final = 10**9


class TakesTurns(Protocol):
    """A lane."""

    def begin_soon(self) -> None:
        """Ask for a turn, if there is something to do."""


class Turns:
    """Whose turn it is."""

    def __init__(self) -> None:
        """Nobody has a batch under way."""
        self._reader: TakesTurns | None = None
        self._began: dict[TakesTurns, int] = {}
        """who has a batch under way, and since when"""
        self._waiting: dict[TakesTurns, None] = {}

    def take(self, lane: TakesTurns) -> bool:
        """Let a lane begin a batch; if it is another's turn, it is called when its own comes."""
        if not self._is_free_for(lane):
            self._waiting.setdefault(lane)
            return False
        self._waiting.pop(lane, None)
        self._reader, self._began[lane] = lane, time.monotonic_ns()
        # A timer may be early by the resolution of its clock.
        seconds = TURN_NANOSECONDS_MAX / NANOSECONDS + 0.001
        asyncio.get_running_loop().call_later(seconds, self._call)
        return True

    def has_read(self, lane: TakesTurns) -> None:
        """Let another read while this lane's batch is written."""
        if self._reader is lane:
            self._reader = None
            self._call()

    def is_done(self, lane: TakesTurns) -> None:
        """Note that a lane has no batch under way."""
        self._began.pop(lane, None)
        if self._reader is lane:
            self._reader = None
        self._call()

    def _is_free_for(self, lane: TakesTurns) -> bool:
        now = time.monotonic_ns()
        others = [
            other
            for other, began in self._began.items()
            if other is not lane and now - began < TURN_NANOSECONDS_MAX
        ]
        return self._reader not in others and len(others) < LANES_AT_ONCE

    def _call(self) -> None:
        """Call those who wait, the first first."""
        while self._waiting and self._is_free_for(lane := next(iter(self._waiting))):
            del self._waiting[lane]
            lane.begin_soon()
