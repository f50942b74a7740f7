"""A block with a deadline: what `asyncio.timeout` is, at half its cost; every request pays it."""

import asyncio
from datetime import timedelta
from types import TracebackType


class Limit:
    """A block that raises TimeoutError when its time is over."""

    __slots__ = ("_cancelling", "_is_late", "_task", "_time", "_timer")

    def __init__(self, time: timedelta) -> None:
        """`time` counts from the block's beginning."""
        self._time = time
        self._is_late = False

    def __enter__(self) -> None:
        """Begin to count."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be limited")
        self._task, self._cancelling = task, task.cancelling()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._time.total_seconds(), self._end)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop counting; a cancellation that was ours becomes a TimeoutError, another's stays."""
        self._timer.cancel()
        if self._is_late:
            is_ours = self._task.uncancel() <= self._cancelling
            if is_ours and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def _end(self) -> None:
        self._is_late = True
        self._task.cancel()
