"""Each report's sums are the journal's by another query, on a story with every event type."""

import asyncio
import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.postgres import EmbeddedPostgres
from app.wallet.events import EventType
from tests.conftest import Database, clone, sql
from tests.console.conftest import Done
from tests.ops_sql.story import PLAYERS, STORY
from tests.reports.conftest import BETBY, MORE, Longer

Wallet = Callable[..., Done]
Sums = dict[str, Decimal]

DAYS = [f"2026-03-{day:02}" for day in range(1, 9)]
TOLD = {
    "BetPlacing", "Win", "Lose", "BetPlacingAbort", "BetPayedAbort", "SportBetCancel", "Tip",
    "PromoWin", "technicalFix", "DropAndWin", "PromoStreamersDebit", "PromoStreamersCredit",
    "PromoStreamersBetPlacingAbort", "PromoStreamersBetPayedAbort", "Deposit", "Withdrawal",
    "BonusGrant", "BonusRevoke", "WithdrawalHold", "WithdrawalSettle", "WithdrawalRelease",
    "Adjustment",
    "BetbyMake", "BetbyWin", "BetbyLost", "BetbyNoRisk", "BetbyRefund", "BetbyDiscard",
    "BetbyRollback", "BetbyNoRiskRollback", "BetbyWinAgain", "BetbyNoRiskAgain",
    "BetbyRefundAgain", "BetbyNoEffect",
}  # fmt: skip


