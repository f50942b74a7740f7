"""Movements that were decided although their caller had been told 503: listed for ops.

They stay listed until the caller comes back. Where the database itself fell silent at COMMIT,
nobody knows yet whether anything was decided: such movements are kept in mind, and looked up by
their keys as soon as the database answers again.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from app.ledger.book import Book
from app.ledger.errors import LedgerError
from app.ledger.transaction import Ledger
from app.wallet.journal import JournalEntry
from app.wallet.movement import Key, Movement

logger: Final = structlog.get_logger("unanswered")

DOUBTS_MAX: Final = 10_000
"""How many are kept in mind: some seconds of a full house. The oldest are forgotten first."""

LOOKED_UP_AT_ONCE: Final = 100
WAIT_SECONDS: Final = 1
"""Between two questions to a database that is away."""


async def note_unanswered(ledger: Ledger, entries: Sequence[JournalEntry]) -> None:
    """List these entries; a repeat of the transaction id takes its entry off the list."""

    async def work(book: Book) -> None:
        await book.note_unanswered(entries)

    await ledger.serializable(work)


async def note_decided(ledger: Ledger, movements: Sequence[Movement]) -> None:
    """List those of these movements that their own delivery wrote to the journal."""
    deliveries = {movement.delivery for movement in movements}

    async def work(book: Book) -> None:
        entries = await book.entries_of([movement.key for movement in movements])
        await book.note_unanswered([e for e in entries if e.delivery in deliveries])

    await ledger.serializable(work)


class Doubts:
    """Movements that were begun, and of which the database has not said what became."""

    def __init__(self, ledger: Ledger) -> None:
        """No doubts yet."""
        self._ledger = ledger
        self._movements: deque[Movement] = deque(maxlen=DOUBTS_MAX)
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """How many are in doubt."""
        return len(self._movements)

    def keep(self, movements: Iterable[Movement]) -> None:
        """Keep these in mind until the database answers."""
        self._movements.extend(movements)
        if self._task is None and self._movements:
            self._task = asyncio.create_task(self._settle_all())

    def forget(self, keys: Iterable[Key]) -> None:
        """Their callers came back, and were answered."""
        if self._movements:
            heard = set(keys)
            kept = [movement for movement in self._movements if movement.key not in heard]
            self._movements.clear()
            self._movements.extend(kept)

    async def finish(self) -> None:
        """Give the database one more deadline to settle what is in doubt."""
        task = self._task
        if task is not None:
            await asyncio.wait({task}, timeout=self._ledger.deadline.total_seconds())
            task.cancel()
        if self._movements:
            ids = [movement.key.transaction_id for movement in self._movements]
            logger.error("left in doubt", count=len(ids), transaction_ids=ids[:LOOKED_UP_AT_ONCE])

    async def _settle_all(self) -> None:
        try:
            while self._movements:
                some = [
                    self._movements.popleft()
                    for _ in range(min(LOOKED_UP_AT_ONCE, len(self._movements)))
                ]
                try:
                    await note_decided(self._ledger, some)
                except LedgerError:
                    self._movements.extendleft(reversed(some))
                    await asyncio.sleep(WAIT_SECONDS)
                except asyncio.CancelledError:
                    self._movements.extendleft(reversed(some))
                    raise
        finally:
            self._task = None
