"""Readiness: the database answers and accepts writes, so this process can serve."""

import asyncio
from datetime import timedelta

from app.ledger.errors import LedgerError
from app.ledger.inspection import takes_writes
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger

PATIENCE = timedelta(seconds=2)
"""Less than the usual timeout of a health check."""


async def why_not_ready(ledger: Ledger, *, patience: timedelta = PATIENCE) -> str | None:
    """Return why this process cannot serve now, as a sentence, or None if it can."""

    async def work(book: Book) -> bool:
        return await takes_writes(book)

    try:
        async with asyncio.timeout(patience.total_seconds()):
            writable = await ledger.read_only(work)
    except (LedgerError, TimeoutError):
        return "the database does not answer"
    return None if writable else "the database only reads: it is a standby"
