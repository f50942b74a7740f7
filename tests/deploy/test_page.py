"""`docs/deploy.md` against what exists."""

import re

from typer.core import TyperGroup

from app.console.cli import commands
from app.ledger import migrations
from app.ledger.pools import SESSION_SETTINGS
from app.server.port import KEEP_ALIVE_SECONDS
from app.settings import setting_names
from tests.deploy.files import ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_every_setting_it_names_is_one() -> None:
    named = set(re.findall(r"\bWALLET_[A-Z_]+", PAGE))
    assert len(named) > 8
    assert named <= set(setting_names())


def test_every_file_it_names_is_there() -> None:
    for path in set(re.findall(r"`((?:deploy|requirements|docs|bench)/[^`*]*)`", PAGE)):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([a-z./_]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link


def test_every_command_it_names_is_the_consoles() -> None:
    # A group that does something by itself is listed as a command.
    known = {
        name for name, command in commands().commands.items() if not isinstance(command, TyperGroup)
    }
    named = set(re.findall(r"`wallet ([a-z][a-z-]+)`", PAGE))
    assert named >= {"serve", "migrate", "audit"}
    assert named <= known


def test_the_times_it_names_are_the_ones_in_force() -> None:
    assert migrations.LOCK_TIMEOUT == "5s"
    assert "five seconds (`lock_timeout`)" in PAGE
    assert migrations.STATEMENT_TIMEOUT == "15min"
    assert "fifteen minutes is cut off (`statement_timeout`)" in PAGE
    assert f"the wallet's {KEEP_ALIVE_SECONDS} seconds" in PAGE


def test_pgbouncer_is_told_every_parameter_the_wallet_sends() -> None:
    (ignored,) = re.findall(r"`([a-z_]+,enable_seqscan,[a-z_,]+)`", PAGE)
    sent = set(SESSION_SETTINGS) - {"application_name", "timezone"}
    sent |= {
        "default_transaction_isolation",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
    }
    assert set(ignored.split(",")) == sent


def test_it_says_how_to_change_the_schema_without_downtime() -> None:
    for word in ("Expand.", "Backfill.", "Contract.", "CONCURRENTLY", "NOT VALID", "advisory lock"):
        assert word in PAGE
