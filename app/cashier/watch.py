"""The watch: what a serving process looks at from time to time for its metrics, beside its work.

Every `EVERY` it asks whether it could serve, brings the inbox up to date unless another process has
just done so, and reads the counts of the inbox, the adjustments that wait, the last audit, backup
and seal, and how webhooks stand. While the database is away, what was seen last stays. Where the
ledger has several buckets, it also keeps the statistics of the tables above them; where those are
on several nodes, it settles acts on players that were noted and not done.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

import structlog

from app.cashier.acts_apart import ActsApart
from app.cashier.inbox import collect, open_counts
from app.cashier.readiness import bucket_faults, why_not_ready
from app.ledger.adjustments import count_waiting
from app.ledger.buckets.statistics import analyze_above
from app.ledger.errors import LedgerError
from app.ledger.event_log.webhooks import Backlog, backlogs, numbering_age
from app.ledger.money.book import Book
from app.ledger.slips.figures import SlipFigures, slip_figures
from app.ledger.transaction import Ledger
from app.ledger.upkeep import LastUpkeep, last_upkeep
from app.wallet.inbox import ExceptionKind, OpenCount

logger: Final = structlog.get_logger("watch")

EVERY: Final = timedelta(seconds=15)

NO_UPKEEP: Final = LastUpkeep(None, None, None)


class Seen(NamedTuple):
    """What the watch saw last."""

    is_ready: bool = False
    inbox: Mapping[ExceptionKind, OpenCount] = dict.fromkeys(ExceptionKind, OpenCount(0, 0))
    adjustments_waiting: int = 0
    upkeep: LastUpkeep = NO_UPKEEP
    seals: bool = False
    """whether this process has a key to seal with"""
    backlogs: Sequence[Backlog] = ()
    """of each endpoint of webhooks"""
    numbering_age: int = 0
    """how many seconds ago the ledger was looked through for events"""
    slips: SlipFigures = SlipFigures()
    """how bet slips stand"""
    bucket_faults: Mapping[int, str | None] = MappingProxyType({})
    """why a bucket on a node of its own cannot be served; None: it can"""


class Watch:
    """Looks at the ledger from time to time until it is closed."""

    def __init__(self, ledger: Ledger, *, every: timedelta = EVERY, seals: bool = False) -> None:
        """Look at nothing before `begin`; `seals`: this process has a key to seal with."""
        self.seen = Seen(seals=seals)
        self._ledger = ledger
        self._acts = ActsApart(ledger)
        self._every = every
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look now, and from time to time from now on."""
        self._task = asyncio.create_task(self._keep_looking())

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Look once."""
        is_ready = await why_not_ready(self._ledger) is None
        faults = await bucket_faults(self._ledger)
        self.seen = self.seen._replace(is_ready=is_ready, bucket_faults=faults)
        if not is_ready:
            return
        with suppress(LedgerError):
            await collect(self._ledger, not_within=self._every)
            inbox = await open_counts(self._ledger)
            looked = await self._ledger.read_only(_looked, confirmed=False)
            waiting, upkeep, logs, age, slips = looked
            self.seen = Seen(
                is_ready, inbox, waiting, upkeep, self.seen.seals, logs, age, slips, faults
            )
            if await self._ledger.bucket_count() > 1:
                await self._ledger.beside_money(analyze_above)
                await self._acts.look()

    async def _keep_looking(self) -> None:
        while True:
            try:
                await self.look()
            except Exception as error:
                # No fault of ours may end the watch: what it has seen would be told for ever.
                logger.exception("failed", error=type(error).__name__)
            await asyncio.sleep(self._every.total_seconds())


async def _looked(book: Book) -> tuple[int, LastUpkeep, Sequence[Backlog], int, SlipFigures]:
    return (
        await count_waiting(book),
        await last_upkeep(book),
        await backlogs(book),
        await numbering_age(book),
        await slip_figures(book),
    )
