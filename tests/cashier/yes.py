"""A person who looks at the time lines of a ledger, and says yes to what they were shown."""

from datetime import datetime, timedelta

from app.cashier.restored import Accepted, NotDone, accept, state
from app.ledger.transaction import Ledger
from app.wallet.operators import Operator


async def look_and_accept(
    ledger: Ledger,
    operator: Operator,
    reason: str,
    money_for: timedelta,
    *,
    restored_to: datetime | None = None,
) -> Accepted | NotDone:
    """Say yes to the latest time line that waits; where none does, to the first."""
    shown = (await state(ledger)).waiting or 1
    return await accept(ledger, operator, shown, reason, money_for, restored_to=restored_to)
