"""A new event type is one row, its migration and its test: all steps, with a type that is made up.

The steps are taken in a copy of the house, as an engineer would take them: what the house says and
does with a type that nobody thought of is what it will do with the next one.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.ledger.revisions import head_revision
from tests.conftest import Database

ROOT = Path(__file__).parents[2]
PLAY = Path(__file__).with_name("play_cash_out.py")

NAME = (
    "app/wallet/events.py",
    '    DEPOSIT = "Deposit"\n',
    '    CASH_OUT = "CashOut"\n    DEPOSIT = "Deposit"\n',
)
ROW = (
    "app/wallet/events.py",
    "    EventType.DEPOSIT: Rule(\n",
    """    EventType.CASH_OUT: Rule(
        "bet cashed out",
        _CREDIT,
        Part.PAYMENT,
        HouseAccount.GAMES,
        Figure.PAYMENTS,
        needs_bet=True,
        credit_to=CreditTo.STAKES,
        limit_effect=LimitEffect.PAYMENT,
    ),
    EventType.DEPOSIT: Rule(
""",
)
CONTRACT = (
    "docs/contracts/callback.md",
    "| BetPlacingAbort | credit |",
    "| CashOut | credit | as Win | | may have expired |\n| BetPlacingAbort | credit |",
)
SIMULATOR = (
    "app/simulator/laws.py",
    '    ("Tip", "debit"):',
    '    ("CashOut", "credit"): Law(Kind.PAYMENT, needs_bet=True),\n    ("Tip", "debit"):',
)
STEPS = {"name": NAME, "row": ROW, "contract": CONTRACT, "simulator": SIMULATOR}

MIGRATION = '''"""CashOut: a payment that ends a bet before its result is known.

Revision: 20991231_cash_out
Follows: {head}
"""

from pathlib import Path

from alembic import op

revision = "20991231_cash_out"
down_revision = "{head}"
branch_labels = None
depends_on = None

ROW = """
INSERT INTO event_types (event_type, words, part, contra, counts_as, debit, credit, may_overdraw,
    is_play, is_streamer, is_cashier) VALUES
    ('CashOut', 'bet cashed out', 'payment', 'house:games', 'payments',
        'never', 'any', false, false, false, false)
"""

LAWS = Path(__file__).resolve().parents[1] / "sql" / revision / "movement_is_lawful_v1.sql"


def upgrade() -> None:
    op.execute(ROW)
    # Wider than the laws that it replaces, so every row that is there fulfils them.
    op.get_bind().exec_driver_sql(LAWS.read_text(encoding="utf-8"))
'''

LAWS = Path("migrations/sql/20261222_laws/0_movement_is_lawful_v1.sql")
"""The laws that name types, to be copied and changed."""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the house, in which nothing of the new type is known yet."""
    for folder in ("app", "migrations", "tests", "docs"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    for file in ("alembic.ini", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, tmp_path)
    return tmp_path


def take(house: Path, *steps: str) -> None:
    """Take these steps of `STEPS`, and write the migration."""
    for step in steps:
        name, old, new = STEPS[step]
        text = (house / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, step
        (house / name).write_text(text.replace(old, new), encoding="utf-8")


def migrate(house: Path) -> None:
    versions, sql = house / "migrations" / "versions", house / "migrations" / "sql"
    text = MIGRATION.format(head=head_revision())
    (versions / "20991231_cash_out.py").write_text(text, encoding="utf-8")
    laws = (house / LAWS).read_text(encoding="utf-8")
    assert laws.count("'Deposit'") == 1
    laws = laws.replace("'Deposit'", "'CashOut', 'Deposit'")
    (sql / "20991231_cash_out").mkdir()
    (sql / "20991231_cash_out" / "movement_is_lawful_v1.sql").write_text(laws, encoding="utf-8")


def run(house: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=50,
    )


def play(house: Path, db: Database) -> dict[str, Any]:
    """Migrate a database with the copy, play the new type in it, and return what is told of it."""
    done = run(house, str(house / PLAY.relative_to(ROOT)), db.owner_url, db.superuser_url)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert Path(told.pop("house")) == house / "app"
    return told


def test_a_made_up_payment_arrives_everywhere(house: Path, empty_db: Database) -> None:
    take(house, *STEPS)
    migrate(house)
    assert play(house, empty_db) == {
        # 30 were staked; 12.50 were paid out by a type that no view names.
        "daily_movements": ["CashOut", "payments", "1", "12.50", "-12.50"],
        "daily_revenue": ["30.00", "12.50", "17.50", "58.33", "17.50"],
        "daily_players": ["30.00", "12.50", "17.50", "100.00"],
        "games_account": ["17.50000000"],
        "statement": ["bet cashed out", "12.50", "82.50"],
        "explained": "bet cashed out",
        "documented": True,
        "simulated": True,
        "audit": [],
    }


@pytest.mark.parametrize(
    ("forgotten", "law"),
    [
        ("contract", "test_the_contract_prints_the_same_rows"),
        ("simulator", "test_the_simulator_has_the_same_rows_in_its_own_words"),
    ],
)
def test_a_forgotten_step_breaks_a_law(house: Path, forgotten: str, law: str) -> None:
    take(house, *(step for step in STEPS if step != forgotten))
    table = "tests/event_types/test_one_table.py"
    laws = [f"{table}::{name}" for name in table_laws() if "journal" not in name]
    done = run(house, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0", *laws)
    failed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed == [f"{table}::{law}"], done.stdout + done.stderr


def table_laws() -> list[str]:
    """Those that need no database."""
    text = (ROOT / "tests/event_types/test_one_table.py").read_text(encoding="utf-8")
    return [
        line.removeprefix("def ").partition("(")[0]
        for line in text.splitlines()
        if line.startswith("def test_")
    ]


def test_a_forgotten_migration_is_no_payment(house: Path, empty_db: Database) -> None:
    """The database refuses what its table does not have, before any report could miss it."""
    take(house, *STEPS)
    playing = str(house / PLAY.relative_to(ROOT))
    done = run(house, playing, empty_db.owner_url, empty_db.superuser_url)
    assert done.returncode != 0
    assert "ck_movements_event_type_and_direction" in done.stderr
