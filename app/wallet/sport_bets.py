"""What stands of each sports bet, derived from its round's movements and from what they say.

A pure function of a round's accepted movements, oldest first. What stands comes from the journal
alone: which bet was given back, which payment was taken back (`sport_round`). The words of the slip
are kept beside it, name the legs, and qualify how a payment came about; where words and money
disagree, that is a mismatch (`slip_checks`). The last payment that stands is the bet's result.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from app.wallet.money import Minor
from app.wallet.slip_amounts import amount_of
from app.wallet.slip_checks import BACK, mismatches, said_by
from app.wallet.slips import PAID_BY_HOUSE, Betslip, Leg, Pick, Reading, SlipFault
from app.wallet.sport_round import Bet, Mismatch, Payment, Replay, RoundMovement, is_sport

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


def round_now(movements: Sequence[RoundMovement], readings: Sequence[Reading]) -> RoundNow | None:
    """Derive what stands of a round's bets; None: nothing in it is about a slip."""
    if not is_sport(movements, readings):
        return None
    replay = Replay()
    for movement, reading in zip(movements, readings, strict=True):
        replay.follow(movement, reading)
    bets = [_standing(bet) for bet in replay.bets]
    found = [
        mismatch
        for bet, now in zip(replay.bets, bets, strict=True)
        for mismatch in mismatches(bet, now.told_stake, now.potential_win)
    ]
    return RoundNow(bets, sorted([*replay.mismatches, *found]))


def _standing(bet: Bet) -> SportBet:
    standing = [payment for payment in bet.payments if payment.stands]
    last = standing[-1] if standing and bet.stands else None
    words = last.words if last else None
    stake, slip = bet.placed.amount, bet.slip
    told_stake, potential_win = _told(bet)
    is_house = slip is not None and slip.free_bet in PAID_BY_HOUSE
    settled_at = bet.given_back_at if last is None else last.movement.at
    legs = slip.legs if slip else ()
    scheduled = [leg.scheduled_at for leg in legs if leg.scheduled_at is not None]
    return SportBet(
        placed=bet.placed,
        slip=slip,
        fault=bet.fault,
        status=_status(bet, last),
        said=said_by(last),
        told_stake=told_stake,
        potential_win=potential_win,
        total_odds=_total_odds(slip),
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


def _status(bet: Bet, last: Payment | None) -> BetStatus:
    if not bet.stands:
        return BetStatus.GIVEN_BACK
    if last is None:
        return BetStatus.OPEN
    if last.words and last.words.is_cash_out:
        return BetStatus.CASHED_OUT
    if last.left == 0:
        return BetStatus.LOST
    if last.left == bet.placed.amount and said_by(last) in BACK:
        return BetStatus.REFUNDED
    return BetStatus.WON


def _total_odds(slip: Betslip | None) -> str | None:
    """Return the odds that the slip names, or those of its only leg."""
    if slip is None or slip.total_odds:
        return slip.total_odds if slip else None
    return slip.legs[0].odds if len(slip.legs) == 1 else None


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


def _told(bet: Bet) -> tuple[Minor | None, Minor | None]:
    """Return the stake that the slip names, and what it may win, boost included."""
    slip, decimals, scale = bet.slip, bet.decimals, bet.placed.scale
    if slip is None:
        return None, None
    stake, won, boost = (
        None if text is None else amount_of(text, decimals, scale)
        for text in (slip.total, slip.potential_win, slip.potential_boost)
    )
    return stake, None if won is None else won + (boost or 0)
