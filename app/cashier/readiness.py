"""Readiness: the database accepts writes and its standby confirms them: this process can serve."""

import asyncio
from datetime import timedelta

from app.ledger.errors import LedgerError, LedgerRestoredError
from app.ledger.inspection import takes_writes
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger

PATIENCE = timedelta(seconds=2)
"""Less than the usual timeout of a health check."""


async def why_not_ready(ledger: Ledger, *, patience: timedelta = PATIENCE) -> str | None:
    """Return why this process cannot serve now, as a sentence, or None if it can."""

    async def work(book: Book) -> bool:
        return await takes_writes(book)

    fault = "the database does not answer"
    try:
        async with asyncio.timeout(patience.total_seconds()):
            if not await ledger.read_only(work, confirmed=False):
                return "the database only reads: it is a standby"
            fault = "the synchronous standby does not confirm what is committed"
            await ledger.confirm()
    except LedgerRestoredError as error:
        return str(error)
    except (LedgerError, TimeoutError):
        return fault
    return None


def sync_warning(ledger: Ledger, *, is_expected: bool) -> str | None:
    """Return what is wrong where commits were expected to wait for a standby and do not."""
    if ledger.standby.is_wanted or not is_expected:
        return None
    return (
        "no synchronous standby: synchronous_standby_names is empty on this server and "
        "WALLET_EXPECT_SYNC is on; a failover may lose what was answered"
    )
