"""What the views say about the story, beyond the questions of `docs/ops.md`."""

from datetime import UTC, datetime, timedelta

from app.cashier.account_changes import AccountChange, Exclusion, update_account
from app.wallet.limit_terms import RaiseRules
from tests.cashier.conftest import Till
from tests.conftest import Database
from tests.ops_sql.conftest import Psql

AT_ONCE = RaiseRules(timedelta(), needs_confirmation=False)


def test_a_statement_has_every_accepted_movement_and_no_refusal(psql: Psql) -> None:
    rows = psql.rows(
        "SELECT s.user_id FROM ops.players p JOIN ops.statement s USING (user_id)"
        " GROUP BY s.user_id, p.movements HAVING count(*) <> p.movements"
        " OR max(line) <> p.movements"
    )
    assert rows == []


def test_a_movement_is_told_with_its_decision_and_reason(psql: Psql) -> None:
    rows = psql.rows(
        "SELECT transaction_id, decision, reason, remarks FROM ops.movements"
        " WHERE decision = 'refused' OR remarks IS NOT NULL ORDER BY ledger_time"
    )
    assert rows == [
        ("b-4", "refused", "not enough money", ""),
        ("b-5", "accepted", "", "an abort had come before it"),
        ("t-2", "refused", "the player is blocked", ""),
        ("b-12", "refused", "a limit of the player would be exceeded", ""),
        (
            "s-14",
            "accepted",
            "",
            "the event has no bet; more than the payments that stood; not the sportsbook's game id",
        ),
        ("b-14", "refused", "the player is blocked", ""),
    ]


def test_refusals_for_ever_and_for_now_stand_in_one_list(psql: Psql) -> None:
    rows = psql.rows("SELECT is_final, count(*) FROM ops.refusals GROUP BY 1 ORDER BY 1")
    assert rows == [("f", "8"), ("t", "4")]


def test_rounds_stand_as_they_are(psql: Psql) -> None:
    rows = {row[0]: row[1] for row in psql.rows("SELECT event_id, status FROM ops.rounds")}
    assert rows == {
        "round-1": "settled",
        "round-2": "settled",
        "round-3": "given back",
        "round-5": "open",
        "round-9": "settled",
        "round-13": "settled",
        "bet-7": "re-opened",
        "bet-8": "open",
        "bet-9": "re-opened",
        "bet-11": "re-opened",
        "bet-99": "no bet",
        "stream-1": "settled",
    }


def test_a_cancel_names_what_it_took_back(psql: Psql) -> None:
    rows = psql.rows(
        "SELECT transaction_id, transaction_ids, in_debt FROM ops.sport_bet_cancels ORDER BY 1"
    )
    assert rows == [
        ("s-11", "{s-10}", "f"),
        ("s-14", "", "f"),
        ("s-15", "{s-13}", "f"),
        ("s-3", "{s-2}", "t"),
    ]


def test_entries_of_every_movement_sum_to_nothing(psql: Psql) -> None:
    rows = psql.rows(
        "SELECT 1 FROM ops.entries GROUP BY player_id, position"
        " HAVING sum(amount) <> 0 OR count(*) <> 3"
    )
    assert rows == []


def test_sessions_are_counted_by_who_issued_them(psql: Psql) -> None:
    rows = psql.rows("SELECT user_id, origin, issued, live FROM ops.tokens ORDER BY 1")
    assert [row[:3] for row in rows] == [
        (user, "transfer", "1") for user in ("anna", "bora", "chen", "dina")
    ]


def test_notices_are_shown_as_sent(psql: Psql) -> None:
    rows = psql.rows(
        "SELECT status, game_ids, additions ->> 'comment' FROM ops.maintenance_notices ORDER BY 1"
    )
    assert rows == [("created", "[5020]", "tables"), ("started", "[5020]", "tables")]


async def test_limits_show_what_today_used_and_the_raise_that_waits(
    till: Till, db: Database
) -> None:
    await till.player("anna", "100")
    day = timedelta(days=1)
    for limit in ("40", "90"):
        change = AccountChange(limits={"stake_day": limit, "stake_bet": "30"})
        await update_account(till.ledger, "anna", change, raises=RaiseRules(day))
    await till.move(till.movement("anna", "BetPlacing", "debit", "12.50"))
    rows = Psql(db).rows(
        "SELECT limit_name, in_force, used, remaining, changes_to,"
        " changes_at BETWEEN now() + '23 hours' AND now() + '24 hours'"
        " FROM ops.limits ORDER BY 1"
    )
    assert rows == [
        ("stake_bet", "30.00", "", "", "", ""),
        ("stake_day", "40.00", "12.50", "27.50", "90.00", "t"),
    ]


async def test_who_excluded_himself_may_not_play(till: Till, db: Database) -> None:
    await till.player("anna")
    until = datetime.now(UTC) + timedelta(days=7)
    change = AccountChange(exclusion=Exclusion(until))
    await update_account(till.ledger, "anna", change, raises=AT_ONCE)
    rows = Psql(db).rows("SELECT blocked, may_play FROM ops.players")
    assert rows == [("f", "f")]


async def test_a_debt_paid_back_and_made_again_counts_from_the_last_fall(
    till: Till, db: Database
) -> None:
    await till.player("anna", "10")
    for kind, way, amount, name in (
        ("SportBetCancel", "debit", "30", "first"),
        ("Deposit", "credit", "50", "paid"),
        ("SportBetCancel", "debit", "40", "second"),
        ("SportBetCancel", "debit", "5", "third"),
    ):
        await till.move(till.movement("anna", kind, way, amount, transaction_id=name))
    rows = Psql(db).rows("SELECT transaction_id, balance FROM ops.negative_balances")
    assert rows == [("second", "-15.00")]
