"""The event table: every event type and its rules, as data (callback contract, section 3).

A new event type is a new row; no handler branches on the type. Beside the row here, a new type
needs its row in the table `event_types`, which views and reports join (a migration, which also
widens the two checks of `movements` that name event types), its row in the contract, and its row in
`app/simulator/laws.py`, which shares no code with this package on purpose.
Tests hold all four equal; `tests/event_types` takes the steps with a type that does not exist.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final


class Direction(StrEnum):
    """The direction of a movement from the wallet's point of view: a credit raises the balance."""

    DEBIT = "debit"
    CREDIT = "credit"


class EventType(StrEnum):
    """Every event type: the contracts', adjustments, and what an import brings in."""

    BET_PLACING = "BetPlacing"
    WIN = "Win"
    LOSE = "Lose"
    BET_PLACING_ABORT = "BetPlacingAbort"
    BET_PAYED_ABORT = "BetPayedAbort"
    SPORT_BET_CANCEL = "SportBetCancel"
    TIP = "Tip"
    PROMO_WIN = "PromoWin"
    TECHNICAL_FIX = "technicalFix"
    DROP_AND_WIN = "DropAndWin"
    PROMO_STREAMERS_DEBIT = "PromoStreamersDebit"
    PROMO_STREAMERS_CREDIT = "PromoStreamersCredit"
    PROMO_STREAMERS_BET_PLACING_ABORT = "PromoStreamersBetPlacingAbort"
    PROMO_STREAMERS_BET_PAYED_ABORT = "PromoStreamersBetPayedAbort"
    DEPOSIT = "Deposit"
    WITHDRAWAL = "Withdrawal"
    BONUS_GRANT = "BonusGrant"
    BONUS_REVOKE = "BonusRevoke"
    WITHDRAWAL_HOLD = "WithdrawalHold"
    WITHDRAWAL_SETTLE = "WithdrawalSettle"
    WITHDRAWAL_RELEASE = "WithdrawalRelease"
    ADJUSTMENT = "Adjustment"
    IMPORT = "Import"
    IMPORTED_BET = "ImportedBet"
    IMPORTED_PAYMENT = "ImportedPayment"
    BETBY_MAKE = "BetbyMake"
    BETBY_WIN = "BetbyWin"
    BETBY_LOST = "BetbyLost"
    BETBY_NO_RISK = "BetbyNoRisk"
    BETBY_REFUND = "BetbyRefund"
    BETBY_DISCARD = "BetbyDiscard"
    BETBY_ROLLBACK = "BetbyRollback"
    BETBY_NO_RISK_ROLLBACK = "BetbyNoRiskRollback"
    BETBY_WIN_AGAIN = "BetbyWinAgain"
    BETBY_NO_RISK_AGAIN = "BetbyNoRiskAgain"
    BETBY_REFUND_AGAIN = "BetbyRefundAgain"
    BETBY_NO_EFFECT = "BetbyNoEffect"


class Pocket(StrEnum):
    """A pocket of a wallet, named by whoever moves money in that one alone."""

    REAL = "real"
    BONUS = "bonus"


class Part(StrEnum):
    """The part a movement plays in its round."""

    BET = auto()
    """a bet: opens the event's round or adds to it"""
    PAYMENT = auto()
    """pays out; may need an open bet, or an accepted SportBetCancel"""
    ABORT = auto()
    """voids a bet"""
    PAYMENT_ABORT = auto()
    """reverses a payment"""
    CANCEL = auto()
    """re-opens a settled bet; never refused"""
    NONE = auto()
    """belongs to no round"""


class DebitFrom(Enum):
    """Which pockets a debit is taken from."""

    STAKE_ORDER = auto()
    REAL = auto()
    BONUS = auto()
    AS_PAID = auto()
    """in the parts in which the reversed payment was credited"""
    HOLD = auto()
    """from a hold, which had left the pockets when it was made: no pocket changes"""
    NAMED = auto()
    """from the pocket that the movement names"""


