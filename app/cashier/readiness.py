"""Can we serve at this moment? The database answers, and it takes what we write."""

import asyncio
from datetime import timedelta

from app.ledger.errors import LedgerError
from app.ledger.inspection import takes_writes
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger

PATIENCE = timedelta(seconds=2)
"""Less than a health check waits."""


async def why_not_ready(ledger: Ledger, *, patience: timedelta = PATIENCE) -> str | None:
    """Why nobody should be sent to us at this moment; None: we can serve."""

    async def work(book: Book) -> bool:
        return await takes_writes(book)

    try:
        async with asyncio.timeout(patience.total_seconds()):
            writable = await ledger.read_only(work)
    except (LedgerError, TimeoutError):
        return "the database does not answer"
    return None if writable else "the database only reads: it is a standby"
