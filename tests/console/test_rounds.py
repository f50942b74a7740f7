"""`wallet round show` and `wallet show` of a sports bet: its slip, and how each leg ended."""

import asyncio
import json

import pytest

from app.slips.projector import Projector
from tests.cashier.conftest import till as till_fixture
from tests.cashier.till import Till
from tests.conftest import Database
from tests.console.conftest import Console
from tests.slips.slip_texts import betslip, leg, settled

till = till_fixture


async def test_a_round_is_shown_with_its_slip(
    till: Till, db: Database, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.player("anna", "100")
    legs = [leg(1), leg(2, outcome_name="Draw \x1b[2J", odds="3.10")]
    text = betslip("slip-7", kind="2/2", legs=legs, odds="6.2000", potential_win=6200)
    await till.one(till.bet(event_id="bet-7", extra_data=text))
    result = settled("lost", "slip-7", {"leg-1": "won", "leg-2": "lost"})
    await till.one(
        till.movement("anna", "Lose", "credit", "0", event_id="bet-7", extra_data=result)
    )
    await Projector(till.ledger).look()
    monkeypatch.setenv("WALLET_DATABASE_URL", db.service_url)
    for words in (("round", "show", "bet-7"), ("show", "bet-7")):
        said = (await asyncio.to_thread(console, *words)).out
        for expected in ("slip slip-7", "combo of 2, lost", "10.00 USD at 6.2", "Home – Away"):
            assert expected in said, expected
        assert "\x1b" not in said
    done = await asyncio.to_thread(console, "round", "show", "bet-7", "--json")
    (told,) = json.loads(done.out)["rounds"]
    (slip,) = told["slips"]
    assert (slip["status"], slip["potential_win"]) == ("lost", "62.00")
    assert [each["result"] for each in slip["legs"]] == ["won", "lost"]