class CreditTo(Enum):
    """Which pocket a credit goes to."""

    REAL = auto()
    BONUS = auto()
    """all to bonus, even while real is negative: grants only"""
    BONUS_BY_CODE = auto()
    """bonus with a bonusCode, else real"""
    STAKES_OR_BONUS_BY_CODE = auto()
    """bonus with a bonusCode, else in the proportion of the open bets' stakes"""
    STAKES = auto()
    """in the proportion of the open bets' stakes"""
    AS_STAKED = auto()
    """as the stake of the voided bet was split"""
    NAMED = auto()
    """all to the pocket that the movement names, even to bonus while real is negative"""


class HouseAccount(StrEnum):
    """The contra account of a posting; its balance is summed from the journal, never stored."""

    GAMES = "house:games"
    STREAMERS = "house:streamers"
    TIPS = "house:tips"
    PROMOTIONS = "house:promotions"
    CORRECTIONS = "house:corrections"
    CASHIER = "house:cashier"
    PENDING = "house:pending"
    """withdrawals under way: no longer the player's to play with, and not paid out yet"""
    BONUSES = "house:bonuses"
    ADJUSTMENTS = "house:adjustments"
    IMPORTS = "house:imports"
    """opening balances: what players had in the wallet that they came from"""


class Figure(StrEnum):
    """The figure of the reports that a movement counts in; every event type counts in one."""

    TURNOVER = auto()
    """stakes placed, less stakes returned"""
    PAYMENTS = auto()
    """wins and other payments, less reversals of them"""
    BONUSES = auto()
    PROMOTIONS = auto()
    TIPS = auto()
    CORRECTIONS = auto()
    DEPOSITS = auto()
    WITHDRAWALS = auto()
    PENDING = auto()
    """withdrawals under way: held, less settled and released"""
    STREAMER_TURNOVER = auto()
    """the stakes of streamers, which no figure of revenue contains"""
    STREAMER_PAYMENTS = auto()
    ADJUSTMENTS = auto()
    """what two people moved by hand, which no other figure contains"""
    IMPORTS = auto()
    """what came in from another wallet, whose books have counted it"""


class LimitEffect(Enum):
    """How a movement counts towards a player's limits."""

    NONE = auto()
    STAKE = auto()
    """adds to stake and loss"""
    TIP = auto()
    """adds to loss only"""
    PAYMENT = auto()
    """a payment lowers the loss, its reversal raises it"""
    STAKE_RETURN = auto()
    """subtracts from stake and loss on the day on which the bet was placed"""
    DEPOSIT = auto()
    """counts as deposited; nothing lowers that"""


class HoldPart(Enum):
    """What a movement does to a withdrawal under way."""

    OPEN = auto()
    SETTLE = auto()
    RELEASE = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the event table. Defaults are the most frequent values."""

    words: str
    """the name of such a movement in a statement for people"""
    directions: frozenset[Direction]
    part: Part
    contra: HouseAccount
    counts_as: Figure
    needs_bet: bool = False
    """a payment that needs an open bet in the event, or an accepted SportBetCancel"""
    zero_only: frozenset[Direction] = frozenset()
    """directions that are tolerated with an amount of 0 only"""
    debit_from: DebitFrom = DebitFrom.STAKE_ORDER
    credit_to: CreditTo = CreditTo.REAL
    may_overdraw: bool = False
    is_play: bool = False
    """a debit of play: needs a live token, is refused for a block, counts against limits"""
    is_streamer: bool = False
    is_cashier: bool = False
    """sent by the operator's own platform through the transfer API"""
    is_manual: bool = False
    """Made by the operator's own people: no contract may name it.

    Its refusal is never final, because it would stand under another movement's key.
    """
    is_named: bool = False
    """Of Betby's own contract: whatever it pays or undoes, it names by its place in the journal.

    Its rounds are its own (`wallet.named`): what the callback API leaves unnamed never finds them.
    """
    refused_when_blocked: bool = False
    limit_effect: LimitEffect = LimitEffect.NONE
    hold: HoldPart | None = None
    moves_from: HouseAccount | None = None
    """the house account that pays instead of the player's pockets"""


