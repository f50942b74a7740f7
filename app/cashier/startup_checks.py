"""Startup checks: a database that could lose committed money is not served."""

from collections.abc import Sequence
from typing import Final

from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.cashier.restored import why_not_served
from app.ledger.buckets.reading import count_buckets, find_not_level
from app.ledger.decision_settings import remembered_settings
from app.ledger.inspection import Inspection, currencies_in_use, inspect
from app.ledger.limit_calendar import find_zone_fault
from app.ledger.money.book import Book
from app.ledger.shadow import find_shadow
from app.ledger.transaction import Ledger

SHADOW: Final = "This ledger is a shadow's (`wallet shadow`): name the one that answers for money."
NO_SHADOW: Final = "This ledger answers for money: a shadow has one of its own."
NOT_LEVEL: Final = "The upgrade did not come to bucket {}: run `wallet migrate` again."


async def check_startup(
    ledger: Ledger,
    policy: PolicyInForce,
    *,
    require_durability: bool = True,
    is_shadow: bool = False,
) -> Sequence[str]:
    """Check the database, adopt its rule version, and return warnings for the log.

    Raises LedgerUnfitError if committed money could be lost (a switch for tests allows it), or if a
    migration was cut off before it came to all buckets, or if the ledger stores other settings or
    buckets than this process has, or if limits are to count in the days of a zone that the database
    knows otherwise, or if it was restored and nobody has said yes to it; LedgerError if it cannot
    be reached.
    """
    restored = await why_not_served(ledger)
    if restored is not None:
        raise LedgerUnfitError(f"{restored[:1].upper()}{restored[1:]}.")
    zone = policy.policy.limit_days.name
    is_on_nodes = await ledger.is_on_nodes()

    async def work(book: Book) -> tuple[Inspection, str | None, bool, int]:
        is_marked = (await find_shadow(book)).begun_at is not None
        if is_marked is not is_shadow:
            raise LedgerUnfitError(SHADOW if is_marked else NO_SHADOW)
        not_level = None if is_on_nodes else await find_not_level(book)
        if not_level is not None:
            raise LedgerUnfitError(NOT_LEVEL.format(not_level))
        is_first_start = (await remembered_settings(book)).limit_zone is None
        zone_fault = await find_zone_fault(book, zone)
        return await inspect(book), zone_fault, is_first_start, await count_buckets(book)

    inspection, zone_fault, is_first_start, buckets = await ledger.serializable(work)
    _refuse_other_buckets(buckets, await ledger.bucket_count())
    if inspection.unsafe and require_durability:
        reasons = "; ".join(inspection.unsafe)
        raise LedgerUnfitError(f"Committed money could be lost: {reasons}.")
    if zone_fault is not None and is_first_start:
        raise LedgerUnfitError(zone_fault)
    await policy.renew(ledger, policy.policy)
    zone_warnings = () if zone_fault is None else (zone_fault,)
    return (*inspection.unsafe, *inspection.warnings, *zone_warnings)


def _refuse_other_buckets(there: int, ours: int) -> None:
    if there == ours:
        return
    how = (
        f"set WALLET_BUCKETS={there}, whose number never changes"
        if there > 1
        else f"set WALLET_BUCKETS=1, or, if it has no players yet, let `wallet migrate` make {ours}"
    )
    raise LedgerUnfitError(
        f"This ledger has WALLET_BUCKETS={there} and this process would serve {ours}: {how}."
    )


async def find_currencies(ledger: Ledger) -> dict[str, int]:
    """Return the currencies that the ledger has wallets in, each with its scale."""
    return await ledger.read_only(currencies_in_use)
