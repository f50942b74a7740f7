"""Bets and what becomes of them, over real HTTP with real JWTs: each stake and payment once."""

import json
from collections.abc import Iterator

import pytest

from tests.edges.betby.bookmaker import (
    Bookmaker,
    Told,
    making,
    refunding,
    rolling_back,
    setting,
    winning,
)
from tests.edges.callback.house import House, unique


@pytest.fixture(scope="module", autouse=True)
def _audited(betby: Bookmaker) -> Iterator[None]:
    yield
    assert betby.audit() == []


def test_a_bet_and_its_win_move_their_amounts_and_are_told_in_the_contracts_shape(
    betby: Bookmaker,
) -> None:
    seat = betby.seat("100.00")
    asked = making(seat, 1000)
    bet = betby.call("make", asked)
    assert bet.said == {
        "id": bet.id,
        "ext_transaction_id": asked["transaction"]["id"],
        "parent_transaction_id": None,
        "user_id": seat.user_id,
        "operation": "bet",
        "amount": 1000,
        "currency": "USD",
        "balance": 9000,
    }
    assert betby.call("commit", {"bet_transaction_id": bet.id}) == Told(200, {})
    win = betby.win(bet, 1850)
    assert win.said == {
        **bet.said,
        "id": win.id,
        "ext_transaction_id": win.said["ext_transaction_id"],
        "parent_transaction_id": bet.id,
        "operation": "win",
        "amount": 1850,
        "balance": 10850,
    }
    assert betby.balance(seat) == "108.50"


def test_a_lost_moves_nothing_and_is_told_without_amount_and_currency(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    lost = betby.lost(bet)
    assert set(lost.said) == {
        "id",
        "ext_transaction_id",
        "parent_transaction_id",
        "user_id",
        "operation",
        "balance",
    }
    assert (lost.said["operation"], lost.balance) == ("lost", 9000)
    assert betby.lost(bet, amount=1).code == 2004


def test_a_bet_is_cashed_out_in_parts(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    assert betby.win(bet, 300, is_cashout=True).balance == 9300
    assert betby.win(bet, 400, is_cashout=True).balance == 9700


@pytest.mark.parametrize("method", ["make", "win", "lost", "refund", "rollback"])
def test_a_repeat_hears_the_first_answer_and_moves_nothing(betby: Bookmaker, method: str) -> None:
    seat = betby.seat()
    make = making(seat)
    bet = betby.call("make", make)
    payload = make
    if method == "rollback":
        payload = rolling_back(bet.id, betby.win(bet, 500).id)
    elif method != "make":
        forms = {"win": winning(bet.id, 700), "lost": winning(bet.id, 0)}
        payload = forms.get(method, refunding(bet.id))
    first = bet if method == "make" else betby.call(method, payload)
    betby.make(seat, 100)
    before = betby.balance(seat)
    assert first.status == 200
    assert betby.call(method, payload) == first
    assert betby.balance(seat) == before


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        ("make", "amount", 1001),
        ("make", "bonus_id", "7"),
        ("make", "bonus_type", "comboboost"),
        ("win", "amount", 701),
        ("win", "is_snr_lost", True),
        ("rollback", "parent_transaction_id", None),
    ],
)
def test_other_content_under_an_id_is_refused_and_an_alarm_names_the_field(
    betby: Bookmaker, method: str, name: str, value: object
) -> None:
    seat = betby.seat()
    make = making(seat)
    bet = betby.call("make", make)
    won, again = betby.win(bet, 500), betby.win(bet, 500)
    payload = {
        "make": make,
        "win": winning(bet.id, 700),
        "rollback": rolling_back(bet.id, won.id),
    }[method]
    assert betby.call(method, payload).status == 200
    before = betby.balance(seat)
    other = {**payload, name: again.id if value is None else value}
    assert betby.call(method, other).code == 2004
    assert betby.balance(seat) == before


def test_an_id_names_one_operation(betby: Bookmaker) -> None:
    seat = betby.seat()
    make = making(seat)
    bet = betby.call("make", make)
    assert betby.win(bet, 500, tid=make["transaction"]["id"]).code == 2004
    assert betby.balance(seat) == "90.00"


