"""Money on the transfer API: once, exactly, and into the same ledger as the game side's."""

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.at_once import at_once
from tests.conftest import Database
from tests.edges.database_away import database_away
from tests.edges.transfer.bank import AGENT, OTHER, Bank, Reply, open_bank, unique

if TYPE_CHECKING:
    from collections.abc import Callable

DELIVERIES = 12


def assert_it_adds_up(bank: Bank) -> None:
    """Every wallet is the sum of its movements, and every movement begins where the last ended."""
    assert (
        bank.sql(
            "SELECT w.player_id FROM wallets w LEFT JOIN movements m USING (player_id)"
            " GROUP BY w.player_id, w.real, w.bonus"
            " HAVING (w.real, w.bonus) <> (coalesce(sum(m.real_delta), 0),"
            "                              coalesce(sum(m.bonus_delta), 0))"
        )
        == []
    )
    assert (
        bank.sql(
            "SELECT player_id FROM ("
            " SELECT *, lag(real_after, 1, 0) OVER chain AS real_was,"
            "        lag(bonus_after, 1, 0) OVER chain AS bonus_was"
            " FROM movements WINDOW chain AS (PARTITION BY player_id ORDER BY position)) AS m"
            " WHERE (real_before, bonus_before) <> (real_was, bonus_was)"
        )
        == []
    )
    assert (
        bank.sql("SELECT currency FROM ops.entries GROUP BY currency HAVING sum(amount) <> 0") == []
    )


# --- repeats ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "amount", "code"),
    [
        ("account/deposit", "5", 0),
        ("account/withdraw", "5", 0),
        ("account/withdraw", "500", 102),
        ("bonus/grant", "5", 0),
        ("bonus/revoke", "5", 0),
        ("bonus/revoke", "500", 102),
    ],
)
def test_a_repeat_gets_the_original_response(
    bank: Bank, operation: str, amount: str, code: int
) -> None:
    user_id, transaction_id = bank.player("50", "50"), unique("repeat")
    first = bank.move(operation, user_id, amount, transaction_id)
    assert first.code == code
    bank.move("account/deposit", user_id, "1000")
    bank.move("bonus/grant", user_id, "1000")
    balance = bank.balance(user_id)
    bank.ask("account/update", user_id=user_id, status="blocked")
    for again in (amount, f"{amount}.00", float(amount)):
        repeat = bank.move(operation, user_id, again, transaction_id)
        assert (repeat.status, repeat.body) == (first.status, first.body)
    assert bank.balance(user_id) == balance


def test_a_block_is_an_outcome_too(bank: Bank) -> None:
    user_id, transaction_id = bank.player(), unique("blocked")
    bank.ask("account/update", user_id=user_id, status="blocked")
    first = bank.move("account/deposit", user_id, "5", transaction_id)
    assert first.code == 9
    bank.ask("account/update", user_id=user_id, status="active")
    assert bank.move("account/deposit", user_id, "5", transaction_id).body == first.body
    assert bank.move("account/deposit", user_id, "5").code == 0
    assert bank.balance(user_id) == ("5.00", "0.00")


def test_another_reason_is_no_other_content(bank: Bank) -> None:
    user_id, transaction_id = bank.player(), unique("reason")
    first = bank.move("bonus/grant", user_id, "5", transaction_id, reason="one")
    assert bank.move("bonus/grant", user_id, "5", transaction_id, reason="two").body == first.body


# --- many at once ----------------------------------------------------------------------------


def test_twelve_deliveries_of_one_withdrawal_are_one_debit(bank: Bank) -> None:
    for amount, left, code in (("60", "40.00", 0), ("160", "100.00", 102)):
        user_id, transaction_id = bank.player("100"), unique("twelve")
        call = partial(bank.move, "account/withdraw", user_id, amount, transaction_id)
        replies = at_once([call] * DELIVERIES)
        assert {reply.code for reply in replies} == {code}
        assert len({reply.body for reply in replies}) == 1
        assert bank.balance(user_id) == (left, "0.00")
        journal = bank.sql("SELECT * FROM movements WHERE transaction_id = $1", transaction_id)
        assert len(journal) == 1


def test_one_id_for_two_things_at_once_is_one_of_them(bank: Bank) -> None:
    user_id, other, transaction_id = bank.player("100"), bank.player("100"), unique("either")
    calls: list[Callable[[], Reply]] = [
        partial(bank.move, "account/withdraw", user_id, "10", transaction_id),
        partial(bank.move, "account/deposit", user_id, "10", transaction_id),
        partial(bank.move, "account/withdraw", other, "10", transaction_id),
        partial(bank.move, "account/withdraw", user_id, "20", transaction_id),
    ]
    codes = [reply.code for reply in at_once(calls)]
    assert sorted(codes) == [0, 100, 100, 100]
    assert_it_adds_up(bank)


