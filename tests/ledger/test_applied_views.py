"""The views of schema `ops` follow their text, and do not block migrations."""

import shutil
from pathlib import Path

import asyncpg
import pytest

from app.ledger import applied_views, migrations, revisions
from app.ledger.errors import MigrationBusyError
from app.ledger.migrations import downgrade, upgrade
from app.ledger.revisions import current_revision, head_revision
from tests.cashier.till import connect
from tests.conftest import Database

BEFORE = "20261126_rows"
"""The last revision whose views were made by migrations."""

OIDS = "SELECT oid FROM pg_class WHERE relnamespace = 'ops'::regnamespace ORDER BY oid"


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The text of the views, in a folder where it may be changed."""
    folder = tmp_path / "views"
    shutil.copytree(applied_views.FOLDER, folder)
    monkeypatch.setattr(applied_views, "FOLDER", folder)
    return folder


async def fetch(url: str, query: str) -> list[object]:
    connection = await connect(url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


def change(folder: Path, old: str, new: str) -> None:
    """Change the text of the one file that says this."""
    (file,) = [file for file in folder.glob("*.sql") if old in file.read_text(encoding="utf-8")]
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


async def test_a_run_over_unchanged_text_touches_no_view(db: Database) -> None:
    before = await fetch(db.superuser_url, OIDS)
    await upgrade(db.owner_url)
    assert before == await fetch(db.superuser_url, OIDS) != []


async def test_changed_text_makes_every_view_anew_with_its_words_and_readers(
    db: Database, texts: Path
) -> None:
    change(texts, "m.version AS line,", "m.version AS line, 'hello' AS greeting,")
    change(
        texts, "COMMENT ON COLUMN ops.statement.what", "COMMENT ON COLUMN ops.statement.greeting"
    )
    await upgrade(db.owner_url)
    assert await fetch(db.ops_url, "SELECT count(greeting) FROM ops.statement") == [0]
    said = "SELECT col_description('ops.statement'::regclass, 3)"
    assert await fetch(db.superuser_url, said) != [None]
    assert await fetch(db.ops_url, "SELECT count(*) FROM ops.players") == [0]
    again = await fetch(db.superuser_url, OIDS)
    await upgrade(db.owner_url)
    assert await fetch(db.superuser_url, OIDS) == again


async def test_a_view_whose_text_is_gone_goes(db: Database, texts: Path) -> None:
    (texts / "4_rounds.sql").unlink()
    await upgrade(db.owner_url)
    assert await fetch(db.superuser_url, "SELECT to_regclass('ops.open_rounds')") == [None]
    assert await fetch(db.ops_url, "SELECT count(*) FROM ops.players") == [0]


async def test_a_wrong_text_leaves_the_views_as_they_were(db: Database, texts: Path) -> None:
    before = await fetch(db.superuser_url, OIDS)
    change(texts, "m.version AS line,", "m.no_such_column AS line,")
    with pytest.raises(Exception, match="no_such_column"):
        await upgrade(db.owner_url)
    assert await fetch(db.superuser_url, OIDS) == before


async def test_without_any_text_nothing_is_dropped(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await fetch(db.superuser_url, OIDS)
    monkeypatch.setattr(applied_views, "FOLDER", tmp_path)
    with pytest.raises(LookupError, match="missing"):
        await upgrade(db.owner_url)
    assert await fetch(db.superuser_url, OIDS) == before


async def test_a_migration_may_change_what_a_view_reads(
    db: Database, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The views are gone while migrations run, and read the new place afterwards."""
    house = tmp_path / "house"
    house.mkdir()
    shutil.copytree(revisions.INI_FILE.parent / "migrations", house / "migrations")
    shutil.copy(revisions.INI_FILE, house)
    (house / "migrations" / "versions" / "20991231_moved.py").write_text(
        MOVED.format(head=head_revision()), encoding="utf-8"
    )
    monkeypatch.setattr(revisions, "INI_FILE", house / "alembic.ini")
    revisions.head_revision.cache_clear()
    try:
        with pytest.raises(Exception, match="language"):
            await upgrade(db.owner_url)
        change(texts, "p.language", "w.language")
        await upgrade(db.owner_url)
        assert await current_revision(db.owner_url) == "20991231_moved"
        assert await fetch(db.ops_url, "SELECT count(language) FROM ops.players") == [0]
        change(texts, "w.language", "p.language")
        await downgrade(db.owner_url, "-1")
        assert await fetch(db.superuser_url, OIDS) == []
    finally:
        monkeypatch.undo()
        revisions.head_revision.cache_clear()
    await upgrade(db.owner_url)
    assert await fetch(db.ops_url, "SELECT count(language) FROM ops.players") == [0]


MOVED = """
from alembic import op

revision = "20991231_moved"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE wallets ADD language text NOT NULL DEFAULT 'en'")
    op.execute("UPDATE wallets w SET language = p.language FROM players p"
               " WHERE p.player_id = w.player_id")
    op.execute("ALTER TABLE players DROP COLUMN language")


def downgrade() -> None:
    op.execute("ALTER TABLE players ADD language text NOT NULL DEFAULT 'en'")
    op.execute("ALTER TABLE wallets DROP COLUMN language")
"""


async def test_a_database_of_a_release_before_gets_the_views_of_today(empty_db: Database) -> None:
    await upgrade(empty_db.owner_url, BEFORE)
    old = await fetch(empty_db.superuser_url, OIDS)
    assert old
    await upgrade(empty_db.owner_url)
    new = await fetch(empty_db.superuser_url, OIDS)
    assert not set(old) & set(new)
    assert await fetch(empty_db.ops_url, "SELECT count(*) FROM ops.event_types") != [0]
    await downgrade(empty_db.owner_url, BEFORE)
    assert len(await fetch(empty_db.superuser_url, OIDS)) == len(old)
    with pytest.raises(asyncpg.UndefinedTableError):
        await fetch(empty_db.ops_url, "SELECT count(*) FROM ops.event_types")


async def test_a_schema_of_newer_code_keeps_its_views(db: Database) -> None:
    connection = await connect(db.superuser_url)
    await connection.execute("UPDATE alembic_version SET version_num = '20991231_newer'")
    await connection.close()
    before = await fetch(db.superuser_url, OIDS)
    with pytest.raises(Exception, match="20991231_newer"):
        await upgrade(db.owner_url)
    assert await fetch(db.superuser_url, OIDS) == before


async def test_a_report_that_runs_is_not_cut_off_and_the_run_gives_up(
    db: Database, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "200ms")
    before = await fetch(db.superuser_url, OIDS)
    change(texts, "m.version AS line,", "m.version AS line, 'hello' AS greeting,")
    report = await connect(db.ops_url)
    transaction = report.transaction()
    await transaction.start()
    await report.fetch("SELECT count(*) FROM ops.statement")
    with pytest.raises(MigrationBusyError):
        await upgrade(db.owner_url)
    await transaction.rollback()
    await report.close()
    assert await fetch(db.superuser_url, OIDS) == before
    await upgrade(db.owner_url)
    assert await fetch(db.ops_url, "SELECT count(greeting) FROM ops.statement") == [0]
