"""What simulated players play is in the journal and in the books, and in no figure of ours."""

import asyncio
import importlib
import pkgutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.cashier import slips
from app.cashier.event_log import number_all
from app.cashier.players import IssuedToken, issue_token, open_account
from app.ledger import reports
from app.ledger.backoffice.risk import Risk, risk_of
from app.ledger.backoffice.today import Today, TodayFigures
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.ops_views import OpsViews
from app.ledger.reports.reading import LedgerReport, rows_of
from app.ledger.simulated import SIMULATOR_AGENT
from app.slips.projector import Projector
from app.wallet.money import ISO_CURRENCIES
from tests.cashier.till import Till, connect
from tests.conftest import Database
from tests.ops_sql.conftest import Psql, play
from tests.slips.slip_texts import betslip, leg, settled

FIGURES = {
    "counted_movements",
    "daily_movements",
    "daily_players",
    "daily_products",
    "daily_revenue",
    "daily_streamer_revenue",
    "exposure",
    "hourly_play",
    "sport_bonus_cost",
    "sport_liability",
    "sport_revenue",
    "sport_settlement_delay",
    "stakes_again",
}
"""The views of figures: sums, counts and rankings of what players did, and of what is at stake."""

EVERYBODYS = {
    # The books balance only with all of the money.
    *("entries", "house_accounts", "trial_balance", "daily_balances", "negative_balances"),
    # Lists of what happened, a row for each thing that did.
    *("movements", "transactions", "statement", "rounds", "open_rounds", "events", "betby_notes"),
    *("refusals", "expected_credits", "duplicates_with_other_content", "bets_after_abort"),
    *("sport_bet_cancels", "unanswered", "early_aborts", "sport_bets", "sport_legs"),
    *("slip_mismatches", "slip_faults", "adjustments", "inbox"),
    *("limits_hit", "holds", "pending_withdrawals", "deposit_checks", "sessions"),
    # Lists of players, and of what stands for each.
    *("players", "simulated_players", "tokens", "account_changes", "limits", "raises_waiting"),
    *("exclusions", "unknown_players"),
    # Of no player.
    *("event_types", "maintenance_notices", "ledger_settings", "ledger_setting_changes"),
    *("operators", "operator_actions", "reconciliation_runs", "reconciliation_differences"),
    *("games", "time_lines", "deliveries", "audit_runs", "backup_notes", "slip_progress"),
}
"""All other views, each with the reason why simulated players are in it, or why nobody is."""

BOOKS = ("house_accounts", "trial_balance", "movements", "players", "sport_bets")
"""What holds all money, and everybody's."""

REPORTS = {"accounts", "revenue", "resettlements", "funds", "debts"}
EVERYBODYS_REPORTS = {"statement", "balance", "movements", "rounds", "sessions"}
"""Of one player who is named, and the journal by period, each row with its agent."""

FIRST_DAY = datetime(2026, 3, 1, 10, tzinfo=UTC)
SECOND_DAY = FIRST_DAY + timedelta(days=1)
EVER = datetime(2099, 1, 1, tzinfo=UTC)
PERIODS = {
    "accounts": (FIRST_DAY - timedelta(hours=10), FIRST_DAY + timedelta(hours=14)),
    "revenue": (FIRST_DAY - timedelta(hours=10), FIRST_DAY + timedelta(hours=14)),
    "resettlements": (SECOND_DAY - timedelta(hours=10), SECOND_DAY + timedelta(hours=14)),
}

_LEGS = [leg(scheduled=int((FIRST_DAY - timedelta(hours=1)).timestamp()))]
PLAY = {
    FIRST_DAY: (
        ("Deposit", "credit", "100", "1", "{}"),
        ("BonusGrant", "credit", "20", "1", "{}"),
        ("BetPlacing", "debit", "10", "1", betslip("s-1", legs=_LEGS)),
        ("Win", "credit", "500", "1", settled("win", "s-2", {"leg-1": "won"})),
        ("PromoWin", "credit", "5", "2", "{}"),
        ("PromoStreamersDebit", "debit", "10", "3", "{}"),
        ("BetPlacing", "debit", "7", "4", "{}"),
        ("BetPlacingAbort", "credit", "7", "4", "{}"),
        ("SportBetCancel", "debit", "7", "4", "{}"),
        ("BetPlacing", "debit", "2", "5", betslip("s-5", total=200)),
        (
            "BetPlacing",
            "debit",
            "0",
            "6",
            betslip("s-6", legs=_LEGS, bonus_type="freebet_freemoney"),
        ),
        ("Win", "credit", "8", "6", settled("win", "s-6", {"leg-1": "won"})),
        ("BetPlacing", "debit", "1", "7", '{"betslip": broken'),
        ("Lose", "credit", "0", "7", "{}"),
        ("BetPlacing", "debit", "1", "9", "{}"),
        ("Withdrawal", "debit", "400", "1", "{}"),
    ),
    SECOND_DAY: (("SportBetCancel", "debit", "500", "1", "{}"),),
}
"""Something for each figure."""


