"""What each line comes to: the verdict, and the cause that only a wallet knows."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.ledger.reconciliation.runs import Difference
from app.reconciliation.profile import Profile, read_profile
from app.reconciliation.reconcile import Outcome, Request, reconcile
from app.reconciliation.repairs import repair_id, repair_of
from tests.conftest import Database
from tests.reconciliation.story import SHIPPED, Teller, profile, write

STORY = """
1 09:00 anna Deposit           200.00 pay-1
1 09:01 bora Deposit           100.00 pay-2
1 09:02 chen Deposit            30000 pay-3
1 10:00 anna BetPlacing         20.00 b-1   round-1  4711
1 10:01 anna Win                35.00 w-1   round-1  4711
1 10:10 bora BetPlacing         60.00 s-1   bet-7    1037566
1 10:30 bora Win               150.00 s-2   bet-7    1037566
1 12:00 bora SportBetCancel    150.00 s-3   bet-7    1037566
1 12:10 bora Win                90.00 s-4   bet-7    1037566
1 12:30 chen BetPlacing          5000 b-3   round-3  5020
1 12:31 chen BetPlacingAbort     5000 a-3   round-3  5020
1 13:00 chen BetPlacing         40000 b-4   round-4  5020     INSUFFICIENT_FUNDS
1 14:00 anna Win                40.00 w-9   round-9  4711     NO_MATCHING_MOVEMENT
1 15:00 anna BetPlacingAbort    15.00 a-5   round-5  4711     NO_MATCHING_MOVEMENT
1 15:01 anna BetPlacing         15.00 b-5   round-5  4711     BET_OVERTAKEN
1 15:02 anna BetPlacingAbort    15.00 a-5   round-5  4711     ALREADY_GIVEN_BACK
1 16:00 anna BetPlacing         10.00 b-6   round-6  4711
1 16:01 anna BetPlacing         12.00 b-6   round-6  4711     MOVEMENT_DIFFERS
1 17:00 anna Tip                 5.00 t-1   table-1  5020
1 18:00 anna BetPlacing          3.00 b-7   round-7  4711
"""

TRUE = """
1 10:00 anna bet               20.00 b-1   round-1
1 10:01 anna win               35.00 w-1   round-1
1 10:10 bora bet               60.00 s-1   bet-7
1 10:30 bora win              150.00 s-2   bet-7
1 12:00 bora resettled        150.00 s-3   bet-7
1 12:10 bora win               90.00 s-4   bet-7
1 12:30 chen bet                5000 b-3   round-3
1 12:31 chen bet_canceled       5000 a-3   round-3
1 13:00 chen bet               40000 b-4   round-4   refused
1 16:00 anna bet               10.00 b-6   round-6
1 17:00 anna tip                5.00 t-1   table-1
1 18:00 anna bet                3.00 b-7   round-7
"""


@pytest.fixture
async def told(db: Database) -> Database:
    """The story, whose last bet's caller was told that nobody knows."""
    scribe = Teller(db.service_url)
    try:
        await scribe.open()
        await scribe.play(STORY)
        await scribe.told_unknown("b-7", "anna")
    finally:
        await scribe.ledger.close()
    return db


async def run(
    db: Database, path: Path, used: Profile | None = None
) -> tuple[Outcome, list[Difference]]:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    request = Request(path, used or profile(grace_seconds="0"), "console:test", since=day)
    async with reconcile(db.service_url, request) as found:
        return found.outcome, [each async for each in found.differences(1000)]


def changed(**lines: str) -> list[str]:
    """The true report with lines of ids put otherwise; empty: the line is left out."""
    true = {line.split()[5]: line for line in TRUE.strip().splitlines()}
    others = {name.replace("_", "-"): line for name, line in lines.items()}
    return [*{**true, **others}.values()]


