"""What is added up over a span of time that grows: the old part is asked for once, and kept.

A movement has the moment at which its transaction began, and is seen once that has committed, which
its deadline bounds. What is older than `SETTLED` is therefore complete, and only what is younger is
asked for again.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from app.wallet.moments import EARLIEST

T = TypeVar("T")

SETTLED: Final = timedelta(minutes=2)
"""Twice the longest deadline that can be set."""

SLICE: Final = timedelta(hours=1)
"""The most that is asked for at once, so that a large day is within a statement's time limit.

What was read stays: if a look is given up, the next one goes on where it was.
"""


class Growing(Generic[T]):
    """A span's answer, in a part that is kept and one that is asked for each time."""

    def __init__(
        self,
        ask: Callable[[datetime, datetime], Awaitable[T]],
        merge: Callable[[T, T], None],
        empty: Callable[[], T],
    ) -> None:
        """`ask` for [since, until); `merge` adds the second into the first."""
        self._ask = ask
        self._merge = merge
        self._empty = empty
        self._since: datetime | None = None
        self._settled = EARLIEST
        self._kept = empty()

    async def between(self, since: datetime, until: datetime, now: datetime) -> tuple[T, T]:
        """Return the answer for [since, until) in its two parts, which share nothing."""
        # By whole minutes, so that the kept part grows once a minute.
        settled = min(until, now - SETTLED).replace(second=0, microsecond=0)
        settled = max(settled, since)
        if since != self._since or settled < self._settled:
            self._since, self._settled, self._kept = since, since, self._empty()
        while self._settled < settled:
            end = min(self._settled + SLICE, settled)
            self._merge(self._kept, await self._ask(self._settled, end))
            self._settled = end
        return self._kept, await self._ask(self._settled, until)
