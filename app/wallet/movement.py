"""A movement is a request to move funds; its key makes it happen at most once."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from app.wallet.events import RULES, Direction, EventType, Pocket, Rule
from app.wallet.holds import HoldKey


class KeyScope(StrEnum):
    """What makes two movements the same (WALLET_KEY_SCOPE; callback contract, section 5)."""

    TRANSACTION = "transaction"
    TRANSACTION_EVENT = "transaction_event"


class Key(NamedTuple):
    """The idempotency key: unique in the ledger, kept as long as the ledger."""

    source: str
    """`callback`, or the id of the agent that sent it through the transfer API"""
    transaction_id: str
    facet: str
    """empty, or the event type and direction where movements may share a transaction id"""


def facet_of(event_type: EventType, direction: Direction, scope: KeyScope) -> str:
    """Return the facet of a game movement's key.

    PromoWin's debit (allowed at 0 only) has a facet in either scope, so that it never takes the
    transaction id of its credit.
    """
    if scope is KeyScope.TRANSACTION_EVENT or (
        event_type is EventType.PROMO_WIN and direction is Direction.DEBIT
    ):
        return facet_of_type(event_type, direction)
    return ""


def facet_of_type(event_type: EventType, direction: Direction) -> str:
    """The facet of a key in its wide form."""
    return f"{event_type}:{direction}"


class Names(NamedTuple):
    """What a movement of Betby's contract refers to, by place in the same wallet's journal."""

    bet: int | None = None
    """the bet that it pays or gives back; None: it is the bet, or its discard"""
    parent: int | None = None
    """the operation that a rollback undoes"""
    is_discard: bool = False
    """Whether it takes the key of a bet that shall never come.

    It is a movement of the bet's own type, so that of it and the bet one finds the other.
    """


class Movement(NamedTuple):
    """One request to move funds, parsed but not yet decided."""

    delivery: bytes
    """16 random bytes that identify this delivery; a repeat of the request is another delivery"""
    key: Key
    user_id: str
    event_type: EventType
    direction: Direction
    amount: str
    """major units as sent, matching AMOUNT_PATTERN; its scale is checked against the wallet's"""
    received_at: datetime
    token: bytes | None = None
    """SHA-256 of the session token; None for the cashier's movements, which carry none"""
    event_id: str | None = None
    game_id: int | None = None
    bonus_code: str | None = None
    extra_data: str | None = None
    """as sent; it is not signed, so no rule may depend on it"""
    hold: HoldKey | None = None
    """the hold that this movement settles or releases"""
    is_vetoed: bool = False
    """whether a deposit's check did not allow it, or is missing where one is required"""
    pocket: Pocket | None = None
    """the pocket that an adjustment moves; None: the event type's rule says which"""
    names: Names | None = None
    """what a movement of Betby's contract refers to"""
    currency: str | None = None
    """the currency that it was asked in, where the contract names one"""

    @property
    def rule(self) -> Rule:
        """The row of the event table for this movement."""
        return RULES[self.event_type]

    def facts(self) -> dict[str, object]:
        """What a log line says of it; never its token."""
        return {
            "transaction_id": self.key.transaction_id,
            "event_type": self.event_type.value,
            "direction": self.direction.value,
            "amount": self.amount,
            "user_id": self.user_id,
            "event_id": self.event_id,
            "delivery": self.delivery.hex(),
        }
