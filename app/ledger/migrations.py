"""Migrations: how a database is upgraded to the newest revision.

1. One run at a time: a session-level advisory lock, with a bounded wait.
2. A migration that needs a busy table waits for `lock_timeout` and gives up, since every movement
   behind it would wait as long. `statement_timeout` bounds each of its statements.
3. Each migration is one transaction: a run may stop between two, never inside one. What commits by
   itself, for the sake of those who move money meanwhile, can be run again.
4. The views of schema `ops` are dropped before the first migration and created after the newest,
   each in one transaction; a run that stops in between leaves the database without them until the
   next run. If there is no migration to run, they are created again only if their text has changed.
5. A ledger with several buckets: a migration changes the tables above them, and PostgreSQL those of
   all buckets with them; what it does not pass on is brought level afterwards, bucket by bucket.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from configparser import ConfigParser
from contextlib import asynccontextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.database_url import connect_arguments, host_of
from app.ledger import applied_views, revisions
from app.ledger.buckets import making
from app.ledger.buckets.leveling import level
from app.ledger.citus.above import reads_shared
from app.ledger.citus.leveling import level as level_on_nodes
from app.ledger.citus.making import create as create_on_nodes
from app.ledger.citus.making import is_citus
from app.ledger.citus.views import are_shown, hide_by_bucket, show_by_bucket
from app.ledger.connecting import NEXT_HOST, connect
from app.ledger.engine import engine_for
from app.ledger.errors import MigrationBusyError
from app.ledger.outage import reason_of
from app.ledger.revisions import head_revision, is_behind

LOCK_KEY = 0x77616C6C6574
"""The advisory lock's number: `wallet` in ASCII."""

RUN_LOCK_WAIT_SECONDS = 60
"""How long a run waits for another: several replicas may start their migrations at once."""

LOCK_TIMEOUT = "5s"
"""How long a migration waits for a busy table; the movements behind it wait as long."""

STATEMENT_TIMEOUT = "15min"
"""How long one statement of a migration may take, unless the migration says otherwise."""

DATABASE_WAIT_SECONDS = 60
"""How long to wait for a database that is starting in another container, or fails over."""

POLL_SECONDS = 0.5
"""The interval at which a database that is away is tried again; a failover takes seconds."""

MAY_PASS = NEXT_HOST
"""Errors that are retried: a server that starts or stops, a name not known yet, a closed port."""

LOCK_NOT_AVAILABLE = "55P03"


@asynccontextmanager
async def prepared_connection(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection that holds the run's lock and has the time limits of migrations."""
    engine = engine_for(url)
    try:
        async with engine.connect() as connection:
            await _take_run_lock(connection)
            await _set(connection, "lock_timeout", LOCK_TIMEOUT)
            await _set(connection, "statement_timeout", STATEMENT_TIMEOUT)
            # Session settings, since each migration begins a transaction of its own.
            await connection.commit()
            yield connection
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise MigrationBusyError(MigrationBusyError.__doc__) from error
        raise
    finally:
        await engine.dispose()


async def _take_run_lock(connection: AsyncConnection) -> None:
    """Wait for the end of another run, without a snapshot.

    A statement that waited for the lock would hold one, and an index that is built CONCURRENTLY
    waits for every snapshot: the two runs would wait for each other.
    """
    deadline = time.monotonic() + RUN_LOCK_WAIT_SECONDS
    while True:
        is_taken = await connection.scalar(
            text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}
        )
        await connection.commit()
        if is_taken:
            return
        if time.monotonic() >= deadline:
            raise MigrationBusyError(MigrationBusyError.__doc__)
        await asyncio.sleep(POLL_SECONDS)


