"""Slips as the sportsbook writes them, for tests."""

import json
from typing import Any


def leg(number: int = 1, **more: object) -> dict[str, Any]:
    return {
        "id": f"leg-{number}",
        "event_id": f"match-{number}",
        "sport_id": "1",
        "category_id": "11",
        "tournament_id": "111",
        "sport_name": "Soccer",
        "category_name": "England",
        "tournament_name": "Premier League",
        "competitor_name": ["Home", "Away"],
        "market_name": "Match winner",
        "outcome_name": "Home",
        "scheduled": 4_000_000_000,
        "live": False,
        "odds": "2.00",
        **more,
    }


def betslip(
    slip_id: str = "slip-1",
    *,
    kind: str = "1/1",
    total: object = 1000,
    odds: object = "2.00",
    legs: list[dict[str, Any]] | None = None,
    **more: object,
) -> str:
    """The extraData of a bet."""
    slip = {
        "id": slip_id,
        "type": kind,
        "sum": total,
        "k": odds,
        "currency": "USD",
        "is_quick_bet": False,
        "bets": [leg()] if legs is None else legs,
    }
    return json.dumps({"betslip": slip, **more})


def settled(
    operation: str, slip_id: str = "slip-1", picks: dict[str, str] | None = None, **more: object
) -> str:
    """The extraData of a settlement."""
    return json.dumps(
        {
            "transaction": {"operation": operation, "betslip_id": slip_id},
            "selections": [
                {"id": id_, "status": status, "odds": "2.00"}
                for id_, status in (picks or {}).items()
            ],
            **more,
        }
    )
