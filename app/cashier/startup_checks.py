"""Startup checks: a database that could lose committed money is not served."""

from collections.abc import Sequence

from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.ledger.inspection import Inspection, currencies_in_use, inspect
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger


async def check_startup(
    ledger: Ledger, policy: PolicyInForce, *, require_durability: bool = True
) -> Sequence[str]:
    """Check the database, adopt its rule version, and return warnings for the log.

    Raises LedgerUnfitError if committed money could be lost (a switch for tests allows it), or if
    the ledger stores other settings than this process has; LedgerError if it cannot be reached.
    """

    async def work(book: Book) -> Inspection:
        return await inspect(book)

    inspection = await ledger.serializable(work)
    if inspection.unsafe and require_durability:
        reasons = "; ".join(inspection.unsafe)
        raise LedgerUnfitError(f"Committed money could be lost: {reasons}.")
    await policy.renew(ledger, policy.policy)
    return (*inspection.unsafe, *inspection.warnings)


async def find_currencies(ledger: Ledger) -> dict[str, int]:
    """Return the currencies that the ledger has wallets in, each with its scale."""
    return await ledger.read_only(currencies_in_use)
