"""The alarms: receipts that operations must look at, because money may be in the wrong place."""

from enum import StrEnum

from app.wallet.events import Direction
from app.wallet.movement import Movement
from app.wallet.outcomes import (
    SETTLED_BY_HAND,
    Declined,
    Posting,
    Receipt,
    Refused,
    Replay,
)
from app.wallet.refusals import Refusal


class Alarm(StrEnum):
    """The kind of an alarm; its value is the label of the metric `wallet_alarms_total`."""

    FLAGGED = "flagged"
    """an accepted movement carries a flag"""
    CREDIT_WITHOUT_MATCH = "credit without a matching movement"
    OTHER_CONTENT = "repeat with other content"
    CREDIT_UNDER_A_USED_ID = "credit under the id of another event type"
    """the sign of a supplier that uses a bet's transaction id again for its settlement"""
    SETTLED_BY_HAND = "movement that was settled by hand"
    """a refused movement was sent again after two people had moved its money by hand"""
    BET_OVERTAKEN = "bet refused because its abort came first"
    SETTLEMENT_DIFFERS = "settlement that differs from what was done"
    """Betby's last word about a bet; it moves nothing, so it never becomes a movement"""
    UNKNOWN_CREDIT = "credit of an unknown event type"
    """raised where the request is parsed, since it never becomes a movement"""


def alarm_of(movement: Movement, receipt: Receipt) -> Alarm | None:
    """Return the alarm that a decided movement raises, or None."""
    match receipt:
        case Posting(entry):
            return Alarm.FLAGGED if entry.flags else None
        case Declined(_, refusal):
            return Alarm.BET_OVERTAKEN if refusal is Refusal.BET_OVERTAKEN else None
        case Replay():
            return None if receipt.differs is None else Alarm.OTHER_CONTENT
        case Refused():
            return _alarm_of_refusal(movement, receipt)


def _alarm_of_refusal(movement: Movement, receipt: Refused) -> Alarm | None:
    refusal = receipt.refusal
    if receipt.detail == SETTLED_BY_HAND:
        return Alarm.SETTLED_BY_HAND
    is_credit = movement.direction is Direction.CREDIT
    if refusal is Refusal.EVENT_TYPE_DIFFERS and is_credit and not movement.rule.is_cashier:
        return Alarm.CREDIT_UNDER_A_USED_ID
    if receipt.differs is not None:
        return Alarm.OTHER_CONTENT
    if refusal is Refusal.NO_MATCHING_MOVEMENT and is_credit:
        return Alarm.CREDIT_WITHOUT_MATCH
    return None
