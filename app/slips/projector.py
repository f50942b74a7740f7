"""The projector: reads committed movements, and keeps sports bets and legs, until it is stopped.

1. Events are numbered, unless somebody else does.
2. Of each agent's log, and of the movements from before it, the next are read: a batch.
3. While a batch is written, the next one is derived, and the one after that is read.

As many projectors as one likes may run: each batch is written once, by the one that comes first,
and the others read again. A process that is killed leaves a batch unwritten, never half written.
"""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog

from app.cashier import slips
from app.cashier.event_log import number
from app.cashier.slips import Batch, Behind, Derived, Progress, SlipFigures
from app.ledger.errors import LedgerError
from app.ledger.transaction import Ledger
from app.slips.deriving import derive
from app.telemetry.spare import SpareTime

logger: Final = structlog.get_logger("slips")

LOOK_EVERY: Final = timedelta(milliseconds=200)
SHARE: Final = 4
"""How many times as long as a round of looks took nobody looks: a fifth of the time at most, and
less often where the database is busy, so that each look finds more and costs less for each."""

PAUSE_SECONDS_MAX: Final = 0.5
"""However busy the database is: what is read is to be no more than two seconds old."""

AWAY_EVERY: Final = timedelta(milliseconds=1000)
YIELD_SECONDS: Final = 1
"""How long a projector leaves the work to another one that was first."""

COUNT_EVERY: Final = timedelta(seconds=10)
COUNT_SHARE: Final = 20
"""What may be won is counted anew after this, or after twenty times as long as it took."""

DERIVED_AT_ONCE: Final = 40
"""Rounds: some milliseconds' work, between which what is read and written goes on. In a thread of
its own deriving would keep the interpreter's lock for as long."""

T = TypeVar("T")


class Projector:
    """Projects bet slips; counts what it has done."""

    def __init__(
        self,
        ledger: Ledger,
        liability_alarms: Mapping[str, str] | None = None,
        *,
        spare: SpareTime | None = None,
    ) -> None:
        """Read nothing before `run`.

        `liability_alarms`: by currency, what may be won on one outcome before somebody is told.
        `spare`: what it waits for before each look; None: nothing.
        """
        self._ledger = ledger
        self._spare = spare or SpareTime(timedelta(0))
        self._alarms = liability_alarms or {}
        self.figures = SlipFigures()
        """as of the last count"""
        self.movements = 0
        self.bets = 0
        self.behind: list[Behind] = []
        """as of the last look"""
        self.looked_at = time.monotonic_ns()

    async def run(self) -> None:
        """Project until cancelled."""
        tasks = [asyncio.create_task(work()) for work in (self._keep_looking, self._keep_counting)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_counting(self) -> None:
        while True:
            begun = time.monotonic_ns()
            with suppress(LedgerError):
                await self.count()
            took = (time.monotonic_ns() - begun) / 10**9
            await asyncio.sleep(max(COUNT_EVERY.total_seconds(), took * COUNT_SHARE))

    async def count(self) -> None:
        """Count what may be won on each outcome, and see how slips stand."""
        await slips.count_liabilities(self._ledger, self._alarms)
        self.figures = await slips.slip_figures(self._ledger)

    async def _keep_looking(self) -> None:
        is_away = False
        while True:
            await self._spare.wait(self.looked_at)
            begun = time.monotonic_ns()
            try:
                await self.look()
                is_away = False
            except LedgerError as error:
                if not is_away:
                    logger.warning("slips wait for the database", reason=str(error))
                is_away = True
                await asyncio.sleep(AWAY_EVERY.total_seconds())
            took = (time.monotonic_ns() - begun) / 10**9
            pause = min(took * SHARE, PAUSE_SECONDS_MAX)
            await asyncio.sleep(max(LOOK_EVERY.total_seconds(), pause))

    async def look(self) -> None:
        """Number what is new, and project everything that has a number."""
        await number(self._ledger)
        self.behind = await slips.progress(self._ledger)
        for agent in [each.progress.agent for each in self.behind if each.has_more]:
            (before,) = [e.progress for e in self.behind if e.progress.agent == agent]
            if not await self._catch_up(before):
                await asyncio.sleep(YIELD_SECONDS)
                return
            self.behind = await slips.progress(self._ledger)
        self.looked_at = time.monotonic_ns()

    async def _catch_up(self, before: Progress) -> bool:
        """Project to the end; False: another projector was first."""
        tasks: set[asyncio.Task[Any]] = set()

        def begin(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
            task = asyncio.create_task(work)
            tasks.add(task)
            return task

        reading = begin(slips.read_next(self._ledger, before))
        writing: asyncio.Task[bool] | None = None
        batches: list[Batch] = []
        try:
            while True:
                batch = await reading
                batches = [*batches[-1:], batch]
                under_way = {round_.id for each in batches for round_ in each.rounds}
                if batch.has_more:
                    reading = begin(slips.read_next(self._ledger, batch.after, under_way))
                derived = await _derived(batch)
                if writing is not None and not await writing:
                    return False
                writing = begin(slips.write(self._ledger, batch, derived))
                self.movements += batch.movements
                self.bets += len(derived.bets)
                if not batch.has_more:
                    return await writing
                tasks = {task for task in tasks if not task.done()}
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _derived(batch: Batch) -> Derived:
    """Derive a batch's rows, and let others have their turn meanwhile."""
    derived = Derived([], [], [], [], [])
    for at in range(0, len(batch.rounds), DERIVED_AT_ONCE):
        derive(batch.rounds[at : at + DERIVED_AT_ONCE], derived)
        await asyncio.sleep(0)
    return derived