def test_a_withdrawal_races_bets_for_the_same_money(bank: Bank) -> None:
    for _ in range(5):
        user_id = bank.player("100")
        token = bank.token(user_id)
        bets: list[Callable[[], int]] = [
            partial(bank.play, user_id, token, "BetPlacing", "10", event_id=unique("race"))
            for _ in range(8)
        ]
        takes: list[Callable[[], int]] = [
            partial(
                lambda user: bank.move("account/withdraw", user, "30").code,
                user_id,
            )
            for _ in range(4)
        ]
        codes = at_once([*bets, *takes])
        taken = 10 * codes[:8].count(0) + 30 * codes[8:].count(0)
        assert set(codes[:8]) <= {0, 402}
        assert set(codes[8:]) <= {0, 102}
        assert 70 < taken <= 100
        assert bank.balance(user_id) == (f"{100 - taken}.00", "0.00")
    assert_it_adds_up(bank)


def test_one_account_is_opened_once(bank: Bank) -> None:
    user_id = unique("many")
    call = partial(
        bank.ask,
        "account/init",
        user_id=user_id,
        currency="USD",
        nickname="Many",
        language="en",
    )
    replies = at_once([call] * DELIVERIES)
    assert sorted(reply.data["created"] for reply in replies) == [False] * 11 + [True]


# --- across both contracts -------------------------------------------------------------------


def test_deposit_play_withdraw_and_it_adds_up(bank: Bank) -> None:
    user_id = bank.player()
    assert bank.move("account/deposit", user_id, "200.00").pockets == ("200.00", "0.00")
    assert bank.move("bonus/grant", user_id, "50").pockets == ("200.00", "50.00")
    token = bank.token(user_id)
    assert bank.game("sessionCheck", token=token, userId=user_id) == {"status": True}
    assert bank.game("getBalance", token=token, userId=user_id)["balance"] == "250.00"

    assert bank.play(user_id, token, "BetPlacing", "220", "spin") == 0
    assert bank.play(user_id, token, "Win", "110", "spin") == 0
    assert bank.play(user_id, token, "BetPlacing", "30", "slip") == 0
    assert bank.play(user_id, token, "BetPlacingAbort", "30", "slip") == 0
    assert bank.play(user_id, token, "BetPlacing", "1000", "dream") == 402
    assert bank.play(user_id, token, "Tip", "5.55", "spin") == 0
    assert bank.balance(user_id) == ("94.45", "40.00")

    assert bank.move("account/withdraw", user_id, "94.46").code == 102
    assert bank.move("bonus/revoke", user_id, "40").pockets == ("94.45", "0.00")
    assert bank.move("account/withdraw", user_id, "94.45").pockets == ("0.00", "0.00")
    rounds = bank.ask("history", type="ALL", user_id=user_id).data["rounds"]
    assert {r["event_id"]: (r["type"], r["net"]) for r in rounds} == {
        "spin": ("END", "-110.00"),
        "slip": ("END", "0.00"),
    }
    house = bank.sql(
        "SELECT m.contra, -sum(m.real_delta + m.bonus_delta) AS holds FROM movements m"
        " JOIN players p USING (player_id) WHERE p.user_id = $1 GROUP BY m.contra",
        user_id,
    )
    assert {row["contra"]: f"{row['holds']:.2f}" for row in house} == {
        "house:cashier": "-105.55",
        "house:bonuses": "-10.00",
        "house:games": "110.00",
        "house:tips": "5.55",
    }
    assert_it_adds_up(bank)


def test_a_blocked_player_keeps_his_token_and_gets_his_win(bank: Bank) -> None:
    user_id = bank.player("10")
    token = bank.token(user_id)
    assert bank.play(user_id, token, "BetPlacing", "10") == 0
    bank.ask("account/update", user_id=user_id, status="blocked")
    assert bank.play(user_id, token, "BetPlacing", "0", unique("more")) == 405
    assert bank.play(user_id, token, "Win", "30") == 0
    assert bank.move("account/withdraw", user_id, "30").pockets == ("0.00", "0.00")


# --- the database away -----------------------------------------------------------------------


def test_the_database_away_is_103_and_a_repeat_is_safe(db: Database) -> None:
    with open_bank(db, deadline_seconds="1") as bank:
        user_id = bank.player("10")
        transaction_id = unique("away")
        with database_away(bank):
            replies = [
                bank.move("account/deposit", user_id, "5", transaction_id),
                bank.ask("account/balance", user_id=user_id),
                bank.ask("account/session", user_id=user_id),
                bank.ask("account/update", user_id=user_id, status="blocked"),
                bank.ask("transaction/check", transaction_id=transaction_id),
                bank.ask("history", type="ALL"),
                # A refusal that cannot be traced is not told.
                bank.ask("account/deposit", user_id=user_id),
            ]
        assert {reply.code for reply in replies} == {103}
        assert {reply.status for reply in replies} == {500}
        assert bank.move("account/deposit", user_id, "5", transaction_id).code == 0
        assert bank.move("account/deposit", user_id, "5", transaction_id).code == 0
        assert bank.balance(user_id) == ("15.00", "0.00")


def test_the_agents_do_not_see_each_other(bank: Bank) -> None:
    mine, theirs = bank.player("1", agent=AGENT), bank.player("1", agent=OTHER)
    assert bank.ask("account/balance", user_id=theirs).code == 101
    assert bank.ask("account/balance", user_id=mine, agent=OTHER).code == 101