async def _play(database: Database, user_id: str, agent: str) -> None:
    """Play on two days of March and now, and project the slips."""
    now = FIRST_DAY
    ledger = PlacedLedger(database.service_url, pool_size=3, clock=lambda: now)
    try:
        till = Till(ledger, database.superuser_url)
        await open_account(
            ledger,
            user_id=user_id,
            agent=agent,
            currency=ISO_CURRENCIES["USD"],
            nickname="Nick",
            language="en",
        )
        issued = await issue_token(ledger, user_id, timedelta(days=3650))
        assert isinstance(issued, IssuedToken)
        till.tokens[user_id] = issued.token
        for day, movements in PLAY.items():
            now = day
            for kind, direction, amount, event, text in movements:
                now += timedelta(seconds=1)
                event_id = f"{user_id}-{event}"
                movement = till.movement(
                    user_id, kind, direction, amount, event_id=event_id, extra_data=text
                )
                await till.move(movement)
        now = datetime.now(UTC)
        await till.move(till.movement(user_id, "Win", "credit", "2", event_id=f"{user_id}-9"))
        await till.move(till.bet(user_id, "9999", event_id=f"{user_id}-8"))
        await number_all(ledger)
        projector = Projector(ledger)
        await projector.look()
        await projector.count()
    finally:
        await ledger.close()


def by(psql: Psql, user_id: str, agent: str) -> None:
    play(_play(psql.db, user_id, agent))


@pytest.fixture(scope="module")
def psql(module_db: Database) -> Psql:
    return Psql(module_db)


def views(psql: Psql, names: set[str] | tuple[str, ...]) -> dict[str, list[tuple[str, ...]]]:
    return {view: sorted(psql.rows(f"SELECT * FROM ops.{view}")) for view in sorted(names)}


def every_report() -> dict[str, LedgerReport]:
    modules = [
        importlib.import_module(f"{reports.__name__}.{module.name}")
        for module in pkgutil.iter_modules(reports.__path__)
    ]
    return {
        value.name: value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, LedgerReport)
    }


async def reported(psql: Psql) -> dict[str, list[Any]]:
    connection = await connect(psql.db.service_url)
    try:
        async with connection.transaction():
            found = {}
            for name in sorted(REPORTS):
                rows = rows_of(connection, every_report()[name], EVER, *PERIODS.get(name, ()))
                found[name] = [row async for row in rows]
            return found
    finally:
        await connection.close()


async def measured(psql: Psql) -> dict[str, Any]:
    """What the metrics tell of slips, each as the text of what is not nothing."""
    ledger = PlacedLedger(psql.db.service_url, pool_size=1)
    try:
        found = (await slips.slip_figures(ledger))._asdict()
    finally:
        await ledger.close()
    return {
        name: sorted(kind for kind, count in value.items() if count) if isinstance(value, dict)
        else value
        for name, value in found.items()
        if not name.startswith("unread")
    }  # fmt: skip


async def shown(psql: Psql) -> dict[str, Any]:
    """What the pages of the back office show, without the moment of the look."""
    asked = OpsViews(psql.db.ops_url)
    try:
        today, risk = await TodayFigures(asked).now(), await risk_of(asked)
    finally:
        await asked.close()
    told = {f"today's {name}": getattr(today, name) for name in Today._fields if name != "at"}
    told["today's days"] = [part for day in today.days for part in (*day.figures, *day.players)]
    told["today's pace"] = [minute.movements for minute in today.pace]
    return told | {
        f"risk's {name}": [*map(tuple, getattr(risk, name))]
        for name in Risk._fields
        if name != "at"
    }


def test_every_view_and_every_report_says_whether_simulated_players_are_in_it(psql: Psql) -> None:
    """A new one is put into a list here, by whoever has thought about it."""
    found = {
        name
        for (name,) in psql.rows(
            "SELECT relname FROM pg_class WHERE relnamespace = 'ops'::regnamespace"
            " AND relkind IN ('v', 'm')"
        )
    }
    assert found == FIGURES | EVERYBODYS
    assert not FIGURES & EVERYBODYS
    assert every_report().keys() == REPORTS | EVERYBODYS_REPORTS


READERS: dict[str, Callable[[Psql], dict[str, Any]]] = {
    "views": lambda psql: views(psql, FIGURES),
    "reports": lambda psql: asyncio.run(reported(psql)),
    "metrics": lambda psql: asyncio.run(measured(psql)),
    "pages": lambda psql: asyncio.run(shown(psql)),
}


def test_simulated_play_is_in_no_figure_and_real_play_in_every_one(psql: Psql) -> None:
    def read() -> dict[str, dict[str, Any]]:
        return {what: reader(psql) for what, reader in READERS.items()}

    empty, books = read(), views(psql, BOOKS)
    assert not [name for found in empty.values() for name, rows in found.items() if rows]
    by(psql, "sim-1", SIMULATOR_AGENT)
    assert read() == empty
    simulated = views(psql, BOOKS)
    assert {view for view in BOOKS if simulated[view] != books[view]} == set(BOOKS)
    assert psql.rows("SELECT user_id FROM ops.simulated_players") == [("sim-1",)]
    by(psql, "real-1", "house")
    real = read()
    assert not [name for found in real.values() for name, rows in found.items() if not rows]
    assert "sim-1" not in str(real)
    by(psql, "sim-2", SIMULATOR_AGENT)
    assert read() == real
