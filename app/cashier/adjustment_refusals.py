"""Why an adjustment is not made: one sentence each, for whoever proposes or decides."""

from app.wallet.adjustments import Adjustment
from app.wallet.balance import Pockets
from app.wallet.money import Currency
from app.wallet.outcomes import Refused
from app.wallet.refusals import Refusal


def already_moved(adjustment_id: int, approved_by: str) -> str:
    """It cannot be rejected: its money has moved, and the approval is not written yet."""
    return (
        f"The money of the adjustment {adjustment_id}, which {approved_by} approved, has moved: "
        f"`wallet adjust approve {adjustment_id}` writes that down."
    )


def no_such_adjustment(adjustment_id: object) -> str:
    """Nobody has proposed it."""
    return f"There is no adjustment {adjustment_id}; `wallet adjust list` shows which there are."


def already_decided(adjustment: Adjustment) -> str:
    """Somebody has decided, or it has expired."""
    by = f" by {adjustment.decided.name}" if adjustment.decided else ""
    return f"The adjustment {adjustment.adjustment_id} is {adjustment.state.value}{by} already."


def refused_by_the_ledger(adjustment: Adjustment, receipt: Refused) -> str:
    """Its movement was refused, as any other would be."""
    if receipt.refusal in {Refusal.EVENT_TYPE_DIFFERS, Refusal.MOVEMENT_DIFFERS}:
        return (
            f"The movement {adjustment.key.transaction_id} that this adjustment settles has been "
            "accepted or settled meanwhile: reject the adjustment."
        )
    shown = "" if receipt.pockets is None else _pockets(receipt.pockets, adjustment.currency)
    return f"Refused: {receipt.refusal.value}{shown}. The request stays open."


def _pockets(pockets: Pockets, currency: Currency) -> str:
    text = currency.text
    return f" ({text(pockets.real)} real, {text(pockets.bonus)} bonus, {currency.code})"
