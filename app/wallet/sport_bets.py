"""What stands of each sports bet, derived from its round's movements and from what they say.

A pure function of a round's accepted movements, oldest first. What stands comes from the journal
alone: which bet was given back, which payment was taken back. The words of the slip are kept
beside it, name the legs, and qualify how a payment came about; where words and money disagree,
that is a mismatch.

1. A bet stands until an abort gives it back, and again when a SportBetCancel undoes the abort.
2. A payment belongs to the bet whose slip it names; else to the latest bet that stands.
3. A payment stands as long as any part of it was not taken back; one of 0, until a SportBetCancel
   re-opens its bet. The last one that stands is the bet's result.
4. What a SportBetCancel took beyond all payments counts against the bet that it re-opened, so that
   the bets of a round add up to what the journal has of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from app.wallet.events import RULES, EventType, Figure, Part
from app.wallet.journal import Flag
from app.wallet.money import FIAT_SCALE_MAX, Minor
from app.wallet.slips import (
    PAID_BY_HOUSE,
    Betslip,
    Leg,
    Pick,
    Reading,
    Settlement,
    SlipFault,
    SlipText,
)

MOVEMENTS_MAX: Final = 500
"""Of one round; a slip that is settled anew every hour for three weeks has fewer."""


UNSETTLED: Final = "unsettled"
UNSETTLED_AFTER: Final = timedelta(days=3)
"""How long after its last leg an open bet is no late result any more, but a fault."""


class BetStatus(StrEnum):
    """How a sports bet stands."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    REFUNDED = "refunded"
    """settled with exactly its stake, and the slip says that it was given back"""
    CASHED_OUT = "cashed_out"
    GIVEN_BACK = "given_back"
    """an abort gave the stake back"""


class MismatchKind(StrEnum):
    """Where a slip and the journal disagree."""

    OTHER_SLIP = "other_slip"
    """a settlement names another slip than the bet that it settled"""
    DOUBLE_CASH_OUT = "double_cash_out"
    """a bet was cashed out twice in the same words, or paid again after it"""
    SUM_DIFFERS = "sum_differs"
    """the slip's stake is not what was debited"""
    PAID_ABOVE_POTENTIAL = "paid_above_potential"
    """more stands paid than the slip could win"""
    CANCEL_BEYOND_PAID = "cancel_beyond_paid"
    """a SportBetCancel took more than was paid"""
    SAYS_OTHERWISE = "says_otherwise"
    """the settlement says won and paid nothing, or says lost and paid"""


class RoundMovement(NamedTuple):
    """An accepted movement of a round; amounts in minor units."""

    player_id: int
    position: int
    event_id: str
    event_type: EventType
    amount: Minor
    bonus_part: Minor
    """of the amount, what was the bonus pocket's"""
    reverses: str
    flags: str
    at: datetime
    source: str
    transaction_id: str
    game_id: int | None
    currency: str
    scale: int


class Mismatch(NamedTuple):
    """A movement that does not fit its bet's slip."""

    position: int
    bet_position: int
    kind: MismatchKind
    expected: str | None
    told: str | None
    at: datetime


class LegNow(NamedTuple):
    """A leg, with its result as the last settlement that stands says it."""

    leg: Leg
    result: str | None


class SportBet(NamedTuple):
    """A sports bet as it stands; amounts in minor units."""

    placed: RoundMovement
    slip: Betslip | None
    fault: SlipFault | None
    """why its slip could not be read"""
    status: BetStatus
    said: str | None
    """the word of the settlement that stands"""
    told_stake: Minor | None
    potential_win: Minor | None
    """what the slip can win, boost included, as it says itself"""
    total_odds: str | None
    turnover: Minor
    """the stake, unless it was given back"""
    paid: Minor
    """what stands paid, less what a SportBetCancel took beyond that"""
    cash_out: Minor
    bonus_cost: Minor
    """of what stands paid, the part that is a bonus and not winnings"""
    settled_at: datetime | None
    last_leg_at: datetime | None
    live: str | None
    settlements: int
    reopenings: int
    legs: tuple[LegNow, ...]


class RoundNow(NamedTuple):
    """What a round's movements come to."""

    bets: list[SportBet]
    mismatches: list[Mismatch]


