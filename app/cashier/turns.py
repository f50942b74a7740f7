"""Turns: of the lanes of several buckets, one reads and decides at a time.

The movements of the others gather meanwhile, so that their batches are about as large as those of
one lane: with all lanes at it at once, a batch has half of its lane's callers.
"""

import asyncio
from typing import Final, Protocol

TURN_SECONDS_MAX: Final = 0.05
"""How long the others wait at most: a read may be held up by a database that does not answer."""


class TakesTurns(Protocol):
    """A lane."""

    def begin_soon(self) -> None:
        """Ask for a turn, if there is something to do."""


class Turns:
    """Whose turn it is."""

    def __init__(self) -> None:
        """Nobody reads."""
        self._reader: TakesTurns | None = None
        self._since = 0.0
        self._waiting: dict[TakesTurns, None] = {}

    def take(self, lane: TakesTurns) -> bool:
        """Let a lane begin a batch; if it is another's turn, it is called when its own comes."""
        if not self._is_free():
            self._waiting.setdefault(lane)
            return False
        loop = asyncio.get_running_loop()
        self._waiting.pop(lane, None)
        self._reader, self._since = lane, loop.time()
        loop.call_later(TURN_SECONDS_MAX, self._call)
        return True

    def end(self, lane: TakesTurns) -> None:
        """Give the turn to whoever waits, the first first."""
        if self._reader is lane:
            self._reader = None
            self._call()

    def _is_free(self) -> bool:
        if self._reader is None:
            return True
        return asyncio.get_running_loop().time() - self._since >= TURN_SECONDS_MAX

    def _call(self) -> None:
        while self._waiting and self._is_free():
            lane = next(iter(self._waiting))
            del self._waiting[lane]
            lane.begin_soon()
