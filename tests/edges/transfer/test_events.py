"""`events` of the transfer API: what happened since a cursor."""

from datetime import UTC, datetime

import pytest

from tests.edges.transfer.bank import AGENT, OTHER, Bank, unique

TOLD = ["id", "type", "occurred_at", "user_id", "cursor", "data"]


def begin(bank: Bank, agent: str = AGENT) -> str:
    """Return the cursor that stands at everything that was told so far."""
    bank.player(agent=agent)
    more: dict[str, object] = {}
    while True:
        reply = bank.ask("events", limit=1000, agent=agent, **more)
        assert reply.code == 0, reply.body
        more = {"after": reply.data["cursor"]}
        if not reply.data["has_more"]:
            return str(more["after"])


def test_a_bet_and_its_win_are_told_with_both_pockets_before_and_after(bank: Bank) -> None:
    user = bank.player("100", "20")
    after = begin(bank)
    token = bank.token(user)
    bet, win = unique("bet"), unique("win")
    assert bank.play(user, token, "BetPlacing", "10.50", transaction_id=bet) == 0
    assert bank.play(user, token, "Win", "21", transaction_id=win) == 0
    reply = bank.ask("events", after=after)
    assert reply.code == 0
    placed, won, settled = reply.data["events"]
    assert list(placed) == TOLD
    assert [e["type"] for e in (placed, won, settled)] == [
        "movement.posted",
        "movement.posted",
        "round.settled",
    ]
    assert placed["user_id"] == user
    assert placed["data"] == {
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
        "event_id": "event-1",
        "game_id": "1037566",
        "bonus_code": None,
        "decided_at": placed["occurred_at"],
        "refusal": None,
        "reason": None,
    }
    assert b'"amount":10.50,' in reply.body, "an exact number, as everywhere in this contract"
    assert settled["data"] == {
        "event_id": "event-1",
        "game_id": "1037566",
        "streamer": False,
        "currency": "USD",
        "bets": "1",
        "stakes": "10.50",
        "wins": "21.00",
        "returns": "0.00",
        "net": "10.50",
        "transaction_id": win,
    }


def test_a_declined_bet_is_told_with_its_reason(bank: Bank) -> None:
    user = bank.player("1")
    after = begin(bank)
    assert bank.play(user, bank.token(user), "BetPlacing", "10") != 0
    (event,) = bank.ask("events", after=after).data["events"]
    assert event["type"] == "movement.declined"
    assert (event["data"]["refusal"], event["data"]["reason"]) == (
        "insufficient_funds",
        "not enough money",
    )
    assert event["data"]["balance"] == "1.00"


def test_a_change_of_an_account_is_told_as_it_stands_afterwards(bank: Bank) -> None:
    user = bank.player("100")
    after = begin(bank)
    bank.ask("account/update", user_id=user, limits={"stake_day": "50.00", "loss_day": "20"})
    bank.ask("account/update", user_id=user, status="blocked", excluded_until="forever")
    bank.ask("account/update", user_id=user, limits={"stake_day": None})
    first, second, third = bank.ask("events", after=after).data["events"]
    assert {e["type"] for e in (first, second, third)} == {"account.updated"}
    assert first["data"]["limits"] == {"stake_day": "50.00", "loss_day": "20.00"}
    assert (first["data"]["status"], first["data"]["by"]) == ("active", "casino")
    assert (second["data"]["status"], second["data"]["excluded_until"]) == ("blocked", "forever")
    asked = third["data"]["limits_later"]["stake_day"]
    assert (asked["amount"], asked["confirm"]) == (None, True)
    assert datetime.fromisoformat(asked["from"]) > datetime.now(UTC)


def test_an_agent_hears_of_its_own_players_only(bank: Bank) -> None:
    mine, theirs = begin(bank), begin(bank, agent=OTHER)
    user = bank.player(agent=OTHER)
    bank.move("account/deposit", user, "5", agent=OTHER)
    assert user not in {e["user_id"] for e in bank.ask("events", after=mine).data["events"]}
    kinds = [
        (event["type"], event["user_id"])
        for event in bank.ask("events", after=theirs, agent=OTHER).data["events"]
    ]
    assert kinds == [("account.opened", user), ("movement.posted", user)]


def test_pages_join_without_a_gap_or_a_repeat(bank: Bank) -> None:
    user = bank.player()
    after = begin(bank)
    for _ in range(7):
        bank.move("account/deposit", user, "1")
    heard, cursor = [], after
    while True:
        page = bank.ask("events", after=cursor, limit=3).data
        heard += page["events"]
        cursor = page["cursor"]
        if not page["has_more"]:
            break
    assert heard == bank.ask("events", after=after).data["events"]
    assert len({event["id"] for event in heard}) == 7
    assert heard[-1]["cursor"] == cursor
    nothing = bank.ask("events", after=cursor).data
    assert nothing == {"events": [], "cursor": cursor, "has_more": False}


def test_only_the_types_that_are_asked_for_are_told(bank: Bank) -> None:
    after = begin(bank)
    bank.player("1")
    page = bank.ask("events", after=after, types=["account.opened"]).data
    assert [event["type"] for event in page["events"]] == ["account.opened"]
    assert bank.ask("events", after=page["cursor"]).data["events"] == []


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"after": 5}, 4, "after"),
        ({"after": "5"}, 100, "after"),
        ({"after": "5-zzzzzzzz"}, 100, "after"),
        ({"after": "999999999-00000000"}, 100, "after"),
        ({"after": "1-00000000"}, 100, "after"),
        ({"limit": 0}, 100, "limit"),
        ({"limit": 1001}, 100, "limit"),
        ({"types": ["movement.lost"]}, 100, "types"),
        ({"types": "movement.posted"}, 4, "types"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    bank: Bank, fields: dict[str, object], code: int, field: str
) -> None:
    bank.player()
    reply = bank.ask("events", **fields)
    assert (reply.code, reply.data["field"]) == (code, field)