@dataclass(slots=True)
class _Payment:
    movement: RoundMovement
    words: Settlement | None
    left: Minor
    is_bonus: bool
    """whether the journal itself counts it as a bonus, and not as a payment"""
    is_over: bool = False
    """of a payment of 0: whether its bet was re-opened since"""

    @property
    def stands(self) -> bool:
        return self.left > 0 or (self.movement.amount == 0 and not self.is_over)


@dataclass(slots=True)
class _Bet:
    placed: RoundMovement
    slip: Betslip | None
    fault: SlipFault | None
    given_back_at: datetime | None = None
    payments: list[_Payment] = field(default_factory=list)
    uncovered: Minor = 0
    reopenings: int = 0

    @property
    def stands(self) -> bool:
        return self.given_back_at is None


_PARTS: Final = {kind: rule.part for kind, rule in RULES.items() if not rule.is_streamer}
_BONUSES: Final = {kind for kind, rule in RULES.items() if rule.counts_as is Figure.BONUSES}
_NAMED: Final = {kind for kind, rule in RULES.items() if getattr(rule, "is_named", False)}
"""Undo what they name and nothing else; the other door's leave it unnamed."""

_LOST: Final = frozenset({"lose", "lost"})
_WON: Final = frozenset({"win", "won", "half_win", "half-won", "cash_out"})
_BACK: Final = frozenset({"return", "refund", "canceled", "cancelled"})


def round_now(movements: Sequence[RoundMovement], readings: Sequence[Reading]) -> RoundNow | None:
    """Derive what stands of a round's bets; None: nothing in it is about a slip."""
    if not _is_sport(movements, readings):
        return None
    replay = _Replay()
    for movement, reading in zip(movements, readings, strict=True):
        replay.follow(movement, reading)
    bets = [_standing(bet) for bet in replay.bets]
    found = [m for bet, now in zip(replay.bets, bets, strict=True) for m in _mismatches(bet, now)]
    return RoundNow(bets, sorted([*replay.mismatches, *found]))


def _is_sport(movements: Sequence[RoundMovement], readings: Sequence[Reading]) -> bool:
    """Whether a bet has a slip, readable or not, or a settlement tells of one."""
    for movement, reading in zip(movements, readings, strict=True):
        if isinstance(reading, SlipFault):
            return True
        if reading is not None and (
            reading.betslip is not None or _PARTS.get(movement.event_type) is not Part.BET
        ):
            return True
    return False


class _Replay:
    """A round's bets and payments, as its movements made and undid them."""

    def __init__(self) -> None:
        self.bets: list[_Bet] = []
        self.mismatches: list[Mismatch] = []
        self._payments: dict[int, tuple[_Bet, _Payment]] = {}
        self._undone: dict[int, _Payment] = {}
        """the payment that a movement took back, by that movement's position"""
        self._aborts: dict[int, _Bet] = {}

    def follow(self, movement: RoundMovement, reading: Reading) -> None:
        said = reading if isinstance(reading, SlipText) else None
        match _PARTS.get(movement.event_type):
            case Part.BET:
                fault = reading if isinstance(reading, SlipFault) else None
                self.bets.append(_Bet(movement, said.betslip if said else None, fault))
            case Part.PAYMENT:
                self._pay(movement, said.settlement if said else None)
            case Part.ABORT:
                for position, _ in _reversals(movement.reverses):
                    bet = next((b for b in self.bets if b.placed.position == position), None)
                    if bet is not None:
                        bet.given_back_at = movement.at
                        self._aborts[movement.position] = bet
            case Part.PAYMENT_ABORT | Part.CANCEL:
                self._undo(movement)
            case _:
                pass

    def _pay(self, movement: RoundMovement, words: Settlement | None) -> None:
        if not self.bets:
            return
        again = [self._undone[at] for at, _ in _reversals(movement.reverses) if at in self._undone]
        # What stands again was settled in the words of the first time.
        words = words or (again[0].words if again else None)
        named = words.slip_id if words else None
        own = [b for b in self.bets if named is not None and b.slip and b.slip.slip_id == named]
        bet = next((b for b in reversed(own or self.bets) if b.stands), (own or self.bets)[-1])
        payment = _Payment(movement, words, movement.amount, movement.event_type in _BONUSES)
        bet.payments.append(payment)
        self._payments[movement.position] = (bet, payment)
        known = bet.slip.slip_id if bet.slip else None
        if named is not None and known is not None and named != known:
            self._note(movement, bet, MismatchKind.OTHER_SLIP, known, named)

    def _undo(self, movement: RoundMovement) -> None:
        left, touched = movement.amount, []
        for position, amount in _reversals(movement.reverses):
            if position in self._aborts:
                self._aborts[position].given_back_at = None
                touched.append(self._aborts[position])
                left = 0
            elif position in self._payments:
                bet, payment = self._payments[position]
                payment.left -= amount
                payment.is_over = True
                self._undone[movement.position] = payment
                left -= amount
                touched.append(bet)
        if not self.bets:
            return
        bet = touched[0] if touched else self.bets[-1]
        if _PARTS[movement.event_type] is Part.CANCEL:
            bet.reopenings += 1
            for payment in bet.payments if movement.event_type not in _NAMED else ():
                payment.is_over = True
        if movement.event_type not in _BONUSES:
            bet.uncovered += left
        if Flag.UNCOVERED.value in movement.flags.split(","):
            paid = str(movement.amount - left)
            self._note(movement, bet, MismatchKind.CANCEL_BEYOND_PAID, paid, str(movement.amount))

    def _note(
        self,
        movement: RoundMovement,
        bet: _Bet,
        kind: MismatchKind,
        expected: str | None,
        told: str | None,
    ) -> None:
        self.mismatches.append(
            Mismatch(movement.position, bet.placed.position, kind, expected, told, movement.at)
        )


