"""`account/statement`: what was decided of a player's money, newest first, page by page."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.edges.transfer.bank import AGENT, OTHER, Bank, Reply, b64, unique

MEMBERS = [
    *("event_type", "direction", "amount", "currency", "real_before", "bonus_before"),
    *("real_balance", "bonus_balance", "balance", "source", "transaction_id", "event_id"),
    *("game_id", "bonus_code", "decided_at", "refusal", "reason"),
]


def ask(bank: Bank, user_id: str, **fields: Any) -> Reply:  # noqa: ANN401 - any JSON
    return bank.ask("account/statement", user_id=user_id, **fields)


def pages(bank: Bank, user_id: str, **fields: Any) -> Iterator[list[dict[str, Any]]]:  # noqa: ANN401 - any JSON
    cursor = None
    while True:
        reply = ask(bank, user_id, cursor=cursor, **fields)
        assert reply.code == 0, reply.body
        yield reply.data["movements"]
        cursor = reply.data["next_cursor"]
        if cursor is None:
            return


def ids(movements: list[dict[str, Any]]) -> list[str]:
    return [movement["transaction_id"] for movement in movements]


def deposits(bank: Bank, user_id: str, count: int) -> list[str]:
    """Pay in, and return the transaction ids, the newest first."""
    made = [unique("paid") for _ in range(count)]
    for transaction_id in made:
        assert bank.move("account/deposit", user_id, "1", transaction_id).code == 0
    return made[::-1]


def told(bank: Bank, user_id: str) -> list[dict[str, Any]]:
    """The `data` of every event about a movement of a player, the newest first."""
    data: list[dict[str, Any]] = []
    more: dict[str, object] = {}
    while True:
        page = bank.ask("events", limit=1000, **more).data
        data += [
            event["data"]
            for event in page["events"]
            if event["user_id"] == user_id
            and event["type"] in {"movement.posted", "movement.declined"}
        ]
        more = {"after": page["cursor"]}
        if not page["has_more"]:
            return data[::-1]


def test_what_a_movement_says(bank: Bank) -> None:
    user_id = bank.player("100", "20")
    bet = unique("bet")
    assert bank.play(user_id, bank.token(user_id), "BetPlacing", "10.50", "r-1", bet) == 0
    page = ask(bank, user_id).data
    assert page["next_cursor"] is None
    newest, grant, deposit = page["movements"]
    assert list(newest) == MEMBERS
    decided_at = newest.pop("decided_at")
    assert decided_at > grant["decided_at"] > deposit["decided_at"]
    assert newest == {
        "event_type": "BetPlacing",
        "direction": "debit",
        "amount": "10.50",
        "currency": "USD",
        "real_before": "100.00",
        "bonus_before": "20.00",
        "real_balance": "89.50",
        "bonus_balance": "20.00",
        "balance": "109.50",
        "source": "callback",
        "transaction_id": bet,
        "event_id": "r-1",
        "game_id": "1037566",
        "bonus_code": None,
        "refusal": None,
        "reason": None,
    }
    assert (grant["event_type"], grant["bonus_before"], grant["bonus_balance"]) == (
        *("BonusGrant", "0.00", "20.00"),
    )
    assert (deposit["event_type"], deposit["source"], deposit["event_id"]) == (
        *("Deposit", AGENT, None),
    )


def test_it_says_what_the_events_say(bank: Bank) -> None:
    user_id = bank.player("50", "5")
    token = bank.token(user_id)
    assert bank.ask("account/update", user_id=user_id, limits={"stake_day": 20}).code == 0
    for event_type, amount, code in (
        *(("BetPlacing", "10", 0), ("Win", "7.77", 0), ("Lose", "0", 0), ("Tip", "1", 0)),
        *(("BetPlacing", "15", 456), ("Tip", "9999", 402), ("SportBetCancel", "7.77", 0)),
    ):
        assert bank.play(user_id, token, event_type, amount) == code, event_type
    hold = bank.move("account/hold", user_id, "5").data["transaction_id"]
    assert bank.ask("hold/release", transaction_id=unique("r"), hold_id=hold).code == 0
    assert bank.move("account/withdraw", user_id, "1000").code == 102
    movements = ask(bank, user_id).data["movements"]
    assert movements == told(bank, user_id)
    assert [movement["event_type"] for movement in movements] == [
        *("Withdrawal", "WithdrawalRelease", "WithdrawalHold", "SportBetCancel", "Tip"),
        *("BetPlacing", "Tip", "Lose", "Win", "BetPlacing", "BonusGrant", "Deposit"),
    ]


def test_what_was_declined_is_there_and_moved_nothing(bank: Bank) -> None:
    user_id = bank.player("1")
    assert bank.move("account/withdraw", user_id, "5", unique("out")).code == 102
    assert bank.ask("account/update", user_id=user_id, status="blocked").code == 0
    assert bank.move("account/deposit", user_id, "5").code == 9
    blocked, poor, _ = ask(bank, user_id).data["movements"]
    assert (poor["refusal"], poor["reason"], poor["amount"]) == (
        *("insufficient_funds", "not enough money", "5.00"),
    )
    assert (poor["real_before"], poor["real_balance"]) == ("1.00", "1.00")
    assert (blocked["refusal"], blocked["balance"]) == ("player_blocked", "1.00")


def test_what_was_not_decided_is_not_there(bank: Bank) -> None:
    user_id = bank.player()
    assert ask(bank, user_id).data == {"movements": [], "next_cursor": None}
    assert bank.move("account/deposit", user_id, "0.001").code == 100
    assert bank.move("account/deposit", user_id, "5", agent=OTHER).code == 101
    assert bank.play(user_id, bank.token(user_id), "Win", "2", "unknown") == 406
    assert ask(bank, user_id).data == {"movements": [], "next_cursor": None}


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_follow_each_other_without_a_gap(bank: Bank, limit: int) -> None:
    user_id = bank.player()
    wanted = deposits(bank, user_id, 7)
    seen = list(pages(bank, user_id, limit=limit))
    assert [len(page) for page in seen[:-1]] == [limit] * (len(seen) - 1)
    assert seen[-1]
    assert [transaction_id for page in seen for transaction_id in ids(page)] == wanted


def test_what_is_decided_meanwhile_comes_before_the_first_page(bank: Bank) -> None:
    user_id = bank.player()
    wanted = deposits(bank, user_id, 9)
    seen: list[dict[str, Any]] = []
    later: list[str] = []
    for page in pages(bank, user_id, limit=2):
        seen += page
        later = deposits(bank, user_id, 3) + later
    assert ids(seen) == wanted
    assert ids(ask(bank, user_id).data["movements"]) == later + wanted
    for newer, older in pairwise(seen):
        assert newer["real_before"] == older["real_balance"]


def test_a_page_holds_a_hundred_where_nobody_says_how_many(bank: Bank) -> None:
    user_id = bank.player("1")
    for _ in range(101):
        assert bank.move("account/withdraw", user_id, "9").code == 102
    first, second = pages(bank, user_id)
    assert (len(first), len(second)) == (100, 2)
    assert first + second == ask(bank, user_id, limit=1000).data["movements"]


def test_the_newest_comes_first_and_times_bound_it(bank: Bank) -> None:
    user_id = bank.player()
    moments, made = [], []
    for _ in range(3):
        bank.ahead += timedelta(minutes=10)
        moments.append(bank.now())
        made += deposits(bank, user_id, 1)
    one, two, three = made

    def seen(**fields: object) -> list[str]:
        found = [ids(page) for page in pages(bank, user_id, limit=1, **fields)]
        whole = ids(ask(bank, user_id, **fields).data["movements"])
        assert [each for page in found for each in page] == whole
        return whole

    assert seen() == [three, two, one]
    second = moments[1].isoformat()
    assert seen(since=second) == [three, two]
    assert seen(to=second) == [one]
    assert seen(since=second, to=moments[2].isoformat()) == [two]
    assert seen(since=moments[2].isoformat(), to=second) == []
    assert seen(since=int(moments[0].timestamp()), to=int(moments[0].timestamp())) == []
    assert seen(since="2026-01-01", to="2199-01-01") == [three, two, one]
    decided_at = ask(bank, user_id).data["movements"][1]["decided_at"]
    assert seen(since=decided_at) == [three, two], "from is within"
    assert seen(to=decided_at) == [one], "to is not"


def test_periods_adjoin_wherever_they_are_cut(bank: Bank) -> None:
    user_id = bank.player()
    made: list[str] = []
    for count in range(1, 18):
        bank.ahead += timedelta(seconds=5)
        made = deposits(bank, user_id, 1) + made
        everything = ask(bank, user_id).data["movements"]
        assert ids(everything) == made
        cut = everything[count // 2]["decided_at"]
        before, after = (ask(bank, user_id, **{side: cut}) for side in ("to", "since"))
        assert after.data["movements"] + before.data["movements"] == everything
        assert len(before.data["movements"]) == count - count // 2 - 1


def test_a_period_that_is_over_stays_as_it_was_also_if_a_clock_is_set_back(bank: Bank) -> None:
    user_id = bank.player()
    bank.ahead = timedelta(hours=1)
    deposits(bank, user_id, 5)
    bank.ahead = timedelta(0)
    deposits(bank, user_id, 6)
    cut = (bank.now() + timedelta(minutes=90)).isoformat()
    bank.ahead = timedelta(hours=2)
    told_first = ask(bank, user_id, to=cut).data["movements"]
    assert len(told_first) == 11
    deposits(bank, user_id, 9)
    assert ask(bank, user_id, to=cut).data["movements"] == told_first


@pytest.mark.parametrize(
    ("currency", "paid", "shown"),
    [
        ("KRW", "123456789012345678", "123456789012345678"),
        ("JPY", "7", "7"),
        ("USD", "999999999999999999.99", "999999999999999999.99"),
        ("BTC", "123456789012.00000001", "123456789012.00000001"),
        ("BTC", "0.00000001", "0.00000001"),
        ("BTC", "5", "5.00000000"),
    ],
)
def test_amounts_are_exact_at_every_scale(bank: Bank, currency: str, paid: str, shown: str) -> None:
    user_id = bank.player(paid, currency=currency)
    reply = ask(bank, user_id)
    (movement,) = reply.data["movements"]
    zero = bank.ask("account/balance", user_id=user_id).data["bonus_balance"]
    assert f'"amount":{shown},"currency":"{currency}","real_before":{zero},'.encode() in reply.body
    assert movement["amount"] == movement["real_balance"] == movement["balance"] == shown
    assert movement["bonus_before"] == movement["bonus_balance"] == zero


def test_another_agents_account_and_one_that_is_not_there(bank: Bank) -> None:
    theirs = bank.player("10", agent=OTHER)
    assert ask(bank, theirs).code == 101
    assert ask(bank, theirs, agent=OTHER).code == 0
    assert ask(bank, unique("nobody")).code == 100
    assert bank.refusals_of(theirs) == [("account/statement", "ACCOUNT_OF_ANOTHER_AGENT")]


def test_a_cursor_is_of_one_players_statement(bank: Bank) -> None:
    mine, other = bank.player(), bank.player()
    for user_id in (mine, other):
        deposits(bank, user_id, 3)
    cursor = ask(bank, mine, limit=1).data["next_cursor"]
    refused = ask(bank, other, cursor=cursor)
    assert (refused.code, refused.data["field"]) == (100, "cursor")
    token = bank.token(mine)
    for event_id in ("one", "two"):
        assert bank.play(mine, token, "BetPlacing", "1", event_id) == 0
    of_rounds = bank.ask("history", type="ALL", user_id=mine, limit=1).data["next_cursor"]
    assert ask(bank, mine, cursor=of_rounds).code == 100
    assert bank.ask("history", type="ALL", user_id=mine, cursor=cursor).code == 100


@pytest.mark.parametrize("position", ["-1", "1.5", "1e5", "null", '"1"', "9" * 19])
def test_a_cursor_that_nobody_was_given(bank: Bank, position: str) -> None:
    user_id = bank.player("5")
    good, bad = (f'{{"u":"{user_id}","p":{number}}}'.encode() for number in ("2", position))
    assert ids(ask(bank, user_id, cursor=b64(good)).data["movements"])
    refused = ask(bank, user_id, cursor=b64(bad))
    assert (refused.code, refused.data["field"]) == (100, "cursor")


def test_a_cursor_of_the_longest_name(bank: Bank) -> None:
    user_id = "\N{MONEY BAG}" * 200 + unique("long")
    opened = bank.ask(
        "account/init", user_id=user_id, currency="USD", nickname="Long", language="en"
    )
    assert opened.code == 0
    wanted = deposits(bank, user_id, 3)
    assert [each for page in pages(bank, user_id, limit=1) for each in ids(page)] == wanted
