"""Figures of Today and Risk, computed once for everybody who looks and kept for some seconds.

A page that refreshes itself costs the database the same whether one person or twenty look at it.
What is asked for while it is being computed waits for that; what has become old is shown once more
while it is computed anew in the background, unless it is older than its bound. What takes long, as
it does while much is moved, is computed more seldom.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

SECOND: Final = 10**9
"""In nanoseconds."""

PAUSE: Final = 20
"""Figures stay for so many times as long as they took: they have a twentieth of a connection."""


class Known(NamedTuple, Generic[T]):
    """Figures, with when they were asked for and how long they took, in nanoseconds."""

    figures: T
    asked_at: int
    took: int


class Figures(Generic[T]):
    """One set of figures."""

    def __init__(
        self,
        compute: Callable[[], Awaitable[T]],
        *,
        fresh_seconds: int,
        shown_seconds: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Compute nothing yet; figures older than `shown_seconds` are never shown."""
        self._compute = compute
        self._fresh = fresh_seconds * SECOND
        self._shown = shown_seconds * SECOND
        self._clock = clock
        self._known: Known[T] | None = None
        self._computing: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return the figures, computed now or some seconds ago."""
        known, now = self._known, self._clock()
        if known is None or now - known.asked_at >= self._shown:
            return await asyncio.shield(self._begin(now))
        if now - known.asked_at >= max(self._fresh, known.took * PAUSE):
            self._computing = self._begin(now)
        return known.figures

    def _begin(self, now: int) -> asyncio.Task[T]:
        if self._computing is None or self._computing.done():
            self._computing = asyncio.create_task(self._computed(now))
            # A failure is told to who waits; without anybody waiting it shows at the next look.
            self._computing.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._computing

    async def _computed(self, now: int) -> T:
        figures = await self._compute()
        self._known = Known(figures, now, self._clock() - now)
        return figures
