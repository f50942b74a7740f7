"""Deadlines: many waits share one timer, because a timer for each costs as much as a fold.

A wait is ended at its deadline or up to TICK_SECONDS after it, never before.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final

TICK_SECONDS: Final = 0.05


class Watch:
    """A wait that somebody keeps an eye on."""

    __slots__ = ("_others", "late")

    def __init__(self, late: Callable[[], None], others: "set[Watch]") -> None:
        """`late` is called at the deadline; `others` end with it."""
        self.late = late
        self._others = others

    def end(self) -> None:
        """Nobody waits any more."""
        self._others.discard(self)


class Deadlines:
    """The waits of one event loop, by the turn of the clock that ends them."""

    def __init__(self) -> None:
        """Nobody waits, and no timer runs."""
        self._turns: dict[int, set[Watch]] = {}

    def watch(self, seconds: float, late: Callable[[], None]) -> Watch:
        """Call `late` when so many seconds are over, unless the watch is ended before."""
        loop = asyncio.get_running_loop()
        turn = int((loop.time() + seconds) / TICK_SECONDS) + 1
        together = self._turns.get(turn)
        if together is None:
            together = self._turns[turn] = set()
            loop.call_at(turn * TICK_SECONDS, self._ring, turn)
        watch = Watch(late, together)
        together.add(watch)
        return watch

    def limit(self, seconds: float) -> "Limit":
        """A block that raises TimeoutError when so many seconds are over."""
        return Limit(self, seconds)

    def _ring(self, turn: int) -> None:
        together = self._turns.pop(turn)
        while together:
            together.pop().late()


class Limit:
    """What `asyncio.timeout` is, by a shared timer."""

    __slots__ = ("_cancelling", "_deadlines", "_is_late", "_seconds", "_task", "_watch")

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        """`seconds` count from the block's beginning."""
        self._deadlines = deadlines
        self._seconds = seconds
        self._is_late = False

    def __enter__(self) -> None:
        """Begin to count."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be limited")
        self._task, self._cancelling = task, task.cancelling()
        self._watch = self._deadlines.watch(self._seconds, self._late)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop counting; a cancellation that was ours becomes a TimeoutError, another's stays."""
        self._watch.end()
        if self._is_late:
            is_ours = self._task.uncancel() <= self._cancelling
            if is_ours and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _late(self) -> None:
        self._is_late = True
        self._task.cancel()
