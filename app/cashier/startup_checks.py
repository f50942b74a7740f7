"""Opening for business.

Nothing is served from a database that could lose money or that means keys otherwise.
"""

from collections.abc import Sequence

from app.ledger.inspection import Inspection, inspect, remember
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.movement import KeyScope


class LedgerUnfitError(Exception):
    """The ledger must not be served as it is; the message says why and what to do."""


async def check_startup(
    ledger: Ledger, key_scope: KeyScope, *, require_durability: bool = True
) -> Sequence[str]:
    """Check the database, and return warnings for the log.

    Raises LedgerUnfitError if committed money could be lost (unless told not to mind: tests), or if
    the ledger was first started under another key scope, and LedgerError if it cannot be reached.
    """

    async def work(book: Book) -> tuple[Inspection, str]:
        return await inspect(book), await remember(book, "key_scope", key_scope)

    inspection, remembered = await ledger.serializable(work)
    if inspection.unsafe and require_durability:
        reasons = "; ".join(inspection.unsafe)
        raise LedgerUnfitError(f"Committed money could be lost: {reasons}.")
    if remembered != key_scope:
        raise LedgerUnfitError(
            f"This ledger was started with WALLET_KEY_SCOPE={remembered} and keeps it for ever; "
            f"it cannot be served with {key_scope.value}."
        )
    return (*inspection.unsafe, *inspection.warnings)
