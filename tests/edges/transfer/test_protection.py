"""Player protection over HTTP: deposit limits, raises, exclusions, checks, products and holds."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.at_once import at_once
from tests.edges.transfer.bank import AGENT, OTHER, Bank, Reply, unique
from tests.edges.transfer.test_money import assert_it_adds_up

DAY = timedelta(days=1)
SPORT = 1037566
"""The game id of `Bank.play`."""


def update(bank: Bank, user_id: str, **fields: object) -> Reply:
    return bank.ask("account/update", user_id=user_id, **fields)


def deposit(bank: Bank, user_id: str, amount: object, **fields: Any) -> Reply:  # noqa: ANN401
    return bank.move("account/deposit", user_id, amount, **fields)


# --- deposits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["deposit_day", "deposit_week", "deposit_month"])
def test_a_deposit_beyond_its_limit_is_refused_for_ever_and_says_which(
    bank: Bank, name: str
) -> None:
    user_id, refused_id = bank.player("30"), unique("too-much")
    update(bank, user_id, limits={name: 100})
    refused = deposit(bank, user_id, "70.01", transaction_id=refused_id)
    assert refused.code == 101
    said = {key: refused.data[key] for key in ("reason", "limit", "value", "used", "remaining")}
    assert said == {
        "reason": "deposit_limit",
        "limit": name,
        "value": "100.00",
        "used": "30.00",
        "remaining": "70.00",
    }, "what was deposited before the limit was set counts"
    assert deposit(bank, user_id, "70").code == 0
    bank.ahead = 40 * DAY
    assert deposit(bank, user_id, "70.01", transaction_id=refused_id).body == refused.body
    known = bank.ask("transaction/check", transaction_id=refused_id)
    assert known.data["status"] == "refused"
    assert known.data["answer"] == refused.said
    assert deposit(bank, user_id, "100").code == 0
    assert deposit(bank, user_id, "0.01").data["remaining"] == "0.00"


def test_deposit_limits_are_gross_and_nothing_but_a_deposit_counts(bank: Bank) -> None:
    user_id = bank.player()
    update(bank, user_id, limits={"deposit_day": 50})
    assert deposit(bank, user_id, "50").code == 0
    assert bank.move("account/withdraw", user_id, "50").code == 0
    assert deposit(bank, user_id, "0.01").code == 101
    assert bank.move("bonus/grant", user_id, "500").code == 0
    held = unique("hold")
    assert bank.move("account/hold", user_id, "0.01", held).code == 102
    bank.ahead = DAY
    assert deposit(bank, user_id, "50").code == 0


def test_twelve_deposits_at_once_at_the_edge_of_a_limit_never_pass_it(bank: Bank) -> None:
    for _ in range(8):
        user_id = bank.player()
        update(bank, user_id, limits={"deposit_day": 55})
        calls = [partial(deposit, bank, user_id, "10") for _ in range(12)]
        codes = [reply.code for reply in at_once(calls)]
        assert sorted(codes) == [0] * 5 + [101] * 7
        assert bank.balance(user_id) == ("50.00", "0.00")
    assert_it_adds_up(bank)


# --- raises ------------------------------------------------------------------------------------


def test_a_raise_waits_and_then_waits_for_its_confirmation(bank: Bank) -> None:
    user_id = bank.player()
    update(bank, user_id, limits={"deposit_day": 10, "stake_day": 10})
    asked = update(bank, user_id, limits={"deposit_day": 20, "stake_day": None})
    assert asked.data["limits"] == {"deposit_day": "10.00", "stake_day": "10.00"}
    later = asked.data["limits_later"]
    assert (later["deposit_day"]["amount"], later["stake_day"]["amount"]) == ("20.00", None)
    assert later["deposit_day"]["confirm"] is True
    early = update(bank, user_id, confirm=["deposit_day"])
    assert (early.code, early.data["reason"]) == (101, "limit_too_early")
    bank.ahead = DAY + timedelta(minutes=1)
    assert deposit(bank, user_id, "10.01").code == 101, "its time has come, and nobody confirmed"
    confirmed = update(bank, user_id, confirm=["deposit_day"])
    assert confirmed.data["limits"]["deposit_day"] == "20.00"
    assert list(confirmed.data["limits_later"]) == ["stake_day"]
    assert deposit(bank, user_id, "20").code == 0
    again = update(bank, user_id, confirm=["deposit_day"])
    assert (again.code, again.data["reason"]) == (100, "limit_not_asked")


def test_lowering_and_asking_for_something_else_take_a_request_back(bank: Bank) -> None:
    user_id = bank.player()
    update(bank, user_id, limits={"stake_day": 10, "loss_day": 10})
    update(bank, user_id, limits={"stake_day": 20, "loss_day": 20})
    bank.ahead = DAY - timedelta(hours=1)
    update(bank, user_id, limits={"stake_day": 30, "loss_day": 5})
    bank.ahead = DAY + timedelta(minutes=1)
    assert update(bank, user_id, confirm=["stake_day"]).data["reason"] == "limit_too_early"
    assert update(bank, user_id, confirm=["loss_day"]).data["reason"] == "limit_not_asked"


def test_who_set_and_who_asked_is_kept_with_the_limit(bank: Bank) -> None:
    user_id = bank.player()
    update(bank, user_id, limits={"stake_day": 10})
    update(bank, user_id, limits={"stake_day": 20})
    ((limits,),) = bank.sql(
        "SELECT w.limits::jsonb -> 'stake_day' FROM wallets w JOIN players USING (player_id)"
        " WHERE user_id = $1",
        user_id,
    )
    assert limits.count(AGENT) == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"limits": {"deposit_bet": 5}}, "limits"),
        ({"limits": {"deposit_day:casino": 5}}, "limits"),
        ({"limits": {"stake_day:": 5}}, "limits"),
        ({"limits": {"stake_day:Casino": 5}}, "limits"),
        ({"confirm": ["everything"]}, "confirm"),
        ({"confirm": []}, "confirm"),
        ({"confirm": ["stake_day", "stake_day"]}, "confirm"),
        ({"confirm": ["stake_day"], "limits": {"stake_day": 5}}, "confirm"),
    ],
)
def test_what_is_no_limit_is_refused_by_name(
    bank: Bank, fields: dict[str, object], field: str
) -> None:
    reply = update(bank, bank.player(), **fields)
    assert (reply.code, reply.data["field"]) == (100, field)


# --- exclusions --------------------------------------------------------------------------------


def test_an_exclusion_that_runs_only_grows(bank: Bank) -> None:
    user_id, until = bank.player("50"), "2190-01-01T00:00:00Z"
    assert update(bank, user_id, excluded_until=until).code == 0
    for sooner in ("2189-12-31", None):
        refused = update(bank, user_id, excluded_until=sooner)
        assert (refused.code, refused.data["reason"]) == (101, "exclusion_runs")
    assert update(bank, user_id, excluded_until=until).code == 0, "the same moment again"
    assert update(bank, user_id, status="active").data["excluded_until"].startswith("2190")
    assert update(bank, user_id, excluded_until="forever").data["excluded_until"] == "forever"
    assert update(bank, user_id, excluded_until="2190-01-01").code == 101
    assert update(bank, user_id, excluded_until="forever").code == 0
    assert deposit(bank, user_id, "5").code == 9
    assert bank.ask("account/session", user_id=user_id).code == 9
    assert bank.move("account/withdraw", user_id, "20").code == 0
    held = unique("hold")
    assert bank.move("account/hold", user_id, "30", held).code == 0
    assert bank.ask("hold/release", transaction_id=unique("release"), hold_id=held).code == 0
    assert bank.balance(user_id) == ("30.00", "0.00")


def test_a_refused_shortening_takes_its_jti_and_is_told_again(bank: Bank) -> None:
    user_id, jti = bank.player(), unique("shorten")
    update(bank, user_id, excluded_until="forever")
    first = update(bank, user_id, excluded_until="2190-01-01", jti=jti)
    assert update(bank, user_id, excluded_until="2190-01-01", jti=jti).body == first.body
    assert update(bank, user_id, excluded_until="2191-01-01", jti=jti).code == 100


def test_a_win_comes_home_to_an_excluded_player(bank: Bank) -> None:
    user_id = bank.player("50")
    token = bank.token(user_id)
    assert bank.play(user_id, token, "BetPlacing", "10", "before") == 0
    update(bank, user_id, excluded_until="forever")
    assert bank.play(user_id, token, "BetPlacing", "10", "before") == 405
    assert bank.play(user_id, token, "Win", "25", "before") == 0


# --- checks ------------------------------------------------------------------------------------

CHECK = {
    "provider": "acme",
    "reference": "case-17",
    "allowed": True,
    "checked_at": "2026-11-20T12:00:00Z",
}


def test_a_check_is_kept_with_its_deposit_and_is_no_content(bank: Bank) -> None:
    user_id, transaction_id = bank.player(), unique("checked")
    first = deposit(bank, user_id, "5", transaction_id=transaction_id, check=CHECK)
    assert first.code == 0
    other = {**CHECK, "allowed": False}
    again = deposit(bank, user_id, "5", transaction_id=transaction_id, check=other)
    assert again.body == first.body
    ((kept,),) = bank.sql(
        "SELECT extra_data::json -> 'check' ->> 'reference' FROM movements"
        " WHERE transaction_id = $1",
        transaction_id,
    )
    assert kept == "case-17"


def test_a_deposit_that_a_check_did_not_allow_is_refused_for_ever(bank: Bank) -> None:
    user_id, transaction_id = bank.player(), unique("vetoed")
    veto = {**CHECK, "allowed": False}
    refused = deposit(bank, user_id, "5", transaction_id=transaction_id, check=veto)
    assert (refused.code, refused.data["reason"]) == (101, "deposit_check")
    again = deposit(bank, user_id, "5", transaction_id=transaction_id, check=CHECK)
    assert again.body == refused.body


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"allowed": None}, 2),
        ({"provider": None}, 2),
        ({"allowed": "yes"}, 4),
        ({"provider": 5}, 4),
        ({"reference": ""}, 100),
        ({"checked_at": "yesterday"}, 100),
    ],
)
def test_a_check_has_its_form(bank: Bank, change: dict[str, object], code: int) -> None:
    assert deposit(bank, bank.player(), "5", check={**CHECK, **change}).code == code


@pytest.mark.parametrize(
    "reason", [None, 5, "", "x" * 2000], ids=["null", "number", "empty", "long"]
)
def test_what_a_deposit_has_no_field_for_is_not_read(bank: Bank, reason: object) -> None:
    transaction_id = unique("cash")
    reply = bank.ask(
        "account/deposit",
        user_id=bank.player(),
        transaction_id=transaction_id,
        amount="5",
        reason=reason,
    )
    assert reply.code == 0
    ((kept,),) = bank.sql(
        "SELECT extra_data FROM movements WHERE transaction_id = $1", transaction_id
    )
    assert kept is None
    assert bank.sql("SELECT count(*) FROM ops.deposit_checks")


# --- products ----------------------------------------------------------------------------------


def test_a_limit_of_a_product_holds_for_its_games_and_for_those_without_a_name(bank: Bank) -> None:
    user_id = bank.player("500")
    token = bank.token(user_id)
    assert bank.play(user_id, token, "BetPlacing", "10", "first") == 0
    update(bank, user_id, limits={"stake_day:casino": 30, "loss_day:live": 100})
    assert bank.play(user_id, token, "BetPlacing", "20.01", "second") == 456, "it could be casino"
    assert bank.play(user_id, token, "BetPlacing", "20", "second") == 0
    bank.sql(
        "INSERT INTO game_names (game_id, since, product, source)"
        " VALUES ($1, now(), 'sport', 'test')",
        SPORT,
    )
    assert bank.play(user_id, token, "BetPlacing", "70", "third") == 0, "it is known to be sport"
    assert bank.play(user_id, token, "BetPlacingAbort", "20", "second") == 0
    ((stake,),) = bank.sql(
        "SELECT c.day::int FROM limit_counters c JOIN players USING (player_id)"
        " WHERE user_id = $1 AND counter = 'stake:'",
        user_id,
    )
    assert stake == 10, "what was given back frees what its bet was counted against"


# --- holds -------------------------------------------------------------------------------------


def test_a_withdrawal_under_way_leaves_the_balance_and_is_paid_out_or_given_back_once(
    bank: Bank,
) -> None:
    user_id = bank.player("100")
    paid, back = unique("hold"), unique("hold")
    held = bank.move("account/hold", user_id, "60", paid)
    assert (held.code, held.data["balance"]) == (0, "40.00")
    assert bank.move("account/hold", user_id, "40", back).data["balance"] == "0.00"
    assert bank.move("account/hold", user_id, "0.01").code == 102
    settled = bank.ask("hold/settle", transaction_id=unique("s"), hold_id=paid)
    assert (settled.code, settled.data["hold_id"], settled.data["amount"]) == (0, paid, "60.00")
    assert settled.data["balance"] == "0.00"
    released = bank.ask("hold/release", transaction_id=unique("r"), hold_id=back, user_id=user_id)
    assert (released.code, released.data["balance"]) == (0, "40.00")
    for operation, hold in (("hold/settle", back), ("hold/release", paid), ("hold/settle", paid)):
        reply = bank.ask(operation, transaction_id=unique("late"), hold_id=hold)
        assert (reply.code, reply.data["reason"]) == (101, "hold_closed")
    accounts: dict[str, int] = dict(
        tuple(row)
        for row in bank.sql(
            "SELECT e.account, sum(e.amount) FROM ops.entries e JOIN ops.players p USING"
            " (player_id) WHERE p.user_id = $1 AND e.account LIKE 'house:%' GROUP BY 1",
            user_id,
        )
    )
    assert accounts == {"house:cashier": -40, "house:pending": 0}
    assert_it_adds_up(bank)


def test_a_settlement_is_repeated_and_its_id_means_one_hold(bank: Bank) -> None:
    user_id, transaction_id = bank.player("100"), unique("settle")
    one, other = unique("hold"), unique("hold")
    for hold in (one, other):
        bank.move("account/hold", user_id, "10", hold)
    first = bank.ask("hold/settle", transaction_id=transaction_id, hold_id=one)
    again = bank.ask("hold/settle", transaction_id=transaction_id, hold_id=one)
    assert again.body == first.body
    known = bank.ask("transaction/check", transaction_id=transaction_id)
    assert known.data["operation"] == "hold/settle"
    assert known.data["answer"] == first.said
    assert bank.ask("hold/settle", transaction_id=transaction_id, hold_id=other).code == 100
    assert bank.ask("hold/release", transaction_id=transaction_id, hold_id=one).code == 100
    assert bank.ask("hold/release", transaction_id=unique("r"), hold_id=other).code == 0


def test_what_is_no_hold_of_theirs_is_unknown(bank: Bank) -> None:
    user_id, hold, plain = bank.player("100"), unique("hold"), unique("cash")
    bank.move("account/hold", user_id, "10", hold)
    bank.move("account/withdraw", user_id, "10", plain)
    for hold_id, more in (
        (unique("none"), {}),
        (plain, {}),
        (hold, {"user_id": bank.player()}),
        (hold, {"agent": OTHER}),
    ):
        reply = bank.ask("hold/settle", transaction_id=unique("s"), hold_id=hold_id, **more)
        assert reply.code == 100, hold_id
    assert bank.ask("hold/settle", transaction_id=unique("s"), hold_id=hold).code == 0


def test_a_blocked_player_takes_their_money_out(bank: Bank) -> None:
    user_id, hold = bank.player("100"), unique("hold")
    update(bank, user_id, status="blocked")
    assert bank.move("account/hold", user_id, "100", hold).code == 0
    assert bank.ask("hold/release", transaction_id=unique("r"), hold_id=hold).code == 0
    assert bank.balance(user_id) == ("100.00", "0.00")


def test_a_hold_and_bets_race_for_the_same_money(bank: Bank) -> None:
    for _ in range(8):
        user_id = bank.player("100")
        token = bank.token(user_id)
        bets = [
            partial(bank.play, user_id, token, "BetPlacing", "20", event_id=unique("race"))
            for _ in range(6)
        ]
        holds = [
            partial(lambda user: bank.move("account/hold", user, "60").code, user_id)
            for _ in range(2)
        ]
        codes: list[int] = at_once([*bets, *holds])
        taken = 20 * codes[:6].count(0) + 60 * codes[6:].count(0)
        assert set(codes[:6]) <= {0, 402}
        assert set(codes[6:]) <= {0, 102}
        assert bank.balance(user_id) == (f"{100 - taken}.00", "0.00")
    assert_it_adds_up(bank)


def test_settle_and_release_of_one_hold_race_and_one_of_them_wins(bank: Bank) -> None:
    for _ in range(8):
        user_id, hold = bank.player("100"), unique("hold")
        bank.move("account/hold", user_id, "100", hold)
        calls = [
            partial(bank.ask, operation, transaction_id=unique("close"), hold_id=hold)
            for operation in ("hold/settle", "hold/release") * 4
        ]
        replies = at_once(calls)
        assert sorted(reply.code for reply in replies) == [0, *[101] * 7]
        won = next(number for number, reply in enumerate(replies) if reply.code == 0)
        assert bank.balance(user_id) == (("0.00", "100.00")[won % 2], "0.00")
    assert_it_adds_up(bank)
