"""Movements that were decided although their caller had been told 503.

Listed for ops until he comes back.
"""

from collections.abc import Sequence

from app.ledger.book import Book
from app.ledger.transaction import Ledger
from app.wallet.journal import JournalEntry


async def note_unanswered(ledger: Ledger, entries: Sequence[JournalEntry]) -> None:
    """List these entries; a repeat of the transaction id takes its entry off the list."""

    async def work(book: Book) -> None:
        await book.note_unanswered(entries)

    await ledger.serializable(work)
