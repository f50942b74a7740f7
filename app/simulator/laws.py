"""The contract's table of event types, as the simulator reads it.

A pair of event type and direction that is not in the table must be refused with code 400.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

Direction = Literal["debit", "credit"]
#: Streamer bets and credits keep apart from ordinary ones, even in the same event.
Family = Literal["play", "stream"]


class Kind(Enum):
    """What a movement does to the event and the pockets."""

    STAKE = auto()
    TIP = auto()
    CORRECTION = auto()
    NOTHING = auto()
    PAYMENT = auto()
    GIFT = auto()
    ABORT = auto()
    TAKE_BACK = auto()
    REOPEN = auto()


@dataclass(frozen=True, slots=True)
class Law:
    """One row of the table."""

    kind: Kind
    family: Family = "play"
    #: An expired token is refused with 410.
    live_token: bool = False
    #: Asks for a bet that stands or an accepted SportBetCancel in the event, else 406.
    needs_bet: bool = False
    #: A bonusCode that is not blank sends the money to the bonus pocket.
    bonus_by_code: bool = False
    #: Any amount but zero is refused with 400.
    only_zero: bool = False


LAWS: Mapping[tuple[str, Direction], Law] = {
    ("BetPlacing", "debit"): Law(Kind.STAKE, live_token=True),
    ("Win", "credit"): Law(Kind.PAYMENT, needs_bet=True, bonus_by_code=True),
    ("Lose", "credit"): Law(Kind.PAYMENT, needs_bet=True),
    ("Lose", "debit"): Law(Kind.NOTHING, needs_bet=True, only_zero=True),
    ("BetPlacingAbort", "credit"): Law(Kind.ABORT),
    ("BetPayedAbort", "debit"): Law(Kind.TAKE_BACK),
    ("SportBetCancel", "debit"): Law(Kind.REOPEN),
    ("Tip", "debit"): Law(Kind.TIP, live_token=True),
    ("PromoWin", "credit"): Law(Kind.GIFT, bonus_by_code=True),
    ("PromoWin", "debit"): Law(Kind.NOTHING, only_zero=True),
    ("technicalFix", "credit"): Law(Kind.GIFT),
    ("technicalFix", "debit"): Law(Kind.CORRECTION),
    ("DropAndWin", "credit"): Law(Kind.GIFT, bonus_by_code=True),
    ("DropAndWin", "debit"): Law(Kind.NOTHING, only_zero=True),
    ("PromoStreamersDebit", "debit"): Law(Kind.STAKE, "stream", live_token=True),
    ("PromoStreamersCredit", "credit"): Law(Kind.PAYMENT, "stream"),
    ("PromoStreamersBetPlacingAbort", "credit"): Law(Kind.ABORT, "stream"),
    ("PromoStreamersBetPayedAbort", "debit"): Law(Kind.TAKE_BACK, "stream"),
}


def usual_direction(event_type: str) -> Direction:
    """Return the direction in which an event type moves money; credit where it may be either."""
    return "credit" if (event_type, "credit") in LAWS else "debit"