def _reversals(text: str) -> list[tuple[int, Minor]]:
    """Return the positions that a movement reversed, and how much of each."""
    if not text:
        return []
    parts = (part.split("/") for part in text.split(","))
    return [(int(position), int(real) + int(bonus)) for position, real, bonus in parts]


def _standing(bet: _Bet) -> SportBet:
    standing = [payment for payment in bet.payments if payment.stands]
    last = standing[-1] if standing and bet.stands else None
    words = last.words if last else None
    stake, slip = bet.placed.amount, bet.slip
    decimals = _decimals(bet)
    is_house = slip is not None and slip.free_bet in PAID_BY_HOUSE
    settled_at = bet.given_back_at if last is None else last.movement.at
    legs = slip.legs if slip else ()
    scheduled = [leg.scheduled_at for leg in legs if leg.scheduled_at is not None]
    return SportBet(
        placed=bet.placed,
        slip=slip,
        fault=bet.fault,
        status=_status(bet, last),
        said=_said(words),
        told_stake=_minor(slip.total, decimals, bet) if slip else None,
        potential_win=_potential(bet, decimals),
        total_odds=(slip.total_odds or (legs[0].odds if len(legs) == 1 else None))
        if slip
        else None,
        turnover=stake if bet.stands else 0,
        paid=sum(p.left for p in bet.payments if not p.is_bonus) - bet.uncovered,
        cash_out=sum(p.left for p in standing if p.words and p.words.is_cash_out),
        bonus_cost=sum(
            p.left for p in standing if p.is_bonus or is_house or (p.words and p.words.is_bonus)
        ),
        settled_at=settled_at,
        last_leg_at=max(scheduled, default=None),
        live=_live(legs),
        settlements=len(bet.payments),
        reopenings=bet.reopenings,
        legs=_legs_now(legs, words.picks if words else ()),
    )


def _status(bet: _Bet, last: _Payment | None) -> BetStatus:
    if not bet.stands:
        return BetStatus.GIVEN_BACK
    if last is None:
        return BetStatus.OPEN
    if last.words and last.words.is_cash_out:
        return BetStatus.CASHED_OUT
    if last.left == 0:
        return BetStatus.LOST
    if last.left == bet.placed.amount and _said(last.words) in _BACK:
        return BetStatus.REFUNDED
    return BetStatus.WON


def _total_odds(slip: Betslip | None) -> str | None:
    if slip is None or slip.total_odds is not None:
        return slip.total_odds if slip else None
    return slip.legs[0].odds if len(slip.legs) == 1 else None


def _said(words: Settlement | None) -> str | None:
    if words is None:
        return None
    return words.said.lower() if words.said else None


def _live(legs: tuple[Leg, ...]) -> str | None:
    told = {leg.is_live for leg in legs} - {None}
    if not told:
        return None
    return "mixed" if len(told) > 1 else ("live" if True in told else "prematch")