# --- refusals ------------------------------------------------------------------------------------


def test_money_limits_and_blocks_refuse_a_bet_for_ever(betby: Bookmaker) -> None:
    house: House = betby.house
    poor = betby.seat("5.00")
    payload = making(poor)
    assert betby.call("make", payload).code == 2001
    house.deposit(poor, "100.00")
    assert betby.call("make", payload).code == 2001
    limited = betby.seat()
    house.limit(limited, "stake_bet", 500)
    assert betby.make(limited).code == 4001
    blocked = betby.seat()
    house.block(blocked)
    assert betby.make(blocked).code == 1005
    assert betby.balance(poor) == "105.00"


def test_players_sessions_and_currencies_refuse_a_bet_for_now(betby: Bookmaker) -> None:
    seat = betby.seat()
    for change, code in (
        ({"player_id": "nobody", "transaction": {"id": unique("bet")}}, 1006),
        ({"session_id": "unknown"}, 1007),
        ({"session_id": betby.house.expired(seat)}, 1007),
        ({"currency": "THB"}, 2002),
        ({"currency": "XXX"}, 2002),
        ({"bonus_type": "unheard-of"}, 3001),
        ({"amount": -1}, 2004),
        ({"amount": "10"}, 2004),
        ({"amount": 10**30}, 2004),
        ({"transaction": None}, 2004),
        ({"transaction": {"id": "x" * 245}}, 2004),
        ({"transaction": {"id": unique("bet"), "ext_player_id": "another"}}, 2004),
    ):
        payload = making(seat)
        assert betby.call("make", {**payload, **change}).code == code, change
        if change.keys() != {"transaction"}:
            assert betby.call("make", payload).status == 200, change
    assert betby.balance(seat) == "10.00"


def test_money_comes_back_whatever_became_of_the_session_and_the_player(betby: Bookmaker) -> None:
    seat = betby.seat()
    bets = [betby.make(seat) for _ in range(3)]
    betby.house.sql(
        "UPDATE sessions SET expires_at = now() - interval '30 days' FROM players p"
        " WHERE p.player_id = sessions.player_id AND p.user_id = $1",
        seat.user_id,
    )
    betby.house.block(seat)
    win = betby.win(bets[0], 500)
    assert win.status == betby.refund(bets[1]).status == betby.lost(bets[2]).status == 200
    assert betby.rollback(bets[0], win).status == 200
    assert betby.balance(seat) == "80.00"


@pytest.mark.parametrize("method", ["commit", "win", "lost", "refund", "rollback", "settlement"])
@pytest.mark.parametrize("bet_id", ["1-1", "999999-1", "not ours", "0-1", "1-", ""])
def test_what_names_no_bet_of_ours_finds_no_parent(
    betby: Bookmaker, method: str, bet_id: str
) -> None:
    payload = {**rolling_back(bet_id, bet_id), **winning(bet_id, 0), "status": "lost"}
    assert betby.call(method, payload).code == (2003 if bet_id else 2004)


def test_an_operation_of_another_bet_is_no_parent(betby: Bookmaker) -> None:
    seat = betby.seat()
    one, two = betby.make(seat), betby.make(seat)
    win = betby.win(one, 500)
    assert betby.rollback(two, win).code == 2003
    assert betby.rollback(one, one).code == 2003
    other = betby.seat()
    named = {"id": unique("win"), "ext_player_id": other.user_id}
    assert betby.call("win", {**winning(one.id, 100), "transaction": named}).code == 2003


