"""Standard streams that are closed, full, unread or of another encoding; in real processes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import Database, sql
from tests.console.conftest import Console
from tests.console.console import ENVIRONMENT, WALLET, wallet
from tests.console.warm import ROOT, Ended, WarmConsole

OPEN: Final = ("--agent", "house", "--currency", "USD", "--nickname", "Zoë玩家")


COMMANDS: Final = (
    "migrate",
    "audit",
    "player show ana",
    "player show ana --json",
    "movement show d-1",
    "movement show d-1 --json",
    "--help",
)

ONE_AFTER_THE_OTHER: Final = """
import sys
from app.__main__ import application, backoffice, contracts, delivery, projection, shadow
from app.console.cli import run_console
from app.console.composition import Composition
for line in sys.argv[1:]:
    parts = Composition(application, backoffice, delivery, projection, shadow, contracts)
    code = run_console(parts, line.split())
    if code != 0:
        sys.exit(f"{line}: {code}")
"""
"""Several commands in one process, since a process takes most of its time to import the code."""


FRESH: Final = "full"
"""The kind that has fresh processes: what is lost is told as late as when the interpreter ends.

For the other kinds a warm interpreter forks, which is a process of its own just as well.
"""


@pytest.fixture(scope="module")
def warm(module_db: Database) -> Iterator[WarmConsole]:
    environment = {**ENVIRONMENT, "WALLET_DATABASE_URL": module_db.service_url}
    with WarmConsole(environment) as console:
        yield console


def on(warm: WarmConsole, kind: str, database: Database, *arguments: str) -> Ended:
    """Run a command in a process of its own, its output closed (`>&-`), full or unread."""
    if kind != FRESH:
        return warm.run(arguments, kind, ROOT)
    with Path("/dev/full").open("wb", buffering=0) as output:
        done = subprocess.run(
            [*WALLET, *arguments],
            env={**ENVIRONMENT, "WALLET_DATABASE_URL": database.service_url},
            check=False,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=50,
        )
    return Ended(done.returncode, done.stderr, "")


@pytest.mark.parametrize("kind", ["closed", "full", "unread"])
def test_after_the_commit_the_exit_code_tells_the_outcome(
    console: Console, warm: WarmConsole, module_db: Database, kind: str
) -> None:
    user_id = f"on-{kind}"
    assert console("player", "open", user_id, *OPEN).code == 0
    done = on(warm, kind, module_db, "deposit", user_id, "10", "--id", f"d-{kind}")
    assert done.code == 0
    assert "Traceback" not in done.error
    assert len(done.error.splitlines()) == (0 if kind == "closed" else 1)
    refused = on(warm, kind, module_db, "withdraw", user_id, "11")
    assert refused.code == 1
    for form in ((), ("--json",)):
        assert on(warm, kind, module_db, "player", "block", user_id, *form).code == 0
    again = console("player", "show", user_id, "--json").document
    assert (again["balance"], again["status"]) == ("10.00", "blocked")


@pytest.mark.parametrize("kind", ["full", "unread"])
def test_an_answer_that_cannot_be_written_is_one_sentence_and_code_1(
    console: Console, warm: WarmConsole, module_db: Database, kind: str
) -> None:
    console("player", "open", "unseen", *OPEN)
    for arguments in (("player", "show", "unseen"), ("player", "show", "unseen", "--json")):
        done = on(warm, kind, module_db, *arguments)
        assert done.code == 1
        assert len(done.error.splitlines()) == 1
        assert "could not be written" in done.error
    helped = on(warm, kind, module_db, "--help")
    assert helped.code == 1
    assert "Traceback" not in helped.error
    assert "Exception ignored" not in helped.error


@pytest.mark.parametrize(
    "settings",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "xx_XX.UTF-8"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=lambda settings: " ".join(settings.values()),
)
def test_the_console_works_in_every_locale(
    tmp_path: Path, db: Database, settings: dict[str, str]
) -> None:
    names = {
        "WALLET_DATABASE_URL": db.service_url,
        "WALLET_OWNER_DATABASE_URL": db.owner_url,
        **settings,
    }
    sql(
        db.server,
        "INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at)"
        " VALUES ('ana', 'house', 'USD', 2, 'Zoë玩家', 'en', now());"
        "INSERT INTO wallets (player_id, agent, currency, scale, chain)"
        " SELECT player_id, agent, currency, scale, decode(repeat('00', 32), 'hex')"
        " FROM players",
        db.name,
    )
    typed = wallet(tmp_path, "deposit", "ana", "1", "--id", "d-1", "--reason", "für Zoë", **names)
    assert (typed.returncode, typed.stderr) == (0, "")
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", ONE_AFTER_THE_OTHER, *COMMANDS],
        cwd=tmp_path,
        env={**ENVIRONMENT, **names},
        capture_output=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"ana") >= 4
