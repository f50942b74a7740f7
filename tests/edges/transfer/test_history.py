"""The history of an operator's rounds: ended and ongoing, in pages, by key."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.edges.transfer.bank import AGENT, OTHER, Bank, unique


def pages(bank: Bank, **fields: Any) -> Iterator[list[dict[str, Any]]]:  # noqa: ANN401 - any JSON
    cursor = None
    while True:
        reply = bank.ask("history", cursor=cursor, **fields)
        assert reply.code == 0, reply.body
        yield reply.data["rounds"]
        cursor = reply.data["next_cursor"]
        if cursor is None:
            return


def types(bank: Bank, user_id: str, kind: str = "ALL") -> dict[str, str]:
    rounds = bank.ask("history", type=kind, user_id=user_id).data["rounds"]
    return {r["event_id"]: r["type"] for r in rounds}


def test_what_a_round_says(bank: Bank) -> None:
    user_id = bank.player("100")
    token = bank.token(user_id)
    for event_type, amount in (
        ("BetPlacing", "10"),
        ("BetPlacing", "5.50"),
        ("BetPlacingAbort", "5.50"),
        ("Win", "30"),
        ("BetPayedAbort", "12"),
        ("Lose", "0"),
    ):
        assert bank.play(user_id, token, event_type, amount, "round") == 0
    (shown,) = bank.ask("history", type="ALL", user_id=user_id).data["rounds"]
    opened_at, last_at = shown.pop("opened_at"), shown.pop("last_at")
    assert opened_at < last_at
    assert shown == {
        "user_id": user_id,
        "event_id": "round",
        "game_id": "1037566",
        "streamer": False,
        "type": "END",
        "currency": "USD",
        "bets": "2",
        "stakes": "15.50",
        "wins": "18.00",
        "returns": "5.50",
        "overdrawn": "0.00",
        "net": "8.00",
    }
    assert bank.balance(user_id) == ("108.00", "0.00")


def test_ended_and_ongoing(bank: Bank) -> None:
    user_id = bank.player("1000")
    token = bank.token(user_id)
    stories = {
        "open": ["BetPlacing"],
        "won": ["BetPlacing", "Win"],
        "lost": ["BetPlacing", "Lose"],
        "again": ["BetPlacing", "Win", "BetPlacing"],
        "given-back": ["BetPlacing", "BetPlacingAbort"],
        "reopened": ["BetPlacing", "Win", "SportBetCancel"],
        "settled-again": ["BetPlacing", "Win", "SportBetCancel", "Lose"],
        "only-a-tip": ["Tip"],
        "only-a-cancel": ["SportBetCancel"],
        "refused": ["Win"],
    }
    for event_id, story in stories.items():
        for event_type in story:
            amount = "0" if event_type == "Lose" else "10"
            code = bank.play(user_id, token, event_type, amount, event_id)
            assert code == (406 if event_id == "refused" else 0)
    ongoing = {"open", "again", "reopened"}
    ended = {"won", "lost", "given-back", "settled-again"}
    assert types(bank, user_id) == dict.fromkeys(ongoing, "ING") | dict.fromkeys(ended, "END")
    assert set(types(bank, user_id, "ING")) == ongoing
    assert set(types(bank, user_id, "END")) == ended


def test_the_net_is_what_the_journal_says(bank: Bank) -> None:
    user_id = bank.player("1000", "100")
    token = bank.token(user_id)
    for event_id, story in {
        "overdrawn": ["BetPlacing", "Win", "SportBetCancel", "SportBetCancel"],
        "stands-again": ["BetPlacing", "BetPlacingAbort", "SportBetCancel"],
        "twice": ["BetPlacing", "BetPlacing", "Win", "Win", "BetPayedAbort"],
    }.items():
        for event_type in story:
            assert bank.play(user_id, token, event_type, "10", event_id) == 0
    rounds = bank.ask("history", type="ALL", user_id=user_id).data["rounds"]
    journal = bank.sql(
        "SELECT event_id, sum(real_delta + bonus_delta) AS net FROM movements"
        " JOIN players USING (player_id) WHERE user_id = $1 AND event_id IS NOT NULL"
        " GROUP BY event_id",
        user_id,
    )
    assert {r["event_id"]: r["net"] for r in rounds} == {
        row["event_id"]: f"{row['net']:.2f}" for row in journal
    }


def test_pages_follow_each_other_without_a_gap(bank: Bank) -> None:
    # All in one moment: only their keys tell them apart.
    user_id = bank.player("1000")
    token = bank.token(user_id)
    names = [unique("r\u00e9sum\u00e9/+=") for _ in range(7)]
    for name in names:
        assert bank.play(user_id, token, "BetPlacing", "1", name) == 0
    bank.sql("UPDATE rounds SET opened_at = '2026-11-20T12:00:00Z' WHERE event_id = ANY($1)", names)
    for limit in (1, 2, 3, 7, 8):
        seen = list(pages(bank, type="ALL", user_id=user_id, limit=limit))
        assert [len(page) for page in seen[:-1]] == [limit] * (len(seen) - 1)
        events = [r["event_id"] for page in seen for r in page]
        assert sorted(events) == sorted(names)
        assert len(set(events)) == len(names)
    # A round opened while a client pages through the history comes before its first page.
    turning = pages(bank, type="ALL", user_id=user_id, limit=4)
    first = next(turning)
    assert bank.play(user_id, token, "BetPlacing", "1", "later") == 0
    rest = [r["event_id"] for page in turning for r in page]
    assert sorted([*(r["event_id"] for r in first), *rest]) == sorted(names)


def test_the_newest_comes_first_and_times_bound_it(bank: Bank) -> None:
    user_id = bank.player("1000")
    token = bank.token(user_id)
    moments = []
    for name in ("one", "two", "three"):
        bank.ahead += timedelta(minutes=10)
        moments.append(bank.now())
        assert bank.play(user_id, token, "BetPlacing", "1", name) == 0

    def events(**fields: object) -> list[str]:
        rounds = bank.ask("history", type="ALL", user_id=user_id, **fields).data["rounds"]
        return [r["event_id"] for r in rounds]

    assert events() == ["three", "two", "one"]
    second = moments[1].isoformat()
    assert events(since=second) == ["three", "two"]
    assert events(to=second) == ["one"]
    assert events(since=second, to=moments[2].isoformat()) == ["two"]
    assert events(since=int(moments[0].timestamp()), to=int(moments[0].timestamp())) == []
    assert events(since="2026-01-01", to="2199-01-01") == ["three", "two", "one"]
    opened_at = bank.ask("history", type="ALL", user_id=user_id).data["rounds"][1]["opened_at"]
    assert events(since=opened_at) == ["three", "two"], "from is within"
    assert events(to=opened_at) == ["one"], "to is not"


def test_an_agent_sees_all_its_players_and_nobody_elses(bank: Bank) -> None:
    mine, theirs = bank.player("10"), bank.player("10", agent=OTHER)
    event = unique("mine")
    assert bank.play(mine, bank.token(mine), "BetPlacing", "1", event) == 0
    seen = [r for page in pages(bank, type="ALL", limit=1000) for r in page]
    assert (mine, event) in {(r["user_id"], r["event_id"]) for r in seen}
    assert theirs not in {r["user_id"] for r in seen}
    others = [r for page in pages(bank, type="ALL", agent=OTHER) for r in page]
    assert mine not in {r["user_id"] for r in others}
    assert bank.ask("history", type="ALL", user_id=theirs, agent=AGENT).code == 101