def _legs_now(legs: tuple[Leg, ...], picks: tuple[Pick, ...]) -> tuple[LegNow, ...]:
    """Return the legs with their results: of a pick with the leg's id, else with its event's."""
    if not legs:
        return tuple(
            LegNow(Leg(pick.leg_id, pick.event_id, odds=pick.odds), pick.result) for pick in picks
        )
    by_leg = {pick.leg_id: pick.result for pick in picks if pick.leg_id}
    by_event = {pick.event_id: pick.result for pick in picks if pick.event_id}
    return tuple(
        LegNow(leg, by_leg.get(leg.leg_id or "") or by_event.get(leg.event_id or ""))
        for leg in legs
    )


# --- the slip's amounts -------------------------------------------------------------------------


def _decimals(bet: _Bet) -> int | None:
    """Return how many decimal places the slip's whole numbers have; None: it cannot be told.

    The sportsbook writes minor units, and a door between may have made major units of them. The
    stake, which the journal knows, tells which. A crypto currency's units may be others than ours.
    """
    slip, stake, scale = bet.slip, bet.placed.amount, bet.placed.scale
    if slip is None or slip.total is None:
        return None
    if stake == 0:
        return 0 if "." in slip.total else scale
    possible = [scale, 0, *(range(1, 9) if scale > FIAT_SCALE_MAX else ())]
    return next((n for n in possible if _shifted(slip.total, scale - n) == stake), None)


def _shifted(text: str, places: int) -> Minor:
    """Multiply a decimal text by a power of ten; what is finer than 1 is cut off."""
    whole, _, fraction = text.partition(".")
    places -= len(fraction)
    digits = int(whole + fraction)
    return Minor(digits * 10**places if places >= 0 else digits // 10**-places)


def _minor(text: str | None, decimals: int | None, bet: _Bet) -> Minor | None:
    if text is None:
        return None
    if decimals is None:
        decimals = 0 if "." in text else bet.placed.scale
    return _shifted(text, bet.placed.scale - decimals)


def _potential(bet: _Bet, decimals: int | None) -> Minor | None:
    if bet.slip is None or bet.slip.potential_win is None:
        return None
    won = _minor(bet.slip.potential_win, decimals, bet)
    boost = _minor(bet.slip.potential_boost, decimals, bet)
    return (won or 0) + (boost or 0)


# --- where words and money disagree -------------------------------------------------------------


def _mismatches(bet: _Bet, now: SportBet) -> list[Mismatch]:
    found: list[Mismatch] = []

    def note(movement: RoundMovement, kind: MismatchKind, expected: object, told: object) -> None:
        found.append(
            Mismatch(
                movement.position, bet.placed.position, kind, str(expected), str(told), movement.at
            )
        )

    slip, stake = bet.slip, bet.placed.amount
    has_total = slip is not None and slip.total is not None
    if has_total and stake > 0 and _decimals(bet) is None:
        note(bet.placed, MismatchKind.SUM_DIFFERS, stake, now.told_stake)
    standing = [payment for payment in bet.payments if payment.stands and bet.stands]
    for earlier, later in _double_cash_outs(standing):
        note(
            later.movement,
            MismatchKind.DOUBLE_CASH_OUT,
            earlier.movement.transaction_id,
            later.movement.transaction_id,
        )
    sum_is_known = has_total and _decimals(bet) is not None
    paid = sum(payment.left for payment in standing)
    if standing and sum_is_known and now.potential_win is not None and paid > now.potential_win:
        note(standing[-1].movement, MismatchKind.PAID_ABOVE_POTENTIAL, now.potential_win, paid)
    if standing and stake > 0 and _says_otherwise(standing[-1]):
        note(standing[-1].movement, MismatchKind.SAYS_OTHERWISE, standing[-1].left, now.said)
    return found


def _double_cash_outs(standing: list[_Payment]) -> list[tuple[_Payment, _Payment]]:
    """Return cash-outs with an earlier one of the same words and amount.

    A bet may be cashed out in parts, each at the odds of its moment. The same amount at the same
    odds is the same cash-out under two ids.
    """
    seen: dict[tuple[object, ...], _Payment] = {}
    found = []
    for payment in standing:
        words = payment.words
        if words is None or not words.is_cash_out or payment.left == 0:
            continue
        same = (payment.movement.amount, words.odds, words.picks)
        if same in seen:
            found.append((seen[same], payment))
        else:
            seen[same] = payment
    return found


def _says_otherwise(payment: _Payment) -> bool:
    said, words = _said(payment.words), payment.words
    if words is None or said is None:
        return False
    if said in _LOST:
        return payment.left > 0 and not words.is_bonus and not payment.is_bonus
    return said in _WON | _BACK and payment.left == 0