def test_a_win_of_a_bet_that_was_given_back_waits_until_it_stands_again(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    refund = betby.refund(bet)
    late = winning(bet.id, 500)
    assert betby.call("win", late).code == 2003
    assert betby.rollback(bet, refund).balance == 9000
    assert betby.call("win", late).balance == 9500


# --- undoing -------------------------------------------------------------------------------------


def test_two_refunds_give_the_stake_back_once_and_both_hear_the_first(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    payload = refunding(bet.id)
    first, second = betby.refund(bet), betby.call("refund", payload)
    assert second == first
    assert betby.rollback(bet, first).balance == 9000
    # The second was answered, and its repeat is no third refund.
    assert betby.call("refund", payload) == first
    assert betby.balance(seat) == "90.00"


def test_two_rollbacks_of_one_parent_undo_it_once(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    win = betby.win(bet, 500)
    first = betby.rollback(bet, win)
    assert betby.rollback(bet, win) == first
    assert betby.balance(seat) == "90.00"


def test_an_undo_is_undone_and_what_stands_again_is_undone_again(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    win = betby.win(bet, 500)
    undo = betby.rollback(bet, win)
    assert undo.balance == 9000
    again = betby.rollback(bet, undo)
    assert again.balance == 9500
    assert betby.rollback(bet, undo) == again
    third = betby.rollback(bet, win)
    assert third.balance == 9000
    assert betby.rollback(bet, again) == third
    assert betby.rollback(bet, third).balance == 9500


def test_a_refund_is_undone_and_given_back_again(betby: Bookmaker) -> None:
    seat = betby.seat("50.00", "50.00")
    bet = betby.make(seat, 8000)
    assert bet.said["operator_bonus_amount"] == 3000
    refund = betby.refund(bet)
    assert betby.house.balance(seat) == ("50.00", "50.00")
    undo = betby.rollback(bet, refund)
    assert undo.balance == 2000
    other = betby.refund(bet)
    assert betby.rollback(bet, undo) == other
    assert betby.house.balance(seat) == ("50.00", "50.00")


def test_a_lost_is_undone_and_the_bet_is_paid(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    lost = betby.lost(bet)
    undo = betby.rollback(bet, lost)
    assert undo.said["amount"] == 0
    assert betby.rollback(bet, undo).said["amount"] == 0
    assert betby.win(bet, 100).balance == 9100


def test_a_rollback_takes_the_balance_below_zero(betby: Bookmaker) -> None:
    seat = betby.seat("10.00")
    bet = betby.make(seat)
    win = betby.win(bet, 5000)
    assert betby.make(seat, 5000).balance == 0
    assert betby.rollback(bet, win).balance == -5000
    assert betby.journal(seat)[-1] == ("BetbyRollback", "ACCEPTED", "50.00", "overdrawn")


def test_a_refund_beside_a_payment_is_flagged(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    betby.win(bet, 500, is_cashout=True)
    assert betby.refund(bet).balance == 10500
    assert betby.journal(seat)[-1][3] == "paid_bet_given_back"


# --- discards ------------------------------------------------------------------------------------


def test_a_discard_gives_a_bet_back_once(betby: Bookmaker) -> None:
    seat = betby.seat()
    payload = making(seat)
    bet = betby.call("make", payload)
    transaction_id = payload["transaction"]["id"]
    assert betby.discard(seat, transaction_id) == Told(200, {})
    assert betby.discard(seat, transaction_id) == Told(200, {})
    assert betby.balance(seat) == "100.00"
    assert betby.refund(bet).status == 200
    assert betby.balance(seat) == "100.00"
    assert betby.win(bet, 100).code == 2003
    # The make's repeat hears what it heard.
    assert betby.call("make", payload) == bet
    assert betby.balance(seat) == "100.00"


def test_a_discard_before_its_bet_is_remembered(betby: Bookmaker) -> None:
    seat = betby.seat()
    payload = making(seat)
    transaction_id = payload["transaction"]["id"]
    assert betby.discard(seat, transaction_id) == Told(200, {})
    assert betby.discard(seat, transaction_id) == Told(200, {})
    assert betby.call("make", payload).code == 2004
    assert betby.call("make", payload).said["message"] == "the bet was discarded before it came"
    assert betby.balance(seat) == "100.00"
    assert betby.journal(seat) == [("BetbyMake", "BET_DISCARDED", "0.00", "")]


def test_a_discard_of_a_refused_bet_gives_nothing_back(betby: Bookmaker) -> None:
    seat = betby.seat("1.00")
    payload = making(seat)
    assert betby.call("make", payload).code == 2001
    assert betby.discard(seat, payload["transaction"]["id"]) == Told(200, {})
    assert betby.balance(seat) == "1.00"


def test_a_refund_then_a_discard_gives_the_stake_back_once(betby: Bookmaker) -> None:
    seat = betby.seat()
    payload = making(seat)
    bet = betby.call("make", payload)
    refund = betby.refund(bet)
    assert betby.discard(seat, payload["transaction"]["id"]) == Told(200, {})
    assert betby.balance(seat) == "100.00"
    assert betby.rollback(bet, refund).balance == 9000


def test_a_discard_by_another_player_is_other_content(betby: Bookmaker) -> None:
    seat, other = betby.seat(), betby.seat()
    payload = making(seat)
    betby.call("make", payload)
    assert betby.discard(other, payload["transaction"]["id"]).code == 2004
    assert betby.discard(other, unique("never"), ext_player_id="nobody").code == 1006
    assert betby.balance(seat) == "90.00"


# --- free bets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["freebet_refund", "freebet_freemoney"])
def test_a_free_bet_moves_no_stake_and_pays_real_money(betby: Bookmaker, kind: str) -> None:
    seat = betby.seat("1.00", "50.00")
    payload = making(seat, 1000, bonus_type=kind, bonus_id="7")
    bet = betby.call("make", payload)
    assert (bet.said["amount"], bet.balance) == (1000, 5100)
    assert betby.call("make", payload) == bet
    assert betby.call("make", {**payload, "amount": 2000}).code == 2004
    assert betby.win(bet, 850, bonus_id="7", bonus_type=kind).balance == 5950
    assert betby.house.balance(seat) == ("9.50", "50.00")
    assert betby.refund(bet).said["amount"] == 0


def test_a_no_risk_bet_given_back_is_bonus_cost(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat, 1000, bonus_type="no_risk", bonus_id="7")
    betby.lost(bet)
    back = betby.win(bet, 1000, is_snr_lost=True)
    assert back.balance == 10000
    undo = betby.rollback(bet, back)
    assert undo.balance == 9000
    assert betby.rollback(bet, undo).balance == 10000
    (row,) = betby.house.sql(
        "SELECT sum(bonuses) AS bonuses, sum(ggr) AS ggr FROM ops.daily_players WHERE user_id = $1",
        seat.user_id,
    )
    assert (f"{row['bonuses']:.2f}", f"{row['ggr']:.2f}") == ("10.00", "10.00")


def test_amounts_are_in_sub_units_where_the_setting_says_so(betby: Bookmaker) -> None:
    seat = betby.seat("2.00000000", currency="BTC")
    bet = betby.make(seat, 150_000, currency="BTC")
    assert (bet.said["amount"], bet.balance) == (150_000, 50_000)
    assert betby.win(bet, 1, currency="BTC").balance == 50_001
    assert betby.balance(seat) == "0.50001000"


def test_the_largest_amount_is_exact(betby: Bookmaker) -> None:
    seat = betby.seat("999999999999999999.99")
    bet = betby.make(seat, 99_999_999_999_999_999_999)
    assert bet.said["amount"] == 99_999_999_999_999_999_999
    assert bet.balance == 0
    assert betby.refund(bet).balance == 99_999_999_999_999_999_999
    assert betby.make(seat, 10**20).code == 2004


# --- the other door ------------------------------------------------------------------------------


def test_a_round_belongs_to_one_contract(betby: Bookmaker) -> None:
    house, seat = betby.house, betby.seat()
    payload = making(seat)
    betby.call("make", payload)
    event_id = f"betby:{payload['transaction']['id']}"
    for kind in ("BetPlacingAbort", "Win", "BetPlacing", "SportBetCancel"):
        assert house.move(seat, kind, "10.00", eventId=event_id).code == 400
    assert house.move(seat, "BetPlacingAbort", "10.00").code == 406
    assert betby.balance(seat) == "90.00"


def test_limits_count_across_contracts(betby: Bookmaker) -> None:
    house, seat = betby.house, betby.seat()
    house.limit(seat, "stake_day", 1500)
    payload = making(seat)
    assert betby.call("make", payload).status == 200
    assert house.move(seat, "BetPlacing", "6.00").code == 456
    assert betby.discard(seat, payload["transaction"]["id"]).status == 200
    assert house.move(seat, "BetPlacing", "6.00").code == 0
    assert betby.make(seat).code == 4001


def test_what_a_rollback_takes_and_gives_counts_towards_the_losses(betby: Bookmaker) -> None:
    house, seat = betby.house, betby.seat()
    house.limit(seat, "loss_day", 1500)
    bet = betby.make(seat)
    win = betby.win(bet, 1000)
    undo = betby.rollback(bet, win)
    assert betby.make(seat, 600).code == 4001
    assert house.move(seat, "BetPlacing", "6.00").code == 456
    assert betby.rollback(bet, undo).status == 200
    assert betby.make(seat, 600).status == 200
    assert betby.make(seat, 1000).code == 4001


def test_a_payment_and_a_refund_that_both_stand_are_flagged_whichever_came_last(
    betby: Bookmaker,
) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    win = betby.win(bet, 500)
    undo = betby.rollback(bet, win)
    betby.refund(bet)
    assert betby.journal(seat)[-1][3] == ""
    betby.rollback(bet, undo)
    assert betby.journal(seat)[-1] == ("BetbyWinAgain", "ACCEPTED", "5.00", "paid_bet_given_back")
    other = betby.make(seat)
    refund = betby.refund(other)
    again = betby.rollback(other, refund)
    betby.win(other, 500)
    betby.rollback(other, again)
    assert betby.journal(seat)[-1] == (
        *("BetbyRefundAgain", "ACCEPTED", "10.00"),
        "paid_bet_given_back",
    )


# --- notes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "status", "differs"),
    [
        ("won", "won", None),
        ("won", "half-won", None),
        ("won", "half_lost", None),
        ("won", "cashed out", None),
        ("won", "lost", "a payment stands"),
        ("lost", "lost", None),
        ("lost", "won", "nothing was paid"),
        ("nothing", "lost", "the bet was never settled"),
        ("refund", "canceled", None),
        ("refund", "refund", None),
        ("refund", "won", "the bet was given back"),
        ("lost", "refund", "the stake was not given back"),
        ("the stake", "refund", None),
        ("the stake", "canceled", None),
    ],
)
def test_a_settlement_is_compared_with_what_was_done(
    betby: Bookmaker, done: str, status: str, differs: str | None
) -> None:
    seat = betby.seat()
    payload = making(seat)
    bet = betby.call("make", payload)
    doing = {"won": lambda: betby.win(bet, 700), "lost": lambda: betby.lost(bet)}
    doing["the stake"] = lambda: betby.win(bet, 1000)
    doing.get(done, lambda: betby.refund(bet) if done == "refund" else bet)()
    for _ in range(2):
        told = betby.call("settlement", {"bet_transaction_id": bet.id, "status": status})
        assert told == Told(200, {})
    rows = betby.house.sql(
        "SELECT summary FROM exceptions WHERE kind = 'settlement_differs' AND user_id = $1",
        seat.user_id,
    )
    said = status.replace("_", "-")
    expected = [] if differs is None else [f"settled as {said}, but {differs}"]
    assert [row["summary"] for row in rows] == expected
    assert betby.call("settlement", {"bet_transaction_id": bet.id, "status": "odd"}).code == 2004


def test_the_session_of_a_call_is_not_kept(betby: Bookmaker) -> None:
    seat = betby.seat()
    betby.make(seat)
    betby.make(seat, 10**9)
    betby.make(seat, 1000, session_id=seat.token, currency="XXX")
    (row,) = betby.house.sql(
        "SELECT (SELECT string_agg(extra_data, '') FROM movements)"
        " || (SELECT string_agg(asked, '') FROM refusals) AS kept"
    )
    assert seat.token not in row["kept"]
    assert json.loads(setting())["signing_key"]["d"] not in repr(betby.house.settings)
