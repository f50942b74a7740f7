"""What simulated players play is in the journal and in the books, and in no figure of ours."""

from datetime import timedelta

import pytest

from app.cashier.players import IssuedToken, issue_token, open_account
from app.console.data_owner import SIMULATOR_AGENT
from app.ledger.transaction import Ledger
from app.wallet.money import ISO_CURRENCIES
from tests.cashier.till import Till
from tests.conftest import Database
from tests.ops_sql.conftest import Psql, play

FIGURES = (
    "daily_movements",
    "daily_revenue",
    "daily_streamer_revenue",
    "daily_players",
    "daily_products",
    "hourly_play",
    "stakes_again",
    "counted_movements",
)
"""The views of figures: of revenue, of what players did, of a part of a day."""

BOOKS = ("house_accounts", "trial_balance", "movements", "players")
"""What holds all money, and everybody's."""


async def _open(till: Till, user_id: str, agent: str) -> None:
    await open_account(
        till.ledger,
        user_id=user_id,
        agent=agent,
        currency=ISO_CURRENCIES["USD"],
        nickname="Nick",
        language="en",
    )
    issued = await issue_token(till.ledger, user_id, timedelta(hours=1))
    assert isinstance(issued, IssuedToken)
    till.tokens[user_id] = issued.token


async def _play(till: Till, user_id: str) -> None:
    """Something for each figure: play, streamer play, and a stake that is placed again."""
    event = f"{user_id}-1"
    for kind, direction, amount, event_id in (
        ("Deposit", "credit", "100", event),
        ("BonusGrant", "credit", "20", event),
        ("BetPlacing", "debit", "10", event),
        ("Win", "credit", "30", event),
        ("PromoWin", "credit", "5", f"{user_id}-2"),
        ("PromoStreamersDebit", "debit", "10", f"{user_id}-3"),
        ("BetPlacing", "debit", "7", f"{user_id}-4"),
        ("BetPlacingAbort", "credit", "7", f"{user_id}-4"),
        ("SportBetCancel", "debit", "7", f"{user_id}-4"),
        ("Withdrawal", "debit", "3", event),
    ):
        await till.move(till.movement(user_id, kind, direction, amount, event_id=event_id))


@pytest.fixture(scope="module")
def psql(module_db: Database) -> Psql:
    return Psql(module_db)


def test_simulated_play_is_in_no_figure_and_real_play_in_every_one(psql: Psql) -> None:
    def read(views: tuple[str, ...]) -> dict[str, list[tuple[str, ...]]]:
        return {view: sorted(psql.rows(f"SELECT * FROM ops.{view}")) for view in views}

    async def by(user_id: str, agent: str) -> None:
        ledger = Ledger(psql.db.service_url, pool_size=1)
        try:
            till = Till(ledger, psql.db.superuser_url)
            await _open(till, user_id, agent)
            await _play(till, user_id)
        finally:
            await ledger.close()

    empty, books = read(FIGURES), read(BOOKS)
    play(by("sim-1", SIMULATOR_AGENT))
    assert read(FIGURES) == empty
    assert all(rows == [] for rows in empty.values())
    simulated = read(BOOKS)
    assert {view for view in BOOKS if simulated[view] != books[view]} == set(BOOKS)
    assert psql.rows("SELECT user_id FROM ops.simulated_players") == [("sim-1",)]
    play(by("real-1", "house"))
    real = read(FIGURES)
    assert {view for view in FIGURES if real[view]} == set(FIGURES)
    assert "sim-1" not in str(real)
    play(by("sim-2", SIMULATOR_AGENT))
    assert read(FIGURES) == real
