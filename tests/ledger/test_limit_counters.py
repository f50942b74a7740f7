"""A counter that begins when its limit is set holds what it would have counted all along."""

import pytest

from app.cashier.account_changes import AccountChange, update_account
from app.cashier.games import name_game
from app.wallet.limit_terms import RaiseRules
from app.wallet.outcomes import Posting
from app.wallet.refusals import Refusal
from tests.cashier.till import Till

LIMITS = AccountChange(
    limits={"deposit_day": "9000", "stake_month:casino": "9000", "loss_day:sport": "9000"}
)

# event type, direction, amount, event, game; 7 has no name
STORY = (
    ("BetPlacing", "debit", "10", "e1", 1),
    ("BetPlacing", "debit", "20", "e1", 1),
    ("Win", "credit", "25", "e1", 1),
    ("BetPayedAbort", "debit", "5", "e1", 1),
    ("BetPlacing", "debit", "40", "e2", 2),
    ("BetPlacingAbort", "credit", "40", "e2", 2),
    ("SportBetCancel", "debit", "40", "e2", 2),
    ("BetPlacing", "debit", "8", "e3", 7),
    ("BetPlacingAbort", "credit", "8", "e3", 7),
    ("BetPlacing", "debit", "3", "e4", 7),
    ("Win", "credit", "50", "e4", 7),
    ("Tip", "debit", "2", "e5", 1),
    ("PromoWin", "credit", "6", "e6", 1),
    ("BetPlacing", "debit", "90000", "e7", 1),
)


async def limit(till: Till, user_id: str) -> None:
    after = await update_account(till.ledger, user_id, LIMITS, raises=RaiseRules())
    assert not isinstance(after, Refusal)


async def counters(till: Till, user_id: str) -> dict[str, tuple[int, ...]]:
    rows = await till.rows(
        "SELECT counter, day::int, week::int, month::int FROM limit_counters"
        " JOIN players USING (player_id) WHERE user_id = $1",
        user_id,
    )
    return {row[0]: tuple(row[1:]) for row in rows}


@pytest.mark.parametrize("renamed", [False, True], ids=["as named", "named anew"])
async def test_begun_late_and_counted_all_along_are_the_same(till: Till, *, renamed: bool) -> None:
    await name_game(till.ledger, 1, "casino", "test")
    await name_game(till.ledger, 2, "sport", "test")
    for user_id in ("early", "late"):
        await till.player(user_id)
    await limit(till, "early")
    for user_id in ("early", "late"):
        await till.move(till.movement(user_id, "Deposit", "credit", "500"))
    for number, (kind, way, amount, event_id, game_id) in enumerate(STORY):
        if renamed and number == len(STORY) // 2:
            await name_game(till.ledger, 2, "casino", "test")
            await name_game(till.ledger, 7, "sport", "test")
        for user_id in ("early", "late"):
            movement = till.movement(user_id, kind, way, amount, event_id=event_id)
            receipt = await till.one(movement._replace(game_id=game_id))
            assert isinstance(receipt, Posting) is (amount != "90000"), (kind, receipt)
    await limit(till, "late")
    assert await counters(till, "late") == await counters(till, "early")
    assert (await counters(till, "early"))["deposit"] == (500, 500, 500)


async def test_a_limit_that_is_set_again_begins_anew(till: Till) -> None:
    await till.player("anna", "100")
    await limit(till, "anna")
    lifted = AccountChange(limits=dict.fromkeys(LIMITS.limits))
    at_once = RaiseRules(RaiseRules().cooling * 0, needs_confirmation=False)
    assert not isinstance(
        await update_account(till.ledger, "anna", lifted, raises=at_once), Refusal
    )
    await till.move(till.movement("anna", "Deposit", "credit", "70"))
    await limit(till, "anna")
    assert (await counters(till, "anna"))["deposit"] == (170, 170, 170)
