"""Figures of Today and Risk, computed once for everybody who looks and kept for some seconds.

A page that refreshes itself costs the database the same whether one person or twenty look at it.
What is asked for while it is being computed waits for that; what has become old is shown once more
while it is computed anew in the background, unless it is older than its bound.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Figures(Generic[T]):
    """One set of figures."""

    def __init__(
        self, compute: Callable[[], Awaitable[T]], *, fresh_seconds: int, shown_seconds: int
    ) -> None:
        """Compute nothing yet; figures older than `shown_seconds` are never shown."""
        self._compute = compute
        self._fresh_seconds = fresh_seconds
        self._shown_seconds = shown_seconds
        self._known: tuple[int, T] | None = None
        self._computing: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the figures, computed now or some seconds ago."""
        now = int(time.monotonic())
        age = None if self._known is None else now - self._known[0]
        if self._known is not None and age is not None and age < self._fresh_seconds:
            return self._known[1]
        computing = self._begin(now)
        if self._known is not None and age is not None and age < self._shown_seconds:
            return self._known[1]
        return await asyncio.shield(computing)

    def _begin(self, now: int) -> asyncio.Task[T]:
        if self._computing is None or self._computing.done():
            self._computing = asyncio.create_task(self._computed(now))
            # A failure is told to who waits; without anybody waiting it shows at the next look.
            self._computing.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._computing

    async def _computed(self, now: int) -> T:
        figures = await self._compute()
        self._known = (now, figures)
        return figures
