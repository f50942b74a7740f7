"""Readiness: the database accepts writes and its standby confirms them: this process can serve."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from app.ledger.errors import LedgerError, LedgerRestoredError
from app.ledger.inspection import takes_writes
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger

PATIENCE = timedelta(seconds=2)
"""Less than the usual timeout of a health check."""


async def why_not_ready(ledger: Ledger, *, patience: timedelta = PATIENCE) -> str | None:
    """Return why this process cannot serve now, as a sentence, or None if it can.

    Where buckets are on several nodes, it can while any of them is served: nothing of a movement is
    on the coordinator, so that one that is away is no reason, unless it had something to say.
    """
    own, faults = await asyncio.gather(
        _why_not(ledger, patience), bucket_faults(ledger, patience=patience)
    )
    if own is not None and (None not in faults.values() or ledger.timeline.is_in_doubt):
        return own
    if faults and None not in faults.values():
        return f"no bucket can be served: {next(iter(faults.values()))}"
    return None


async def bucket_faults(
    ledger: Ledger, *, patience: timedelta = PATIENCE
) -> Mapping[int, str | None]:
    """Return why a bucket on a node of its own cannot be served, by bucket; None: it can."""
    try:
        async with asyncio.timeout(patience.total_seconds()):
            parts = await ledger.parts()
    except (LedgerError, TimeoutError):
        return {}
    faults = await asyncio.gather(*(_why_not(part, patience) for part in parts.values()))
    return dict(zip(parts, faults, strict=True))


async def _why_not(ledger: Ledger, patience: timedelta) -> str | None:
    async def work(book: Book) -> bool:
        return await takes_writes(book)

    fault = "the database does not answer"
    try:
        async with asyncio.timeout(patience.total_seconds()):
            if not await ledger.read_only(work, confirmed=False):
                return "the database only reads: it is a standby"
            fault = "the synchronous standby does not confirm what is committed"
            await ledger.confirm_here()
    except LedgerRestoredError as error:
        return str(error)
    except (LedgerError, TimeoutError):
        return fault
    return None


def sync_warning(ledger: Ledger, *, is_expected: bool) -> str | None:
    """Return what is wrong where commits were expected to wait for a standby and do not."""
    standbys = (ledger.standby, *ledger.bucket_standbys.values())
    if not is_expected or all(standby.is_wanted for standby in standbys):
        return None
    return (
        "no synchronous standby: synchronous_standby_names is empty on this server and "
        "WALLET_EXPECT_SYNC is on; a failover may lose what was answered"
    )
