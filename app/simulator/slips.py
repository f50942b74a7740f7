"""Bet slips as the sportsbook sends them along, in both of its shapes, and what settles them.

An event's slip is drawn from its id alone: a repeat of a request carries the same one, and so does
the settlement that comes a thousand requests later. Some events are of other games, and carry none.
"""

import json
from typing import Final
from zlib import crc32

from app.simulator.moves import Move

_SHAPES: Final = 4
#: Of so many events: one has the older shape, two the newer one, and one is no sports bet.
_OLDER: Final = 1
_NEWER: Final = frozenset({2, 3})

_SPORTS: Final = (
    ("1", "Soccer", "England", "Premier League", "1x2", ("1", "X", "2")),
    ("2", "Basketball", "USA", "NBA", "Winner", ("1", "2")),
    ("5", "Tennis", "ATP", "Miami Open", "Winner", ("1", "2")),
    ("109", "Counter-Strike", "International", "Major", "Map 1", ("1", "2")),
)
_TEAMS: Final = ("Arsenal", "Lakers", "Zürich", "Čelik", "Навбахор", "東京", "Real", "Leeds")
_BEGINS: Final = 1_795_000_000
_DAY: Final = 86_400
_MATCHES: Final = 50


def slip_text(move: Move) -> str | None:
    """Return the extraData of a movement of a sports bet; None: its event is of another game."""
    seed = crc32(move.event.event_id.encode(errors="replace"))
    shape, seed = seed % _SHAPES, seed // _SHAPES
    slip_id = f"slip-{move.event.event_id}"[:200]
    if shape == _OLDER:
        return _older(move, slip_id)
    if shape not in _NEWER:
        return None
    legs = 1 + seed % 4
    match move.event_type:
        case "BetPlacing":
            return json.dumps({"betslip": _betslip(move, slip_id, seed, legs)}, ensure_ascii=False)
        case "Win" | "Lose":
            return json.dumps(_settlement(move, slip_id, legs))
        case _:
            return None


def _older(move: Move, slip_id: str) -> str | None:
    match move.event_type:
        case "BetPlacing":
            return json.dumps({"status": "accepted", "placedBetId": slip_id})
        case "Win" | "Lose":
            result = "win" if _is_paid(move) else "lose"
            told = {"status": "settled", "placedBetId": slip_id, "result": result}
            return json.dumps(told)
        case _:
            return None


def _is_paid(move: Move) -> bool:
    return move.amount.strip("0.") != ""


def _betslip(move: Move, slip_id: str, seed: int, legs: int) -> dict[str, object]:
    return {
        "id": slip_id,
        "type": f"{legs}/{legs}" if seed % 5 or legs == 1 else f"{legs - 1}/{legs}",
        # As it was debited: major units, as a text.
        "sum": move.amount,
        "k": f"{1 + legs}.{seed % 100:02}",
        "is_quick_bet": seed % 7 == 0,
        "bets": [_leg(slip_id, seed + number, number) for number in range(legs)],
    }


def _leg(slip_id: str, seed: int, number: int) -> dict[str, object]:
    sport_id, sport, category, tournament, market, outcomes = _SPORTS[seed % len(_SPORTS)]
    match_number = seed % _MATCHES
    return {
        "id": f"{slip_id}-{number}",
        "event_id": str(2_400_000_000_000_000_000 + match_number),
        "sport_id": sport_id,
        "category_id": sport_id + "1",
        "tournament_id": sport_id + "11",
        "sport_name": sport,
        "category_name": category,
        "tournament_name": tournament,
        "competitor_name": [_TEAMS[match_number % 8], _TEAMS[(match_number + 3) % 8]],
        "market_name": market,
        "outcome_name": outcomes[seed % len(outcomes)],
        "scheduled": _BEGINS + match_number * _DAY,
        "live": seed % 3 == 0,
        "odds": f"1.{10 + seed % 90}",
    }


def _settlement(move: Move, slip_id: str, legs: int) -> dict[str, object]:
    status = "won" if _is_paid(move) else "lost"
    return {
        "transaction": {"operation": "win" if _is_paid(move) else "lost", "betslip_id": slip_id},
        "selections": [{"id": f"{slip_id}-{number}", "status": status} for number in range(legs)],
    }
