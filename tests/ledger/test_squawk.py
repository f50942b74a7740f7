"""Squawk, over every statement of the migrations since the last release, as they are really run.

The statements are those that a migration sends on a fresh database. `tests/ledger/squawk.toml` says
which of squawk's rules do not apply here, and why.
"""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event

from app.ledger.migrations import LOCK_TIMEOUT, STATEMENT_TIMEOUT, upgrade
from tests.conftest import Database

ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = ROOT / "tests" / "ledger" / "squawk.toml"
SQUAWK: Final = Path(sys.executable).with_name("squawk")

IN_TRANSACTION_ONLY: Final = "ban-concurrent-index-creation-in-transaction"

LAST_RELEASE: Final = "20261126_rows"
"""The newest revision of the last release; what is released has been run, and is not changed."""


BOUNDS: Final = (
    f"SET lock_timeout = '{LOCK_TIMEOUT}'",
    f"SET statement_timeout = '{STATEMENT_TIMEOUT}'",
)
"""What the connection of every migration begins with."""


@contextmanager
def statements_sent() -> Iterator[list[list[str]]]:
    """Collect the statements that are sent, by transaction: the migration's own is the first.

    Alembic's note of where it stands is left out.
    """
    sent: list[list[str]] = [[]]

    def note(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if "alembic_version" in statement or statement.lstrip().startswith("SELECT"):
            return
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            sent.append([statement])
        else:
            sent[0].append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def revisions() -> list[str]:
    """The revisions since the last release, the oldest first."""
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    newer = scripts.walk_revisions(LAST_RELEASE, "head")
    return [script.revision for script in reversed([*newer]) if script.revision != LAST_RELEASE]


def lint(*files: Path, is_transaction: bool = True) -> subprocess.CompletedProcess[str]:
    """Look over files, each of which is one transaction, or a statement that commits by itself."""
    # What commits by itself can be run again, as squawk holds of a transaction.
    excluded = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["excluded_rules"]
    how = [] if is_transaction else ["--exclude", ",".join([*excluded, IN_TRANSACTION_ONLY])]
    return subprocess.run(
        [str(SQUAWK), *how, "--reporter", "gcc", "--config", str(CONFIG), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


async def test_no_migration_locks_a_busy_table_for_longer_than_it_must(
    empty_db: Database, tmp_path: Path
) -> None:
    await upgrade(empty_db.owner_url, LAST_RELEASE)
    found = {}
    for revision in revisions():
        with statements_sent() as sent:
            await upgrade(empty_db.owner_url, revision)
        assert any(sent), revision
        files = [tmp_path / f"{revision}-{number}.sql" for number in range(len(sent))]
        for file, statements in zip(files, sent, strict=True):
            file.write_text(";\n".join([*BOUNDS, *statements, ""]), encoding="utf-8")
        told = [lint(files[0]), *(lint(file, is_transaction=False) for file in files[1:])]
        if any(done.returncode != 0 for done in told):
            found[revision] = "".join(done.stdout + done.stderr for done in told)
    assert found == {}, "\n".join(found.values())


def test_a_statement_that_locks_for_long_is_told(tmp_path: Path) -> None:
    file = tmp_path / "locks.sql"
    statement = "CREATE INDEX ix_movements_amount ON movements (amount)"
    file.write_text(";\n".join([*BOUNDS, statement, ""]), encoding="utf-8")
    assert "require-concurrent-index-creation" in lint(file).stdout
