"""Help comes without the code of any command, and the list of commands tells the truth."""

import subprocess
import sys

import pytest
from typer.core import TyperGroup

from app.console.cli import commands
from app.console.command_table import TABLE
from app.console.deferred import Deferred, Row
from tests.console.console import ENVIRONMENT, WALLET

ROWS = [row for rows in TABLE.values() for row in rows]
GROUPS = sorted({row.words.partition(" ")[0] for row in ROWS if " " in row.words})

HEAVY = ("sqlalchemy", "asyncpg", "fastapi", "alembic", "pydantic_settings", "uvicorn", "httpx2")
"""Libraries that take most of the time in which a command starts."""

LOOK = f"""
import sys
from app.__main__ import application, backoffice, contracts, delivery, projection, shadow
from app.console.cli import run_console
from app.console.composition import Composition

for line in sys.argv[1:]:
    parts = Composition(application, backoffice, delivery, projection, shadow, contracts)
    run_console(parts, line.split())
print("LOADED", *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
"""


def loaded_by(*lines: str) -> tuple[str, str]:
    """What commands say, and which of the heavy libraries they have imported at their end."""
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *lines],
        env={**ENVIRONMENT, "PYTHONPATH": ""},
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=30,
    )
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr.rpartition("LOADED")[2].strip()


@pytest.fixture(scope="module")
def help_of_all() -> tuple[str, str]:
    """Help of everything that is only listed, and the version."""
    return loaded_by("--help", "--version", *(f"{name} --help" for name in GROUPS))


PRINTS_NO_RESULT = {"serve", "deliver", "project", "backoffice", "demo", "completion"}
"""Servers, which run until they are stopped; what is to be pasted; a script for a shell."""


def test_every_command_with_a_result_tells_it_to_programs_too() -> None:
    without = {row.words for row in ROWS if not _is_group(row.words) and not _has_json(row.words)}
    assert without == PRINTS_NO_RESULT


def _is_group(words: str) -> bool:
    return any(row.words.startswith(f"{words} ") for row in ROWS)


def _has_json(words: str) -> bool:
    group, _, name = words.rpartition(" ")
    root = commands()
    parent = root.commands[group] if group else root
    assert isinstance(parent, TyperGroup)
    deferred = parent.commands[name]
    assert isinstance(deferred, Deferred)
    return any({"--json", "--format"} & set(each.opts) for each in deferred.command.params)


def test_help_imports_no_heavy_library(help_of_all: tuple[str, str]) -> None:
    said, loaded = help_of_all
    assert all(f"wallet {name} [OPTIONS] COMMAND" in said for name in GROUPS)
    assert loaded == ""


def test_showing_a_player_imports_the_ledger_and_nothing_of_servers_or_migrations() -> None:
    loaded = loaded_by("player show --help")[1].split()
    assert "asyncpg" in loaded
    assert not {"sqlalchemy", "alembic", "fastapi", "uvicorn", "httpx2"} & set(loaded)


def test_what_serves_imports_nothing_of_migrations() -> None:
    look = (
        "import sys; from app.composition import backoffice, deliverer, service;"
        "print(*sorted({'sqlalchemy', 'alembic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", look],
        env={**ENVIRONMENT, "PYTHONPATH": ""},
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=30,
    )
    assert done.stdout == "\n"


def found(row: Row) -> Deferred | TyperGroup:
    command = commands().commands[row.words.partition(" ")[0]]
    if " " in row.words:
        assert isinstance(command, TyperGroup)
        command = command.commands[row.words.partition(" ")[2]]
    assert isinstance(command, Deferred | TyperGroup)
    return command


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_a_summary_is_the_first_sentence_of_the_commands_help(row: Row) -> None:
    listed = found(row)
    real = Deferred(row).command
    words = " ".join((real.help or "").split("\n\n")[0].split())
    assert listed.help == row.summary == words
    assert real.name == listed.name


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_lists_each_of_its_commands_in_its_order(name: str) -> None:
    group = commands().commands[name]
    (row,) = [row for row in ROWS if row.words == name]
    real = Deferred(row).command
    assert isinstance(group, TyperGroup)
    assert isinstance(real, TyperGroup)
    assert list(group.commands) == list(real.commands)
    assert group.no_args_is_help
    assert real.no_args_is_help


def test_every_heading_is_shown(help_of_all: tuple[str, str]) -> None:
    for heading in TABLE:
        assert heading in help_of_all[0]


def test_a_command_that_is_not_there_is_named_with_one_that_is() -> None:
    done = subprocess.run(
        [*WALLET, "playr"], env=ENVIRONMENT, capture_output=True, check=False, encoding="utf-8"
    )
    assert done.returncode == 2
    assert "'player'" in done.stderr
    assert done.stderr.count("\n") == 1
