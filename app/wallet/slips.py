"""What a bet slip says: a bet's legs and figures, and what a settlement tells of them.

These are the words of the sportsbook, read from a movement's extraData. They serve reports and
alarms, and decide nothing: what a bet is worth is in the journal (`app/wallet/sport_bets.py`).
Everything is text as it was written, once it has been found to be readable.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

LEGS_MAX: Final = 100
"""Twice the largest slip that the sportsbook offers; what has more is not a slip of its."""

WORD_LENGTH_MAX: Final = 250
"""Of a name or an id; longer ones are cut, because no report shows more."""


class SlipShape(StrEnum):
    """In which shape a bet's slip came."""

    BETSLIP = "betslip"
    """with its legs"""
    SHORT = "short"
    """the older one: {status, placedBetId, result}"""


class SlipFault(StrEnum):
    """Why a text that looks like a slip was not read."""

    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    """nested deeper than can be read"""
    WRONG_TYPE = "wrong_type"
    """a name, a list or an object stands where another was expected"""
    BAD_NUMBER = "bad_number"
    """no plain decimal number, such as 1e400 or -1"""
    BAD_TEXT = "bad_text"
    """a character that cannot be stored"""
    BAD_TIME = "bad_time"
    TOO_MANY_LEGS = "too_many_legs"
    TOO_MANY_MOVEMENTS = "too_many_movements"
    """not the text's fault: its round is no bet's, and is left out as a whole"""


class FreeBet(StrEnum):
    """Who pays for a bet, or for its loss, if not the player: the sportsbook's own names."""

    REFUND = "freebet_refund"
    FREE_MONEY = "freebet_freemoney"
    NO_RISK = "no_risk"
    SNR = "snr"
    """the stake is not returned: only the profit is paid"""
    COMBO_BOOST = "comboboost"


PAID_BY_HOUSE: Final = frozenset({FreeBet.REFUND, FreeBet.FREE_MONEY, FreeBet.SNR})
"""Free bets of which everything that is paid is the bonus's cost."""


class Leg(NamedTuple):
    """One pick of a slip."""

    leg_id: str | None = None
    event_id: str | None = None
    sport_id: str | None = None
    category_id: str | None = None
    tournament_id: str | None = None
    sport: str | None = None
    category: str | None = None
    tournament: str | None = None
    competitors: str | None = None
    market: str | None = None
    outcome: str | None = None
    odds: str | None = None
    scheduled_at: datetime | None = None
    is_live: bool | None = None


class Betslip(NamedTuple):
    """A slip as a bet carries it. Numbers are decimal texts."""

    shape: SlipShape
    slip_id: str | None = None
    wins_needed: int | None = None
    """the k of the type k/n"""
    picks: int | None = None
    """the n"""
    total: str | None = None
    """the stake that the slip names, in minor units or in major ones"""
    total_odds: str | None = None
    currency: str | None = None
    potential_win: str | None = None
    potential_boost: str | None = None
    free_bet: str | None = None
    bonus_id: str | None = None
    is_quick: bool | None = None
    legs: tuple[Leg, ...] = ()


class Pick(NamedTuple):
    """What a settlement says of a leg."""

    leg_id: str | None = None
    event_id: str | None = None
    odds: str | None = None
    result: str | None = None


class Settlement(NamedTuple):
    """What a settlement's text says."""

    slip_id: str | None = None
    said: str | None = None
    """its word for the result: win, lost, refund, half_win, cash_out …"""
    odds: str | None = None
    is_cash_out: bool = False
    is_bonus: bool = False
    """a no-risk bet that was lost: what is paid is the bonus's cost"""
    picks: tuple[Pick, ...] = ()


class SlipText(NamedTuple):
    """Everything that one text says: a bet's slip, a settlement, or both."""

    betslip: Betslip | None
    settlement: Settlement | None


Reading: TypeAlias = SlipText | SlipFault | None
"""What became of a text; None: it is not about a slip."""
