"""Migrations, run on real databases."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from app.ledger import migrations
from app.ledger.errors import MigrationBusyError
from app.ledger.migrations import downgrade, upgrade
from app.ledger.owner_changes import finish_upgrade
from app.ledger.revisions import current_revision, head_revision, is_behind, schema_state
from app.ledger.tables import metadata
from tests.conftest import Database, sql

ROOT = Path(__file__).parents[2]
VERSIONS = ROOT / "migrations" / "versions"

SCHEMA = """
SELECT kind, name, what FROM (
    SELECT 'column' AS kind, table_name || '.' || column_name AS name,
           concat_ws(' ', data_type, numeric_precision, numeric_scale, is_nullable,
                     column_default) AS what
    FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE conrelid <> 0
        AND connamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'view', schemaname || '.' || viewname, definition FROM pg_views
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
    UNION ALL
    SELECT 'privilege', table_schema || '.' || table_name,
           string_agg(grantee || ':' || privilege_type, ' ' ORDER BY grantee, privilege_type)
    FROM information_schema.role_table_grants
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
    GROUP BY table_schema, table_name
) AS everything WHERE name NOT LIKE '%alembic_version%' ORDER BY kind, name, what
"""


async def connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url.replace("+asyncpg", ""), timeout=10)


async def schema(url: str) -> list[tuple[str, ...]]:
    """Everything the migrations make, as text."""
    connection = await connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(SCHEMA)]
    finally:
        await connection.close()


async def test_upgrade_downgrade_and_upgrade_again(empty_db: Database) -> None:
    before = await schema(empty_db.owner_url)
    assert await current_revision(empty_db.owner_url) is None
    await upgrade(empty_db.owner_url)
    first = await schema(empty_db.owner_url)
    assert await current_revision(empty_db.owner_url) == head_revision()
    await downgrade(empty_db.owner_url, "base")
    assert await schema(empty_db.owner_url) == before
    await upgrade(empty_db.owner_url)
    assert await schema(empty_db.owner_url) == first


async def test_the_models_match_the_migrations(db: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(db.owner_url)
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()


async def test_the_service_can_see_where_its_database_stands(db: Database) -> None:
    assert await current_revision(db.service_url) == head_revision()


async def test_the_state_of_a_schema_is_its_revision_and_the_end_of_its_upgrade(
    empty_db: Database,
) -> None:
    assert await schema_state(empty_db.owner_url) == (None, False)
    await upgrade(empty_db.owner_url, "20261126_rows")
    assert await schema_state(empty_db.owner_url) == ("20261126_rows", False)
    await upgrade(empty_db.owner_url)
    # Nobody upgrades a database that was empty.
    assert await schema_state(empty_db.service_url) == (head_revision(), True)
    sql(empty_db.server, "UPDATE decision_settings SET rule_version = 1", empty_db.name)
    assert await schema_state(empty_db.service_url) == (head_revision(), False)
    await finish_upgrade(empty_db.owner_url, "test")
    assert await schema_state(empty_db.service_url) == (head_revision(), True)


def test_the_revisions_are_those_that_alembic_reads() -> None:
    scripts = ScriptDirectory(str(ROOT / "migrations"))
    assert head_revision() == scripts.get_current_head()
    older = [s.revision for s in scripts.walk_revisions() if s.revision != head_revision()]
    assert len(older) == len(list(VERSIONS.glob("*.py"))) - 1
    assert all(map(is_behind, older))


async def test_two_runs_at_once_migrate_once(empty_db: Database) -> None:
    await asyncio.gather(*(upgrade(empty_db.owner_url) for _ in range(3)))
    assert await current_revision(empty_db.owner_url) == head_revision()


async def test_a_run_gives_up_when_another_run_does_not_end(
    empty_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "RUN_LOCK_WAIT_SECONDS", 0)
    other = await connect(empty_db.owner_url)
    try:
        await other.execute("SELECT pg_advisory_lock($1)", migrations.LOCK_KEY)
        with pytest.raises(MigrationBusyError):
            await upgrade(empty_db.owner_url)
    finally:
        await other.close()
    assert await current_revision(empty_db.owner_url) is None


async def test_a_migration_waits_politely_for_a_busy_table_and_gives_up_in_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "200ms")
    busy = await connect(db.service_url)
    try:
        transaction = busy.transaction()
        await transaction.start()
        await busy.fetch("SELECT count(*) FROM wallets")
        with pytest.raises(MigrationBusyError):
            await downgrade(db.owner_url, "base")
        # The migration that met the lock is not half done, and works as soon as the table is free.
        assert await current_revision(db.owner_url) == "20261222_laws"
        await transaction.rollback()
        await downgrade(db.owner_url, "base")
        assert await current_revision(db.owner_url) is None
    finally:
        await busy.close()


async def test_laws_that_a_run_has_made_without_saying_so_are_made_again(db: Database) -> None:
    """Each of its statements commits by itself; the revision is noted after the last."""
    before = await schema(db.superuser_url)
    note = "UPDATE alembic_version SET version_num = '{}'"
    sql(db.server, note.format("20261221_promotion"), db.name)
    await upgrade(db.owner_url)
    assert await schema(db.superuser_url) == before
    await downgrade(db.owner_url, "20261221_promotion")
    sql(db.server, note.format("20261222_laws"), db.name)
    await downgrade(db.owner_url, "20261221_promotion")
    await upgrade(db.owner_url)
    assert await schema(db.superuser_url) == before


def test_a_database_without_a_schema_is_behind() -> None:
    assert is_behind(None)
    assert not is_behind(head_revision())


def test_a_revision_from_the_future_is_not_behind() -> None:
    assert not is_behind("a_revision_that_only_newer_code_knows")


def test_migrations_are_named_by_their_date() -> None:
    names = [path.name for path in VERSIONS.glob("*.py")]
    assert names
    for name in names:
        assert name[:8].isdecimal(), name
        assert name[8] == "_", name


def test_migrations_are_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head_revision.cache_clear()
    assert head_revision()


MIGRATE = """
import asyncio, sys
from app.ledger.migrations import upgrade
asyncio.run(upgrade(sys.argv[1]))
"""


def migrated(url: str, root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Migrate in another process, whose Python knows nothing of ours."""
    return subprocess.run(
        [sys.executable, "-c", MIGRATE, url],
        cwd=root,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), **environment},
        capture_output=True,
        check=False,
        text=True,
        timeout=50,
    )


@pytest.mark.parametrize("locale", ["C", "POSIX", "xx_YY.UTF-8"])
async def test_the_locale_does_not_matter(empty_db: Database, locale: str) -> None:
    done = migrated(empty_db.owner_url, ROOT, LC_ALL=locale, PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr
    assert await current_revision(empty_db.owner_url) == head_revision()


def test_alembics_settings_are_readable_in_every_encoding() -> None:
    assert (ROOT / "alembic.ini").read_bytes().isascii()


async def test_the_folder_of_the_code_may_have_any_name(empty_db: Database, tmp_path: Path) -> None:
    root = tmp_path / "50% of é:it"
    root.mkdir()
    for name in ("migrations", "alembic.ini"):
        (root / name).symlink_to(ROOT / name)
    # The code looks for its files beside itself: a link would lead back to where it really is.
    shutil.copytree(ROOT / "app", root / "app", ignore=shutil.ignore_patterns("__pycache__"))
    done = migrated(empty_db.owner_url, root, LC_ALL="C.UTF-8")
    assert done.returncode == 0, done.stderr
    assert await current_revision(empty_db.owner_url) == head_revision()