_DEBIT: Final = frozenset({Direction.DEBIT})
_CREDIT: Final = frozenset({Direction.CREDIT})
_BOTH: Final = _DEBIT | _CREDIT

RULES: Final[dict[EventType, Rule]] = {
    EventType.BET_PLACING: Rule(
        "bet",
        _DEBIT,
        Part.BET,
        HouseAccount.GAMES,
        Figure.TURNOVER,
        is_play=True,
        refused_when_blocked=True,
        limit_effect=LimitEffect.STAKE,
    ),
    EventType.WIN: Rule(
        "win",
        _CREDIT,
        Part.PAYMENT,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        needs_bet=True,
        credit_to=CreditTo.STAKES_OR_BONUS_BY_CODE,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.LOSE: Rule(
        "bet settled without a win",
        _BOTH,
        Part.PAYMENT,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        needs_bet=True,
        zero_only=_DEBIT,
        credit_to=CreditTo.STAKES,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.BET_PLACING_ABORT: Rule(
        "bet given back",
        _CREDIT,
        Part.ABORT,
        HouseAccount.GAMES,
        Figure.TURNOVER,
        credit_to=CreditTo.AS_STAKED,
        limit_effect=LimitEffect.STAKE_RETURN,
    ),
    EventType.BET_PAYED_ABORT: Rule(
        "payment taken back",
        _DEBIT,
        Part.PAYMENT_ABORT,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        debit_from=DebitFrom.AS_PAID,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.SPORT_BET_CANCEL: Rule(
        "settled sports bet re-opened",
        _DEBIT,
        Part.CANCEL,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        debit_from=DebitFrom.AS_PAID,
        may_overdraw=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.TIP: Rule(
        "tip",
        _DEBIT,
        Part.NONE,
        HouseAccount.TIPS,
        Figure.TIPS,
        debit_from=DebitFrom.REAL,
        is_play=True,
        refused_when_blocked=True,
        limit_effect=LimitEffect.TIP,
    ),
    EventType.PROMO_WIN: Rule(
        "promotion prize",
        _BOTH,
        Part.NONE,
        HouseAccount.PROMOTIONS,
        Figure.PROMOTIONS,
        zero_only=_DEBIT,
        credit_to=CreditTo.BONUS_BY_CODE,
    ),
    EventType.TECHNICAL_FIX: Rule(
        "correction",
        _BOTH,
        Part.NONE,
        HouseAccount.CORRECTIONS,
        Figure.CORRECTIONS,
    ),
    EventType.DROP_AND_WIN: Rule(
        "drop-and-win prize",
        _BOTH,
        Part.NONE,
        HouseAccount.PROMOTIONS,
        Figure.PROMOTIONS,
        zero_only=_DEBIT,
        credit_to=CreditTo.BONUS_BY_CODE,
    ),
    EventType.PROMO_STREAMERS_DEBIT: Rule(
        "streamer bet",
        _DEBIT,
        Part.BET,
        HouseAccount.STREAMERS,
        Figure.STREAMER_TURNOVER,
        is_play=True,
        is_streamer=True,
        refused_when_blocked=True,
        limit_effect=LimitEffect.STAKE,
    ),
    EventType.PROMO_STREAMERS_CREDIT: Rule(
        "streamer win",
        _CREDIT,
        Part.PAYMENT,
        HouseAccount.STREAMERS,
        Figure.STREAMER_PAYMENTS,
        credit_to=CreditTo.STAKES,
        is_streamer=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.PROMO_STREAMERS_BET_PLACING_ABORT: Rule(
        "streamer bet given back",
        _CREDIT,
        Part.ABORT,
        HouseAccount.STREAMERS,
        Figure.STREAMER_TURNOVER,
        credit_to=CreditTo.AS_STAKED,
        is_streamer=True,
        limit_effect=LimitEffect.STAKE_RETURN,
    ),
    EventType.PROMO_STREAMERS_BET_PAYED_ABORT: Rule(
        "streamer win taken back",
        _DEBIT,
        Part.PAYMENT_ABORT,
        HouseAccount.STREAMERS,
        Figure.STREAMER_PAYMENTS,
        debit_from=DebitFrom.AS_PAID,
        is_streamer=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.DEPOSIT: Rule(
        "deposit",
        _CREDIT,
        Part.NONE,
        HouseAccount.CASHIER,
        Figure.DEPOSITS,
        is_cashier=True,
        refused_when_blocked=True,
        limit_effect=LimitEffect.DEPOSIT,
    ),
    EventType.WITHDRAWAL: Rule(
        "withdrawal",
        _DEBIT,
        Part.NONE,
        HouseAccount.CASHIER,
        Figure.WITHDRAWALS,
        debit_from=DebitFrom.REAL,
        is_cashier=True,
    ),
    EventType.BONUS_GRANT: Rule(
        "bonus granted",
        _CREDIT,
        Part.NONE,
        HouseAccount.BONUSES,
        Figure.BONUSES,
        credit_to=CreditTo.BONUS,
        is_cashier=True,
        refused_when_blocked=True,
    ),
    EventType.BONUS_REVOKE: Rule(
        "bonus revoked",
        _DEBIT,
        Part.NONE,
        HouseAccount.BONUSES,
        Figure.BONUSES,
        debit_from=DebitFrom.BONUS,
        is_cashier=True,
        refused_when_blocked=True,
    ),
    EventType.WITHDRAWAL_HOLD: Rule(
        "withdrawal under way",
        _DEBIT,
        Part.NONE,
        HouseAccount.PENDING,
        Figure.PENDING,
        debit_from=DebitFrom.REAL,
        is_cashier=True,
        hold=HoldPart.OPEN,
    ),
    EventType.WITHDRAWAL_SETTLE: Rule(
        "withdrawal paid out",
        _DEBIT,
        Part.NONE,
        HouseAccount.CASHIER,
        Figure.WITHDRAWALS,
        debit_from=DebitFrom.HOLD,
        is_cashier=True,
        hold=HoldPart.SETTLE,
        moves_from=HouseAccount.PENDING,
    ),
    EventType.WITHDRAWAL_RELEASE: Rule(
        "withdrawal given back",
        _CREDIT,
        Part.NONE,
        HouseAccount.PENDING,
        Figure.PENDING,
        is_cashier=True,
        hold=HoldPart.RELEASE,
    ),
    EventType.ADJUSTMENT: Rule(
        "adjustment",
        _BOTH,
        Part.NONE,
        HouseAccount.ADJUSTMENTS,
        Figure.ADJUSTMENTS,
        debit_from=DebitFrom.NAMED,
        credit_to=CreditTo.NAMED,
        is_manual=True,
    ),
    EventType.IMPORT: Rule(
        "balance brought in",
        _BOTH,
        Part.NONE,
        HouseAccount.IMPORTS,
        Figure.IMPORTS,
        debit_from=DebitFrom.NAMED,
        credit_to=CreditTo.NAMED,
        may_overdraw=True,
        is_manual=True,
    ),
    EventType.IMPORTED_BET: Rule(
        "open bet brought in",
        _DEBIT,
        Part.BET,
        HouseAccount.IMPORTS,
        Figure.IMPORTS,
        debit_from=DebitFrom.NAMED,
        may_overdraw=True,
        is_manual=True,
    ),
    EventType.IMPORTED_PAYMENT: Rule(
        "payment brought in",
        _CREDIT,
        Part.PAYMENT,
        HouseAccount.IMPORTS,
        Figure.IMPORTS,
        credit_to=CreditTo.NAMED,
        is_manual=True,
    ),
    EventType.BETBY_MAKE: Rule(
        "Betby bet",
        _DEBIT,
        Part.BET,
        HouseAccount.GAMES,
        Figure.TURNOVER,
        is_play=True,
        is_named=True,
        refused_when_blocked=True,
        limit_effect=LimitEffect.STAKE,
    ),
    EventType.BETBY_WIN: Rule(
        "Betby win",
        _CREDIT,
        Part.PAYMENT,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        needs_bet=True,
        credit_to=CreditTo.STAKES_OR_BONUS_BY_CODE,
        is_named=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.BETBY_LOST: Rule(
        "Betby bet lost",
        _CREDIT,
        Part.PAYMENT,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        needs_bet=True,
        zero_only=_CREDIT,
        credit_to=CreditTo.STAKES,
        is_named=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.BETBY_NO_RISK: Rule(
        "Betby no-risk bet given back",
        _CREDIT,
        Part.PAYMENT,
        HouseAccount.BONUSES,
        Figure.BONUSES,
        needs_bet=True,
        credit_to=CreditTo.STAKES_OR_BONUS_BY_CODE,
        is_named=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.BETBY_REFUND: Rule(
        "Betby bet given back",
        _CREDIT,
        Part.ABORT,
        HouseAccount.GAMES,
        Figure.TURNOVER,
        credit_to=CreditTo.AS_STAKED,
        is_named=True,
        limit_effect=LimitEffect.STAKE_RETURN,
    ),
    EventType.BETBY_DISCARD: Rule(
        "Betby bet discarded",
        _CREDIT,
        Part.ABORT,
        HouseAccount.GAMES,
        Figure.TURNOVER,
        credit_to=CreditTo.AS_STAKED,
        is_named=True,
        limit_effect=LimitEffect.STAKE_RETURN,
    ),
    EventType.BETBY_ROLLBACK: Rule(
        "Betby settlement rolled back",
        _DEBIT,
        Part.CANCEL,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        debit_from=DebitFrom.AS_PAID,
        may_overdraw=True,
        is_named=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.BETBY_NO_RISK_ROLLBACK: Rule(
        "Betby no-risk bet rolled back",
        _DEBIT,
        Part.CANCEL,
        HouseAccount.BONUSES,
        Figure.BONUSES,
        debit_from=DebitFrom.AS_PAID,
        may_overdraw=True,
        is_named=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.BETBY_WIN_AGAIN: Rule(
        "Betby settlement stands again",
        _CREDIT,
        Part.PAYMENT,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        credit_to=CreditTo.AS_STAKED,
        is_named=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.BETBY_NO_RISK_AGAIN: Rule(
        "Betby no-risk bet given back again",
        _CREDIT,
        Part.PAYMENT,
        HouseAccount.BONUSES,
        Figure.BONUSES,
        credit_to=CreditTo.AS_STAKED,
        is_named=True,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.BETBY_REFUND_AGAIN: Rule(
        "Betby bet given back again",
        _CREDIT,
        Part.ABORT,
        HouseAccount.GAMES,
        Figure.TURNOVER,
        credit_to=CreditTo.AS_STAKED,
        is_named=True,
        limit_effect=LimitEffect.STAKE_RETURN,
    ),
    EventType.BETBY_NO_EFFECT: Rule(
        "Betby: nothing left to undo",
        _CREDIT,
        Part.NONE,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        zero_only=_CREDIT,
        is_named=True,
    ),
}

if set(RULES) != set(EventType):
    raise AssertionError("the event table must have a row for every event type")

GAME_EVENT_TYPES: Final = frozenset(
    kind for kind, rule in RULES.items() if not (rule.is_cashier or rule.is_manual or rule.is_named)
)
"""The event types that the callback API may name."""


def is_allowed(event_type: EventType, direction: Direction, *, amount_is_zero: bool) -> bool:
    """Whether the table allows this event type in this direction; if not, the answer is 400."""
    rule = RULES[event_type]
    return direction in rule.directions and (direction not in rule.zero_only or amount_is_zero)
