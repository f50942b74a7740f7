"""Movements in doubt: their caller was told 503, and they may have been committed all the same.

They are kept in memory and looked up by their keys in the background, as soon as the database
answers. Those that were committed are listed for operations, until the caller repeats the request
and is answered. Those that were not are fenced first, so that they can never be committed later.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import structlog

from app.ledger.errors import LedgerError
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.movement import Key, Movement

logger: Final = structlog.get_logger("in_doubt")

IN_DOUBT_MAX: Final = 10_000
"""The most movements kept in memory: some seconds of full load. The oldest are dropped first."""

LOOKED_UP_AT_ONCE: Final = 100
"""The most movements in one look-up, and the most transaction ids in one log line."""

WAIT_SECONDS: Final = 1
"""The wait between two attempts while the database is away."""


class Delivery(NamedTuple):
    """One delivery of a movement whose caller was told that the outcome is unknown."""

    key: Key
    delivery: bytes
    user_id: str


async def list_unknown_outcomes(ledger: Ledger, deliveries: Sequence[Delivery]) -> None:
    """List those of these deliveries that were committed, and fence the others.

    A repeat of the transaction id that is answered removes its entry from the list.
    """
    for of, user_ids in await ledger.placed({delivery.user_id for delivery in deliveries}):
        await _list_of(ledger, of, [each for each in deliveries if each.user_id in user_ids])


async def _list_of(ledger: Ledger, of: str | None, deliveries: Sequence[Delivery]) -> None:
    ours = {delivery.delivery for delivery in deliveries}

    async def work(book: Book) -> None:
        entries = await book.entries_of([delivery.key for delivery in deliveries])
        written = [entry for entry in entries if entry.delivery in ours]
        await book.list_unknown_outcomes(written)
        known = {entry.delivery for entry in written}
        await book.fence({d.user_id for d in deliveries if d.delivery not in known})

    await ledger.serializable(work, of=of)


class InDoubt:
    """Movements that were begun and whose callers do not know the outcome."""

    def __init__(self, ledger: Ledger) -> None:
        """Start with no movement in doubt."""
        self._ledger = ledger
        self._deliveries: deque[Delivery] = deque(maxlen=IN_DOUBT_MAX)
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """The number of movements in doubt."""
        return len(self._deliveries)

    def keep(self, movements: Iterable[Movement]) -> None:
        """Keep these movements until the database answers."""
        self._deliveries.extend(Delivery(m.key, m.delivery, m.user_id) for m in movements)
        if self._task is None and self._deliveries:
            self._task = asyncio.create_task(self._settle_all())

    def forget(self, keys: Iterable[Key]) -> None:
        """Drop the movements of these keys: their callers repeated them and were answered."""
        if self._deliveries:
            heard = set(keys)
            kept = [delivery for delivery in self._deliveries if delivery.key not in heard]
            self._deliveries.clear()
            self._deliveries.extend(kept)

    async def finish(self) -> None:
        """Wait at most one more deadline for the database to settle what is in doubt."""
        task = self._task
        if task is not None:
            await asyncio.wait({task}, timeout=self._ledger.deadline.total_seconds())
            task.cancel()
            # What it was looking up is put back.
            await asyncio.wait({task})
        if self._deliveries:
            ids = [delivery.key.transaction_id for delivery in self._deliveries]
            logger.error("left in doubt", count=len(ids), transaction_ids=ids[:LOOKED_UP_AT_ONCE])

    def _put_back(self, some: Sequence[Delivery]) -> None:
        """Keep these before the others again; where there is no room, the oldest go."""
        all_of_them = [*some, *self._deliveries]
        self._deliveries.clear()
        self._deliveries.extend(all_of_them)

    async def _settle_all(self) -> None:
        try:
            while self._deliveries:
                some = [
                    self._deliveries.popleft()
                    for _ in range(min(LOOKED_UP_AT_ONCE, len(self._deliveries)))
                ]
                try:
                    await list_unknown_outcomes(self._ledger, some)
                except LedgerError:
                    self._put_back(some)
                    await asyncio.sleep(WAIT_SECONDS)
                except BaseException as error:
                    # Nobody else knows of them: no fault of ours may end this.
                    self._put_back(some)
                    if not isinstance(error, Exception):
                        raise
                    logger.exception("failed", error=type(error).__name__)
                    await asyncio.sleep(WAIT_SECONDS)
        finally:
            self._task = None
