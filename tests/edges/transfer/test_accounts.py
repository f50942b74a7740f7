"""Changes of an account by its operator: status, exclusion, limits, language, token life."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from app.cashier.players import open_account
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.money import ISO_CURRENCIES
from tests.edges.transfer.bank import AGENT, Bank, unique

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    """Raises hold by themselves here; `test_protection` has those that are confirmed."""
    return {"limit_raise": "automatic"}


def bet(bank: Bank, user_id: str, token: str, amount: str) -> int:
    return bank.play(user_id, token, "BetPlacing", amount, event_id=unique("bet"))


def test_an_account_is_shown_as_it_stands(bank: Bank) -> None:
    user_id = bank.player("5")
    reply = bank.ask("account/update", user_id=user_id, language="ko")
    assert reply.data == {
        "user_id": user_id,
        "currency": "USD",
        "nickname": user_id,
        "language": "ko",
        "status": "active",
        "excluded_until": None,
        "limits": {},
        "limits_later": {},
        "balance": "5.00",
        "real_balance": "5.00",
        "bonus_balance": "0.00",
    }
    token = bank.token(user_id)
    assert bank.game("playerDetails", token=token, userId=user_id)["language"] == "ko"


def test_an_account_keeps_the_name_that_an_earlier_release_gave_it(bank: Bank) -> None:
    user_id = unique("an\u200bna")
    asked: dict[str, Any] = {"user_id": user_id, "nickname": "Anna", "language": "en"}
    asked["currency"] = "USD"
    assert bank.ask("account/init", **asked).code == 100

    async def earlier() -> None:
        ledger = PlacedLedger(bank.database.service_url)
        await open_account(ledger, **{**asked, "agent": AGENT, "currency": ISO_CURRENCIES["USD"]})
        await ledger.close()

    asyncio.run(earlier())
    told = bank.ask("account/init", **asked)
    assert (told.code, told.data["created"]) == (0, False)
    assert bank.ask("account/balance", user_id=user_id).code == 0


def test_a_block_holds_until_it_is_lifted(bank: Bank) -> None:
    user_id = bank.player("50")
    token = bank.token(user_id)
    assert bank.ask("account/update", user_id=user_id, status="blocked").data["status"] == "blocked"
    assert bet(bank, user_id, token, "1") == 405
    assert bank.game("sessionCheck", token=token, userId=user_id)["errors"]["code"] == "405"
    bank.ask("account/update", user_id=user_id, status="active")
    assert bet(bank, user_id, token, "1") == 0


def test_self_exclusion_ends_by_itself(bank: Bank) -> None:
    user_id = bank.player("50")
    token = bank.token(user_id, ttl_seconds=9 * 86400)
    until = (bank.now() + 3 * DAY).replace(microsecond=0)
    spellings: list[object] = [int(until.timestamp()), until.isoformat()]
    for spelling in spellings:
        reply = bank.ask("account/update", user_id=user_id, excluded_until=spelling)
        assert reply.data["excluded_until"] == until.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        assert reply.data["status"] == "active"
    assert bet(bank, user_id, token, "1") == 405
    assert bank.move("account/deposit", user_id, "1").code == 9
    bank.ahead = 3 * DAY - timedelta(minutes=1)
    assert bet(bank, user_id, token, "1") == 405
    bank.ahead = 3 * DAY + timedelta(minutes=1)
    assert bet(bank, user_id, token, "1") == 0
    assert bank.ask("account/update", user_id=user_id, excluded_until="2199-01-01").code == 0
    assert bet(bank, user_id, token, "1") == 405
    assert bank.ask("account/update", user_id=user_id, excluded_until=None).code == 101
    assert bet(bank, user_id, token, "1") == 405


def test_a_limit_lowered_holds_at_once_and_raised_after_cooling_off(bank: Bank) -> None:
    user_id = bank.player("1000")
    token = bank.token(user_id, ttl_seconds=9 * 86400)
    reply = bank.ask("account/update", user_id=user_id, limits={"stake_bet": "10", "loss_day": 500})
    assert reply.data["limits"] == {"stake_bet": "10.00", "loss_day": "500.00"}
    assert bet(bank, user_id, token, "10.01") == 456
    assert bet(bank, user_id, token, "10") == 0
    raised = bank.ask("account/update", user_id=user_id, limits={"stake_bet": 20})
    assert raised.data["limits"]["stake_bet"] == "10.00"
    assert raised.data["limits_later"]["stake_bet"]["amount"] == "20.00"
    # Asked for again, it does not wait longer.
    bank.ahead = DAY / 2
    again = bank.ask("account/update", user_id=user_id, limits={"stake_bet": 20})
    assert again.data["limits_later"] == raised.data["limits_later"]
    assert bet(bank, user_id, token, "10.01") == 456
    bank.ahead = DAY - timedelta(minutes=1)
    assert bet(bank, user_id, token, "10.01") == 456
    bank.ahead = DAY + timedelta(minutes=1)
    assert bet(bank, user_id, token, "20") == 0
    assert bet(bank, user_id, token, "20.01") == 456
    lowered = bank.ask("account/update", user_id=user_id, limits={"stake_bet": "5"})
    assert (lowered.data["limits"]["stake_bet"], lowered.data["limits_later"]) == ("5.00", {})
    assert bet(bank, user_id, token, "5.01") == 456
    lifted = bank.ask("account/update", user_id=user_id, limits={"stake_bet": None})
    assert lifted.data["limits_later"]["stake_bet"]["amount"] is None
    assert bet(bank, user_id, token, "5.01") == 456
    bank.ahead += DAY + timedelta(minutes=1)
    assert bet(bank, user_id, token, "400") == 0
    assert bank.ask("account/update", user_id=user_id, language="en").data["limits"] == {
        "loss_day": "500.00"
    }


def test_a_raise_is_called_off_by_lowering(bank: Bank) -> None:
    user_id = bank.player("1000")
    token = bank.token(user_id, ttl_seconds=9 * 86400)
    for limit in (10, 100, 10):
        bank.ask("account/update", user_id=user_id, limits={"stake_bet": limit})
    bank.ahead = 2 * DAY
    assert bet(bank, user_id, token, "10.01") == 456


def test_limits_count_in_calendar_windows_and_aborts_free_them(bank: Bank) -> None:
    user_id = bank.player("1000")
    token = bank.token(user_id, ttl_seconds=99 * 86400)
    bank.ask("account/update", user_id=user_id, limits={"stake_day": 100})
    assert bank.play(user_id, token, "BetPlacing", "60", "given-back") == 0
    assert bet(bank, user_id, token, "41") == 456
    assert bet(bank, user_id, token, "40") == 0
    assert bank.play(user_id, token, "Win", "500", "given-back") == 0
    assert bet(bank, user_id, token, "0.01") == 456
    assert bet(bank, user_id, token, "0") == 0
    bank.ahead = DAY
    assert bet(bank, user_id, token, "100") == 0
    assert bank.play(user_id, token, "BetPlacing", "1", "late") == 456
    bank.ahead = 2 * DAY
    assert bank.play(user_id, token, "BetPlacing", "100", "late") == 0
    assert bank.play(user_id, token, "BetPlacingAbort", "100", "late") == 0
    assert bet(bank, user_id, token, "100") == 0


def test_losses_are_net_of_winnings_and_tips_count_as_loss_only(bank: Bank) -> None:
    user_id = bank.player("1000")
    token = bank.token(user_id)
    bank.ask("account/update", user_id=user_id, limits={"loss_day": 50, "stake_bet": 50})
    assert bank.play(user_id, token, "BetPlacing", "50", "won") == 0
    assert bank.play(user_id, token, "Tip", "0.01", "won") == 456
    assert bank.play(user_id, token, "Win", "80", "won") == 0
    assert bank.play(user_id, token, "Tip", "80", "won") == 0
    assert bank.play(user_id, token, "Tip", "0.01", "won") == 456


def test_limits_never_stand_in_the_way_of_money_coming_back(bank: Bank) -> None:
    user_id = bank.player("100")
    token = bank.token(user_id)
    assert bank.play(user_id, token, "BetPlacing", "50", "before") == 0
    zero = dict.fromkeys(("stake_bet", "stake_day", "loss_day", "loss_month"), 0)
    bank.ask("account/update", user_id=user_id, limits=zero)
    assert bet(bank, user_id, token, "0.01") == 456
    assert bank.play(user_id, token, "Win", "70", "before") == 0
    assert bank.play(user_id, token, "SportBetCancel", "70", "before") == 0
    assert bank.move("account/deposit", user_id, "5").code == 0
    assert bank.move("account/withdraw", user_id, "5").code == 0


def test_who_changed_what_is_kept_for_ever(bank: Bank) -> None:
    user_id = bank.player()
    bank.ask("account/update", user_id=user_id, limits={"stake_day": "5"}, status="blocked")
    (change,) = bank.sql(
        "SELECT c.* FROM account_changes c JOIN players p USING (player_id)"
        " WHERE p.user_id = $1 AND operation = 'account/update'",
        user_id,
    )
    assert change["source"] == AGENT
    assert json.loads(change["asked"]) == {
        "user_id": user_id,
        "status": "blocked",
        "limits": {"stake_day": "5"},
    }
    outcome = json.loads(change["outcome"])
    assert outcome["status"] == "blocked"
    assert outcome["limits"]["stake_day"]["amount"] == 500


# --- tokens ----------------------------------------------------------------------------------


def live(bank: Bank, user_id: str, token: str) -> bool:
    return bool(bank.game("getBalance", token=token, userId=user_id)["status"])


def test_a_token_lives_as_long_as_it_was_given(bank: Bank) -> None:
    user_id = bank.player("10")
    ordinary, short = bank.token(user_id), bank.token(user_id, ttl_seconds=600)
    assert bank.play(user_id, short, "BetPlacing", "1", "late-win") == 0
    bank.ahead = timedelta(seconds=590)
    assert live(bank, user_id, short)
    bank.ahead = timedelta(seconds=610)
    assert not live(bank, user_id, short)
    assert bet(bank, user_id, short, "1") == 410
    assert bank.play(user_id, short, "Win", "1", "late-win") == 0
    bank.ahead = DAY - timedelta(minutes=1)
    assert live(bank, user_id, ordinary)
    bank.ahead = DAY + timedelta(minutes=1)
    assert not live(bank, user_id, ordinary)


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
        "9000-01-01T00:00:01Z",
        "1969-12-31",
        "2020-01-01",
        -1,
        0,
        221845392001,
    ],
)
def test_an_exclusion_that_passed_or_is_beyond_the_bounds_cannot_be(
    bank: Bank, moment: object
) -> None:
    user_id = bank.player("5")
    reply = bank.ask("account/update", user_id=user_id, excluded_until=moment)
    assert (reply.code, reply.data["field"]) == (100, "excluded_until")
    assert bank.ask("account/update", user_id=user_id, status="blocked").code == 0
    assert bank.ask("account/update", user_id=user_id, limits={"stake_day": "5"}).code == 0


@pytest.mark.parametrize("stored", ["infinity", "-infinity"])
def test_an_account_whose_exclusion_was_stored_as_an_infinity_can_be_changed(
    bank: Bank, stored: str
) -> None:
    user_id = bank.player("5")
    token = bank.token(user_id)
    bank.sql(
        f"UPDATE wallets SET excluded_until = '{stored}', revision = revision + 1 FROM players p"
        f" WHERE p.player_id = wallets.player_id AND user_id = '{user_id}'"
    )
    assert bank.play(user_id, token, "BetPlacing", "1") == (405 if stored == "infinity" else 0)
    reply = bank.ask("account/update", user_id=user_id, status="blocked")
    shown = "forever" if stored == "infinity" else "1970-01-01T00:00:00.000000Z"
    assert (reply.code, reply.data["excluded_until"]) == (0, shown)
    assert bank.ask("account/update", user_id=user_id, language="de").code == 0