@pytest.fixture(scope="module")
def longer(postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """The database in which all of it was played, and Betby's bets after it."""
    for db in clone(postgres, template):
        with ThreadPoolExecutor(1) as outside:
            telling = Longer(db.service_url, with_betby=True).tell()
            outside.submit(asyncio.run, telling).result()
        yield db


def test_the_story_has_every_event_type_there_is() -> None:
    lines = [line for told in (STORY, MORE, BETBY) for line in told.strip().splitlines()]
    assert {line.split()[3].lstrip("+-") for line in lines} == TOLD
    # Those of an import come in by its file: tests/takeover.
    assert set(EventType) - TOLD == {"Import", "ImportedBet", "ImportedPayment"}


def manifest(done: Done) -> dict[str, Any]:
    """What a command that printed rows said of them."""
    said: dict[str, Any] = json.loads(done.err.splitlines()[0])
    return said


def rows(done: Done) -> list[dict[str, str]]:
    return list(csv.DictReader(done.out.splitlines()))


def sums(done: Done, column: str, section: str = "") -> Sums:
    """The manifest's sums of a column, which are those of the rows."""
    manifested = manifest(done)
    for part in manifested.get("sections", ()):
        manifested = part if part["report"] == section else manifested
    by_row: Sums = defaultdict(Decimal)
    for row in rows(done):
        by_row[row["currency"]] += Decimal(row[column] or 0)
    said = {code: Decimal(each[column]) for code, each in manifested["sums"].items()}
    assert said == by_row
    return said


def journal(db: Database, query: str) -> Sums:
    """What another query says: currency and amount, a line each."""
    printed = sql(db.server, query, db.name)
    found = (line.split("|") for line in printed.splitlines())
    return {currency: Decimal(amount) for currency, amount in found}


def same(left: Sums, right: Sums) -> bool:
    """Whether both say the same; a currency of which there is nothing may be left out."""
    return all(left.get(code, 0) == right.get(code, 0) for code in {*left, *right})


@pytest.mark.parametrize("user_id", PLAYERS)
def test_a_statement_leads_from_what_was_there_to_what_is(
    wallet: Wallet, longer: Database, user_id: str
) -> None:
    for since, until in (("2026-03-02", "2026-03-05"), ("2026-03-06", "2026-03-08")):
        done = wallet("statement", user_id, "--from", since, "--to", until, "--csv")
        lines = rows(done)
        first, last = lines[0], lines[-1]
        assert (first["what"], last["what"]) == ("balance brought forward", "balance")
        (money_in,) = sums(done, "money_in").values()
        (money_out,) = sums(done, "money_out").values()
        assert Decimal(first["balance"]) + money_in - money_out == Decimal(last["balance"])
        before = (
            "SELECT coalesce(sum(real_delta + bonus_delta), 0) FROM movements JOIN players USING"
            f" (player_id) WHERE user_id = '{user_id}' AND ledger_time < '{since}Z'"
        )
        assert Decimal(sql(longer.server, before, longer.name)) == Decimal(first["balance"])


def test_a_balance_at_a_moment_is_the_sum_of_what_moved_until_then(
    wallet: Wallet, longer: Database
) -> None:
    for user_id in PLAYERS:
        for day in DAYS[1:]:
            (row,) = rows(wallet("balance", user_id, "--at", day, "--csv"))
            there = sql(
                longer.server,
                "SELECT coalesce(sum(real_delta), 0), coalesce(sum(bonus_delta), 0) FROM movements"
                " JOIN players USING (player_id)"
                f" WHERE user_id = '{user_id}' AND ledger_time <= '{day}Z'",
                longer.name,
            )
            real, bonus = map(Decimal, there.split("|"))
            assert (Decimal(row["real"]), Decimal(row["bonus"])) == (real, bonus)


def test_exported_movements_add_up_to_the_wallets(wallet: Wallet, longer: Database) -> None:
    done = wallet("export", "movements", "--csv")
    for pocket in ("real", "bonus"):
        query = f"SELECT currency, sum({pocket}) FROM wallets GROUP BY currency"
        assert same(sums(done, f"{pocket}_delta"), journal(longer, query))
    count = sql(longer.server, "SELECT count(*) FROM movements", longer.name)
    assert manifest(done)["rows"] == int(count)
    assert manifest(done)["position"].endswith(f"/{count}")


def test_exported_rounds_add_up_to_the_houses_accounts(wallet: Wallet, longer: Database) -> None:
    done = wallet("export", "rounds", "--csv")
    query = (
        # A no-risk bet that is given back is bonus cost, and a part of its round.
        "SELECT currency, -sum(real_delta + bonus_delta) FROM movements WHERE event_id IS NOT NULL"
        " AND contra IN ('house:games', 'house:streamers', 'house:bonuses') GROUP BY currency"
    )
    assert same(sums(done, "result"), journal(longer, query))
    staked, back = sums(done, "staked"), sums(done, "given_back")
    paid, taken = sums(done, "paid"), sums(done, "taken_back")
    for currency, result in sums(done, "result").items():
        assert staked[currency] - back[currency] - paid[currency] + taken[currency] == result


def test_exported_sessions_are_all_that_were_begun(wallet: Wallet, longer: Database) -> None:
    done = wallet("export", "sessions", "--csv")
    there = sql(longer.server, "SELECT count(*) FROM sessions", longer.name)
    assert manifest(done)["rows"] == int(there) == len(rows(done))


def test_every_day_leads_from_its_beginning_to_its_end(wallet: Wallet, longer: Database) -> None:
    ended: dict[str, str] = {}
    deposits: Sums = defaultdict(Decimal)
    for day in DAYS:
        done = wallet("report", "daily", "--date", day, "--csv")
        assert done.code == 0
        accounts = rows(done)
        assert {row["user_id"] for row in accounts} == set(PLAYERS)
        for row in accounts:
            changes = [Decimal(row[name]) for name in list(row)[4:16]]
            assert Decimal(row["begin"]) + sum(changes) == Decimal(row["end"])
            assert row["begin"] == ended.get(row["user_id"], row["begin"])
            assert (row["activity"] == "No Activity") is (row["movements"] == "0")
            ended[row["user_id"]] = row["end"]
            deposits[row["currency"]] += Decimal(row["deposits"])
    query = (
        "SELECT currency, sum(amount) FROM movements WHERE event_type = 'Deposit' GROUP BY currency"
    )
    assert same(deposits, journal(longer, query))
    for user_id, end in ended.items():
        now = (
            "SELECT real + bonus FROM wallets JOIN players USING (player_id)"
            f" WHERE user_id = '{user_id}'"
        )
        assert Decimal(end) == Decimal(sql(longer.server, now, longer.name))


def test_a_re_settlement_undoes_play_of_another_day_and_no_withdrawal(wallet: Wallet) -> None:
    undone: dict[str, str] = {}
    for day in DAYS:
        done = wallet("report", "daily", "--date", day, "--section", "resettlements", "--csv")
        undone |= {row["transaction_id"]: row["undid"] for row in rows(done)}
    assert undone == {"w-11": "w-9", "s-15": "s-13", "p-3": "p-2", "p-4": "p-1"}


def test_a_days_revenue_is_that_of_the_views(wallet: Wallet, longer: Database) -> None:
    for day in DAYS:
        done = wallet("report", "daily", "--date", day, "--section", "revenue", "--csv")
        for figure in ("turnover", "payments", "ggr", "bonuses", "promotions", "ngr", "tips"):
            query = (
                f"SELECT currency, sum({figure}) FROM ops.daily_revenue"
                f" WHERE day = '{day}' GROUP BY currency"
            )
            told = sums(done, figure, "revenue")
            assert same(told, journal(longer, query)), (day, figure)


def test_player_money_is_what_the_wallets_and_open_rounds_hold(
    wallet: Wallet, longer: Database
) -> None:
    done = wallet("report", "funds", "--csv")
    queries = {
        "real": "SELECT currency, sum(greatest(real, 0)) FROM wallets GROUP BY currency",
        "debts": "SELECT currency, sum(greatest(-real, 0)) FROM wallets GROUP BY currency",
        "bonus": "SELECT currency, sum(bonus) FROM wallets GROUP BY currency",
        "pending_withdrawals": (
            "SELECT currency, sum(h.amount) FROM holds h JOIN players USING (player_id)"
            " WHERE state = 'pending' GROUP BY currency"
        ),
        "open_stakes": (
            "SELECT currency, sum(stake_real + stake_bonus) FROM rounds"
            " WHERE NOT settled AND bets_standing > 0 GROUP BY currency"
        ),
    }
    for column, query in queries.items():
        assert same(sums(done, column), journal(longer, query)), column
    assert sums(done, "pending_withdrawals")["USD"] == 8
    for row in rows(done):
        parts = (row["real"], row["pending_withdrawals"], row["open_stakes"])
        assert sum(map(Decimal, parts)) == Decimal(row["to_hold"])


def test_debts_are_what_is_below_zero_and_every_change_of_them_is_told(
    wallet: Wallet, longer: Database
) -> None:
    for day in (*DAYS, "2026-03-09"):
        done = wallet("report", "debts", "--at", day, "--csv")
        if day == DAYS[0]:
            assert done.code == 1
            continue
        query = (
            "SELECT currency, sum(greatest(-total, 0)) FROM (SELECT currency, sum(real_delta) AS"
            f" total FROM movements WHERE ledger_time <= '{day}Z' GROUP BY player_id, currency) t"
            " GROUP BY currency"
        )
        assert same(sums(done, "owed"), journal(longer, query)), day
        incurred, recovered = sums(done, "incurred"), sums(done, "recovered")
        written_off = sums(done, "written_off")
        for currency, owed in sums(done, "owed").items():
            assert incurred[currency] - recovered[currency] - written_off[currency] == owed
        query = (
            "SELECT currency, sum(d.amount) FROM adjustments d JOIN adjustment_decisions USING"
            " (adjustment_id) WHERE decision = 'approved' AND reason = 'debt_forgiven'"
            f" AND decided_at <= '{day}Z' GROUP BY currency"
        )
        assert same(written_off, journal(longer, query)), day


def test_what_people_moved_counts_as_adjustments_and_in_no_revenue(
    wallet: Wallet, longer: Database
) -> None:
    adjusted: Sums = defaultdict(Decimal)
    for day in DAYS:
        done = wallet("report", "daily", "--date", day, "--csv")
        for currency, amount in sums(done, "adjustments", "accounts").items():
            adjusted[currency] += amount
    query = (
        "SELECT currency, sum(real_delta + bonus_delta) FROM movements"
        " WHERE event_type IN ('Adjustment', 'technicalFix') GROUP BY currency"
    )
    assert same(adjusted, journal(longer, query))
    done = wallet("report", "daily", "--date", "2026-03-07", "--section", "revenue", "--csv")
    by_hour = {row["hour"][11:13]: row for row in rows(done)}
    assert (by_hour["11"]["adjustments"], by_hour["11"]["ggr"]) == ("32.00", "0.00")


def test_money_of_a_withdrawal_leaves_when_it_begins_and_not_again_when_it_is_paid(
    wallet: Wallet, longer: Database
) -> None:
    withdrawn: Sums = defaultdict(Decimal)
    for day in DAYS:
        done = wallet("report", "daily", "--date", day, "--csv")
        for currency, amount in sums(done, "withdrawals", "accounts").items():
            withdrawn[currency] += amount
    query = (
        "SELECT currency, -sum(amount) FROM (SELECT currency, amount FROM movements WHERE"
        " event_type IN ('Withdrawal', 'WithdrawalSettle') UNION ALL SELECT currency, amount"
        " FROM holds JOIN players USING (player_id) WHERE state = 'pending') w GROUP BY currency"
    )
    assert same(withdrawn, journal(longer, query))


def test_the_same_rows_come_as_json_lines_and_into_files(wallet: Wallet) -> None:
    table = rows(wallet("export", "movements", "--csv"))
    lines = [json.loads(line) for line in wallet("export", "movements", "--json").out.splitlines()]
    assert [{k: v or "" for k, v in line.items()} for line in lines] == table
    done = wallet("export", "movements", "--out", "movements.csv")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert rows(Done(0, Path("movements.csv").read_text(encoding="utf-8"), "")) == table