async def wait_for_database(
    url: str, say: Callable[[str], None], *, seconds_max: int = DATABASE_WAIT_SECONDS
) -> None:
    """Wait until the database accepts connections, within bounds, and say once that we wait.

    An error that does not pass by itself, such as a wrong password, is raised at once.
    """
    arguments = connect_arguments(url)
    deadline = time.monotonic() + seconds_max
    is_said = False
    while True:
        try:
            connection = await connect(arguments)
        except MAY_PASS as error:
            if time.monotonic() >= deadline:
                raise
            if not is_said:
                say(
                    f"The database at {host_of(url)} does not let us in yet, {reason_of(error)}: "
                    f"waiting up to {seconds_max} seconds."
                )
                is_said = True
        else:
            await connection.close()
            return
        await asyncio.sleep(POLL_SECONDS)


async def upgrade(url: str, revision: str = "head", *, buckets: int = 1) -> None:
    """Upgrade a database to a revision, and its views to this code's if it is the newest.

    A ledger that nobody has used gets so many `buckets`. Raises BucketsDifferError where the ledger
    has another number, unless 1 is asked for.
    """
    async with prepared_connection(url) as connection:
        await connection.run_sync(_upgrade, revision, buckets)


async def downgrade(url: str, revision: str) -> None:
    """Downgrade a database to a revision; it then has views only if its migrations made them."""
    async with prepared_connection(url) as connection:
        await connection.run_sync(_downgrade, revision)


async def _set(connection: AsyncConnection, name: str, value: str) -> None:
    """Set a setting for the whole session."""
    await connection.execute(
        text("SELECT set_config(:name, :value, false)"), {"name": name, "value": value}
    )


def _upgrade(connection: Connection, revision: str, buckets: int) -> None:
    with connection.begin():
        if is_behind(_current_revision(connection)):
            _drop_views(connection)
    _run(connection, command.upgrade, revision)
    with connection.begin():
        is_newest = _current_revision(connection) == head_revision()
        on_nodes = is_newest and is_citus(connection)
        if is_newest and not on_nodes and not applied_views.are_current(connection):
            applied_views.apply(connection)
    if on_nodes:
        _make_on_nodes(connection, buckets)
    elif is_newest:
        with connection.begin():
            making.make_wanted(connection, buckets)
            schemas = making.schemas_of(connection)
        level(connection, schemas)


def _make_on_nodes(connection: Connection, buckets: int) -> None:
    """Make the buckets on the nodes of a cluster, or bring them level; nothing, if there is one."""
    with connection.begin():
        roles = making.roles_of(connection)
        must_make = making.must_make(connection, buckets)
        if must_make:
            # Tables are copied to other nodes together with the views that read them.
            _drop_views(connection)
    if must_make:
        create_on_nodes(connection, buckets, roles)
    with connection.begin():
        schemas = making.schemas_of(connection)
    if schemas:
        level_on_nodes(connection, schemas, roles)
    with connection.begin():
        is_current = applied_views.are_current(connection)
        if not is_current:
            applied_views.apply(connection, reads_shared if schemas else str)
        if schemas and not (is_current and are_shown(connection, schemas)):
            show_by_bucket(connection, schemas)


def _drop_views(connection: Connection) -> None:
    hide_by_bucket(connection)
    applied_views.drop(connection)


def _downgrade(connection: Connection, revision: str) -> None:
    with connection.begin():
        _drop_views(connection)
    _run(connection, command.downgrade, revision)


def _run(connection: Connection, run: Callable[[Config, str], None], revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    run(config, revision)
    # Alembic leaves its transaction open if it finds nothing to do.
    connection.commit()


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    """Read Alembic's settings from the file beside the code, whatever the working directory.

    Alembic itself would read the file in the locale's encoding, and would interpret a percent sign
    in the folder's path as a variable.
    """
    file = revisions.INI_FILE
    if not file.is_file():
        raise LookupError(f"The migrations are not beside the code: {file} is missing.")
    parser = ConfigParser({"here": _as_it_is(str(file.parent))})
    parser.read(file, encoding="utf-8")
    config = Config()
    for name, value in parser.items(config.config_ini_section):
        config.set_main_option(name, _as_it_is(value))
    return config


def _as_it_is(text: str) -> str:
    """Escape a text so that Alembic finds no variables in it."""
    return text.replace("%", "%%")
