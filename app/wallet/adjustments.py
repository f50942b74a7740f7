"""Adjustments: money that two of the operator's people move by hand, and how one is decided.

One person asks, another one approves, and then one movement `Adjustment` is made. Its key cannot be
used twice: it is that of the refused movement which it settles, in the wide form, or else an id
derived from the request's number (callback contract, section 5).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from app.wallet.balance import Pockets, bonus_only, real_only
from app.wallet.events import Direction, Pocket
from app.wallet.money import Currency, Minor
from app.wallet.movement import Key
from app.wallet.refusals import Refusal

SOURCE: Final = "wallet:adjustment"
"""The source of a key that is derived; an agent's id has no colon."""

LIFE: Final = timedelta(days=7)
"""How long a request waits for its decision: over a weekend and a holiday, and not for ever."""


class AdjustmentReason(StrEnum):
    """Why money is moved by hand."""

    REFUSED_MOVEMENT = "refused_movement"
    """a movement that was refused, and whose money is due"""
    WRONG_SETTLEMENT = "wrong_settlement"
    """the game side settled a bet wrongly and does not correct it"""
    PAID_TWICE = "paid_twice"
    DEBT_FORGIVEN = "debt_forgiven"
    GOODWILL = "goodwill"
    CHARGEBACK = "chargeback"
    """a deposit was claimed back from the bank"""
    RECONCILIATION = "reconciliation"
    """a difference between our books and the game side's"""
    MISTAKEN_ADJUSTMENT = "mistaken_adjustment"
    """undoes an adjustment"""


class AdjustmentState(StrEnum):
    """What has become of a request."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    """nobody decided in time"""


class Signature(NamedTuple):
    """Who acted, as it is written down."""

    name: str
    is_verified: bool
    """they had signed in; an unverified name may be anybody's"""
    via: str
    """page or console"""
    came_from: str
    """an address, or a terminal"""
    at: datetime


class RefusedMovement(NamedTuple):
    """The movement that an adjustment settles."""

    key: Key
    """in the wide form"""
    event_id: str | None


class Adjustment(NamedTuple):
    """A request, and what has become of it. The amount is in minor units of `currency`."""

    adjustment_id: int
    player_id: int
    user_id: str
    direction: Direction
    pocket: Pocket
    amount: Minor
    currency: Currency
    reason: AdjustmentReason
    ticket: str
    note: str | None
    settles: RefusedMovement | None
    proposed: Signature
    expires_at: datetime
    state: AdjustmentState
    decided: Signature | None
    """None: open or expired"""
    decision_note: str | None
    position: int | None
    """of its movement, if it was approved"""
    moved_by: str | None = None
    """Who approved it, where the money has moved and the decision does not stand beside it yet.

    Only a ledger on several nodes can be left so, by a process that died between the two; whoever
    approves it again has the decision written."""

    @property
    def key(self) -> Key:
        """The key that its movement takes: no second movement can ever have it."""
        return self.own_key if self.settles is None else self.settles.key

    @property
    def own_key(self) -> Key:
        """The key derived from the request's number."""
        return Key(SOURCE, f"adjustment-{self.adjustment_id}", "")


def pockets_after(
    pockets: Pockets, amount: Minor, currency: Currency, direction: Direction, pocket: Pocket
) -> Pockets | Refusal:
    """Return the pockets as an adjustment would leave them now, or why it would be refused.

    It moves the named pocket and no other: a credit to bonus pays no debt of real, and a debit
    never takes a pocket below zero.
    """
    part = Pockets(amount, 0) if pocket is Pocket.REAL else Pockets(0, amount)
    if direction is Direction.DEBIT:
        take = real_only if pocket is Pocket.REAL else bonus_only
        if take(pockets, amount) is None:
            return Refusal.INSUFFICIENT_FUNDS
        return pockets.minus(part)
    after = pockets.plus(part)
    is_too_large = max(after.real, after.bonus, after.balance) > currency.maximum
    return Refusal.BALANCE_TOO_LARGE if is_too_large else after


def is_one_person(proposed: Signature, name: str, *, is_verified: bool) -> bool:
    """Whether who decides may be who asked; an unverified name may be anybody's."""
    return proposed.name == name or not (proposed.is_verified and is_verified)