async def test_a_true_report_agrees(told: Database, tmp_path: Path) -> None:
    outcome, differences = await run(told, write(tmp_path / "r.csv", changed()))
    assert (outcome.agrees, differences) == (True, [])
    assert outcome.days == (2, 2), "one for each currency"


Found = tuple[str, str, str, str | None]

CASES: dict[str, tuple[dict[str, str], list[Found]]] = {
    "declined for funds then": (
        {"b_4": "1 13:00 chen bet 40000 b-4 round-4"},
        [("b-4", "only_theirs", "declined_for_funds", "INSUFFICIENT_FUNDS")],
    ),
    "refused by us": (
        {"w_9": "1 14:00 anna win 40.00 w-9 round-9"},
        [("w-9", "only_theirs", "refused", "NO_MATCHING_MOVEMENT")],
    ),
    "overtaken, and its abort given back": (
        {
            "b_5": "1 15:01 anna bet 15.00 b-5 round-5",
            "a_5": "1 15:02 anna bet_canceled 15.00 a-5 round-5",
        },
        [
            ("a-5", "only_theirs", "given_back", "ALREADY_GIVEN_BACK"),
            ("b-5", "only_theirs", "overtaken", "BET_OVERTAKEN"),
        ],
    ),
    "a line that never reached us": (
        {"x_1": "1 19:00 anna win 7.00 x-1 round-1"},
        [("x-1", "only_theirs", "never_asked", None)],
    ),
    "other content, answered as a repeat": (
        {"b_6": "1 16:00 anna bet 12.00 b-6 round-6"},
        [("b-6", "amount", "repeat", "MOVEMENT_DIFFERS")],
    ),
    "booked twice there, and moved once": (
        {"b_1b": "1 10:00:05 anna bet 20.00 b-1 round-1"},
        [("b-1", "only_theirs", "repeat", None)],
    ),
    "told unknown, and never asked again": (
        {"b_7": ""},
        [("b-7", "only_ours", "unknown_outcome", None)],
    ),
    "told unknown, and refused in their books": (
        {"b_7": "1 18:00 anna bet 3.00 b-7 round-7 refused"},
        [("b-7", "only_ours", "unknown_outcome", None)],
    ),
    "re-settled": (
        {"s_3": "", "s_4": ""},
        [("s-3", "only_ours", "resettled", None), ("s-4", "only_ours", "resettled", None)],
    ),
    "an amount that was re-settled here": (
        {"s_2": "1 10:30 bora win 90.00 s-2 bet-7"},
        [("s-2", "amount", "resettled", None)],
    ),
    "given back here only": ({"a_3": ""}, [("a-3", "only_ours", "given_back", None)]),
    "canceled on one line, and given back here": (
        {"b_3": "1 12:30 chen bet 5000 b-3 round-3 canceled", "a_3": ""},
        [],
    ),
    "canceled there, and never given back here": (
        {"b_1": "1 10:00 anna bet 20.00 b-1 round-1 canceled"},
        [("b-1", "only_ours", "not_given_back", None)],
    ),
    "pending": ({"b_7": "1 18:00 anna bet 3.00 b-7 round-7 pending"}, [
        ("b-7", "only_ours", "unknown_outcome", None)
    ]),
    "another player": (
        {"t_1": "1 17:00 bora tip 5.00 t-1 table-1"},
        [("t-1", "player", "content", None)],
    ),
    "another type": (
        {"t_1": "1 17:00 anna bet 5.00 t-1 table-1"},
        [("t-1", "type", "content", None)],
    ),
    "another event": (
        {"t_1": "1 17:00 anna tip 5.00 t-1 table-2"},
        [("t-1", "event", "content", None)],
    ),
    "another currency": (
        {"t_1": "1 17:00 anna tip 5.00 t-1 table-1 done EUR"},
        [("t-1", "currency", "content", None)],
    ),
    "another day": (
        {"t_1": "2 17:00 anna tip 5.00 t-1 table-1"},
        [("t-1", "day_edge", "clock", None)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_each_cause_is_told(case: str, told: Database, tmp_path: Path) -> None:
    lines, expected = CASES[case]
    outcome, differences = await run(told, write(tmp_path / "r.csv", changed(**lines)))
    found = [(each.transaction_id, each.verdict, each.cause, each.refusal) for each in differences]
    assert sorted(found) == sorted(expected)
    assert outcome.agrees is (not expected)
    assert outcome.differences == len(expected)


async def test_of_several_refusals_under_one_id_the_latest_is_the_cause(
    db: Database, tmp_path: Path
) -> None:
    """On nodes the two players' are numbered by two of them."""
    scribe = Teller(db.service_url)
    await scribe.open()
    await scribe.play("""
        1 10:00 anna Win 7.00 x-1 round-1 4711 NO_MATCHING_MOVEMENT
        1 10:01 chen Win 7.50 x-1 round-1 4711 AMOUNT_TOO_FINE
        1 10:02 chen Win 7.50 x-2 round-1 4711 AMOUNT_TOO_FINE
        1 10:03 anna Win 7.00 x-2 round-1 4711 NO_MATCHING_MOVEMENT
    """)
    await scribe.ledger.close()
    lines = ["1 10:00 anna win 7.00 x-1 round-1", "1 10:02 anna win 7.00 x-2 round-1"]
    _, differences = await run(db, write(tmp_path / "r.csv", lines))
    assert {each.transaction_id: each.refusal for each in differences} == {
        "x-1": "AMOUNT_TOO_FINE",
        "x-2": "NO_MATCHING_MOVEMENT",
    }


async def test_money_is_summed_by_currency_and_cause(told: Database, tmp_path: Path) -> None:
    path = write(
        tmp_path / "r.csv",
        changed(
            b_4="1 13:00 chen bet 40000 b-4 round-4",
            w_9="1 14:00 anna win 40.00 w-9 round-9",
            b_7="",
        ),
    )
    outcome, _ = await run(told, path)
    rows = {(row.currency, row.cause): (int(row.theirs), int(row.ours)) for row in outcome.money}
    assert rows == {
        ("JPY", "declined_for_funds"): (-40000, 0),
        ("USD", "refused"): (40, 0),
        ("USD", "unknown_outcome"): (0, -3),
    }


async def test_a_report_without_players_and_events_is_compared_all_the_same(
    told: Database, tmp_path: Path
) -> None:
    path = write(tmp_path / "r.csv", changed(t_1="1 17:00 anna tip 6.00 t-1 table-1"))
    text = (SHIPPED / "generic.toml").read_text(encoding="utf-8")
    for column in ("user_id", "event_id", "currency"):
        text = text.replace(f'{column} = "{column}"\n', "")
    bare = read_profile("bare", 'zone = "UTC"\n' + text)
    _, differences = await run(told, path, bare)
    assert [(each.transaction_id, each.verdict) for each in differences] == [("t-1", "amount")]


async def test_a_report_that_leaves_zeros_out_is_not_held_against_them(
    told: Database, tmp_path: Path
) -> None:
    scribe = Teller(told.service_url)
    scribe.tokens = {}
    await scribe.play("1 20:00 anna Lose 0.00 l-6 round-6 4711")
    await scribe.ledger.close()
    path = write(tmp_path / "r.csv", changed())
    outcome, differences = await run(told, path, profile(grace_seconds="0"))
    assert [each.transaction_id for each in differences] == ["l-6"]
    outcome, _ = await run(told, path, profile(grace_seconds="0", zero_lines='"omitted"'))
    assert outcome.agrees


async def test_a_repair_names_what_it_stands_for_and_is_the_same_from_every_report(
    told: Database, tmp_path: Path
) -> None:
    path = write(tmp_path / "r.csv", changed(w_9="1 14:00 anna win 40.00 w-9 round-9", b_7=""))
    _, differences = await run(told, path)
    repairs = {each.transaction_id: repair_of(each, "callback", "Win") for each in differences}
    won, lost = repairs["w-9"], repairs["b-7"]
    assert won is not None
    assert lost is not None
    assert (won.user_id, won.direction, won.amount, won.currency) == ("anna", "credit", "40", "USD")
    assert won.repair_id == repair_id("callback", "w-9", "refused")
    assert (won.stands_for_event_type, won.stands_for_direction) == ("Win", "credit")
    assert (lost.direction, lost.amount, lost.stands_for_event_type) == (
        "credit",
        "3",
        "BetPlacing",
    )


async def test_what_is_open_at_the_edge_of_a_day_closes_with_the_next_report(
    db: Database, tmp_path: Path
) -> None:
    scribe = Teller(db.service_url)
    await scribe.open()
    await scribe.play("""
        1 09:00 anna Deposit 200.00 pay-1
        1 10:00 anna BetPlacing 1.00 b-1 r-1 1
        1 23:57 anna BetPlacing 4.00 b-4 r-4 1
        1 23:58 anna BetPlacing 2.00 b-2 r-2 1
    """)
    first = write(tmp_path / "1.csv", [
        "1 10:00 anna bet 1.00 b-1 r-1",
        "1 23:59 anna bet 3.00 b-3 r-3",
        "1 23:59 anna bet 8.00 x-8 r-8",
        "1 23:59 anna bet 9.00 x-9 r-9",
    ])  # fmt: skip
    await scribe.play("2 00:02 anna BetPlacing 3.00 b-3 r-3 1")
    one, differences = await _day(db, first, 1)
    assert (one.agrees, differences) == (True, [])
    assert one.verdicts == {"day_edge": 1, "open": 4}
    await scribe.play("2 00:05 anna BetPlacing 8.00 x-8 r-8 1")
    await scribe.ledger.close()
    second = write(tmp_path / "2.csv", ["2 00:00 anna bet 2.00 b-2 r-2"])
    two, differences = await _day(db, second, 2)
    assert {(each.transaction_id, each.verdict, each.cause) for each in differences} == {
        ("b-4", "only_ours", "not_reported"),
        ("x-9", "only_theirs", "never_asked"),
    }
    assert two.verdicts["day_edge"] == 2, "b-2 and x-8 were found within the grace"


async def _day(db: Database, path: Path, day: int) -> tuple[Outcome, list[Difference]]:
    since, until = (datetime(2026, 3, each, tzinfo=UTC) for each in (day, day + 1))
    request = Request(path, profile(), "console:test", since=since, until=until)
    async with reconcile(db.service_url, request) as found:
        return found.outcome, [each async for each in found.differences(1000)]


async def test_the_same_file_twice_says_so(told: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "r.csv", changed())
    first, _ = await run(told, path)
    again, _ = await run(told, path)
    assert first.same_file is None
    assert again.same_file == (first.run_id, first.ran_at)


@pytest.mark.one_server("nodes have no sequential scans to count here")
async def test_a_difference_costs_no_reading_of_the_whole_report(
    db: Database, tmp_path: Path
) -> None:
    """What a movement of ours is held against is looked up by key, however long the report is."""
    scribe = Teller(db.service_url)
    await scribe.open()
    await scribe.play("1 09:00 anna Deposit 200.00 pay-1")
    for n in range(60):
        await scribe.play(f"1 10:{n:02} anna BetPlacing 1.00 b-{n} r-{n} 1")
    await scribe.ledger.close()
    path = write(tmp_path / "r.csv", [f"1 10:{n:02} anna bet 2.00 b-{n} r-{n}" for n in range(60)])
    request = Request(path, profile(grace_seconds="0"), "console:test", lists=False)
    async with reconcile(db.service_url, request) as found:
        connection = found._connection
        await connection.execute("SELECT pg_stat_force_next_flush()")
        scans = await connection.fetchval(
            "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'report_lines'"
        )
    assert found.outcome.differences == 60
    assert scans < 30
