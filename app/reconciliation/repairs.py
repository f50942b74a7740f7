"""Repairs that a run proposes: each is an adjustment that two people must approve.

A repair's id is derived from the door, the report's id and the cause, so that the report of a day
and the report of its month propose the same one. It names the key that it takes. If nothing moved
under the report's id, that is the key of the movement it stands for, in the wide form: the
movement's late delivery, and a second repair, find it taken. If the movement is there, only not as
their books have it, its own key is taken already, and the repair has one beside it under the same
id.
"""

from decimal import Decimal
from hashlib import sha256
from typing import Final, NamedTuple

from app.ledger.reconciliation.runs import Difference
from app.reconciliation.verdicts import words_of
from app.wallet.events import Direction, EventType

ID_DIGITS: Final = 32
REPAIRABLE: Final = ("only_theirs", "only_ours", "amount")
"""What moved in the wrong amount; another player, event or type is for a person to look into."""


class Repair(NamedTuple):
    """An adjustment to propose."""

    repair_id: str
    user_id: str
    direction: str
    amount: str
    currency: str
    event_id: str | None
    stands_for_source: str
    stands_for_transaction_id: str
    stands_for_event_type: str | None
    stands_for_direction: str | None
    takes_facet: str | None
    """what its key has beside the id; None: the report's word does not say the event type"""
    verdict: str
    cause: str
    reason: str


def repair_of(difference: Difference, door: str, event_type: str | None) -> Repair | None:
    """Return the repair of a difference; None: no movement of money repairs it.

    `event_type` is what the report's word means, where the movement was never recorded.
    """
    missing = difference.theirs - difference.ours
    user_id = difference.ours_user_id or difference.user_id
    if difference.verdict not in REPAIRABLE or missing == 0 or user_id is None:
        return None
    if difference.currency == "?":
        return None
    way = Direction.CREDIT if missing > 0 else Direction.DEBIT
    kind = difference.event_type or event_type
    has_moved = difference.verdict != "only_theirs" or difference.cause == "repeat"
    facet = None if kind is None else f"{kind}:{difference.direction}"
    return Repair(
        repair_id=repair_id(door, difference.transaction_id, difference.cause),
        user_id=user_id,
        direction=way.value,
        amount=plain(abs(missing)),
        currency=difference.currency,
        event_id=difference.ours_event_id or difference.event_id,
        stands_for_source=door,
        stands_for_transaction_id=difference.transaction_id,
        stands_for_event_type=kind,
        stands_for_direction=difference.direction,
        takes_facet=f"{EventType.ADJUSTMENT}:{way}" if has_moved else facet,
        verdict=difference.verdict,
        cause=difference.cause,
        reason=words_of(difference.verdict, difference.cause, difference.refusal),
    )


def repair_id(door: str, transaction_id: str, cause: str) -> str:
    """Derive a repair's id: the same for the same movement and cause, whatever report names it."""
    named = "|".join(f"{len(part)}:{part}" for part in (door, transaction_id, cause))
    return f"repair-{sha256(named.encode()).hexdigest()[:ID_DIGITS]}"


def plain(amount: Decimal) -> str:
    """An amount as text, without zeros at its end that nobody wrote: `12.5`, `300`."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
