"""Plays a made-up event type in a copy of the repository, and prints what each part shows."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import app
from app.cashier.audit import audit
from app.edges.callback.openapi import SCHEMAS
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.migrations import upgrade
from app.simulator.laws import LAWS
from app.wallet.events import RULES, EventType
from app.wallet.outcomes import Posting
from tests.cashier.till import Till

QUESTIONS = {
    "daily_movements": "SELECT event_type, counts_as, movements, payments, ggr"
    " FROM ops.daily_movements WHERE event_type = 'CashOut'",
    "daily_revenue": "SELECT turnover, payments, ggr, hold_percent, ngr FROM ops.daily_revenue"
    " WHERE turnover <> 0",
    "daily_players": "SELECT turnover, payments, ngr, deposits FROM ops.daily_players",
    "games_account": "SELECT balance FROM ops.house_accounts WHERE account = 'house:games'",
    "statement": "SELECT what, money_in, balance FROM ops.statement WHERE what = 'bet cashed out'",
}


async def play(owner_url: str, superuser_url: str) -> dict[str, Any]:
    """Stake 30 of 100, cash 12.50 out, and ask around."""
    await upgrade(owner_url)
    ledger = PlacedLedger(superuser_url)
    try:
        till = Till(ledger, superuser_url)
        await till.player("anna", "100")
        for movement in (till.bet(amount="30"), till.movement("anna", "CashOut", "credit", "12.5")):
            receipt = await till.one(movement)
            if not isinstance(receipt, Posting):
                raise TypeError(receipt)
        told: dict[str, Any] = {
            name: [str(value) for value in (await till.rows(query))[0]]
            for name, query in QUESTIONS.items()
        }
    finally:
        await ledger.close()
    told["audit"] = [str(breach) for breach in (await audit(superuser_url)).breaches]
    return {
        **told,
        "explained": RULES[EventType("CashOut")].words,
        "documented": '"CashOut"' in json.dumps(SCHEMAS["MoveFundsForm"]),
        "simulated": ("CashOut", "credit") in LAWS,
        "house": str(Path(app.__file__).parent),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(*sys.argv[1:]))))  # noqa: T201  # who started us reads it
