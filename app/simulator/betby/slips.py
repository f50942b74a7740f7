"""Slips as Betby writes them: singles, combos and systems, with legs, odds and free bets."""

from typing import Final

from app.simulator.dice import Dice

BONUSES: Final = (
    None,
    None,
    None,
    None,
    "freebet_refund",
    "freebet_freemoney",
    "no_risk",
    "snr",
    "comboboost",
)
#: The kinds whose stake the operator pays.
FREE: Final = frozenset({"freebet_refund", "freebet_freemoney"})

_SPORTS: Final = (("1", "Soccer"), ("2", "Basketball"), ("5", "Tennis"), ("109", "Counter-Strike"))
_MARKETS: Final = ("1x2", "Total", "Handicap", "Both teams to score")
_LEGS: Final = (1, 1, 1, 2, 3, 4, 5)


def draw_slip(dice: Dice, slip_id: str, units: int, currency: str, clock: int) -> dict[str, object]:
    """Draw a slip; `clock` is the moment of Betby's own clock, in seconds."""
    legs = dice.pick(_LEGS)
    chosen = dice.between(2, legs - 1) if legs > 3 and dice.chance(50) else legs  # noqa: PLR2004
    bets = [_leg(dice, f"{slip_id}-{number}", clock) for number in range(legs)]
    return {
        "id": slip_id,
        "type": f"{chosen}/{legs}",
        "sum": units,
        "k": f"{dice.between(105, 2500)}"[:-2] + "." + f"{dice.between(10, 99)}",
        "currency": currency,
        "timestamp": clock,
        "is_quick_bet": dice.chance(20),
        "bets": bets,
    }


def _leg(dice: Dice, leg_id: str, clock: int) -> dict[str, object]:
    sport, name = dice.pick(_SPORTS)
    return {
        "id": leg_id,
        "event_id": str(dice.between(10**17, 10**18)),
        "sport_id": sport,
        "sport_name": name,
        "category_name": dice.pick(("England", "Spain", "International")),
        "tournament_name": dice.pick(("Premier League", "La Liga", "Open")),
        "competitor_name": [f"Team {dice.between(1, 40)}", f"Team {dice.between(41, 80)}"],
        "market_name": dice.pick(_MARKETS),
        "outcome_name": dice.pick(("1", "X", "2", "over 2.5", "yes")),
        "scheduled": clock + dice.between(-3600, 30 * 86400),
        "live": dice.chance(40),
        "odds": f"1.{dice.between(10, 99)}",
    }
