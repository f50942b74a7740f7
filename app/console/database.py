"""The database a command works on: the named one, else the embedded one, started or joined."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from app.console.errors import ConsoleError, DatabaseAwayError, SchemaBehindError
from app.console.output.printer import complain
from app.ledger.buckets import BucketsDifferError
from app.ledger.errors import LedgerError
from app.ledger.revisions import head_revision, is_behind, schema_state
from app.ledger.sqlstates import is_away, sqlstate
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OPS, OWNER, SERVICE
from app.postgres.embedded import Say, say_nothing
from app.settings import DatabaseSettings

T = TypeVar("T")

WAIT_FOR_OTHERS_SECONDS = 5
"""How long a command that started the server waits for the processes that joined it."""

NOT_LET_IN = ("28", "3D")
"""The classes of SQLSTATE for a wrong role or password, and for a database that does not exist."""


@dataclass(frozen=True, slots=True)
class Database:
    """Where the service and the owner of the schema find their database."""

    service_url: str
    owner_url: str
    reports_url: str
    """where long reads go: a replica, or the database itself"""
    embedded: EmbeddedPostgres | None = None
    ops_url: str | None = None
    """as the role that reads the views; None: the settings do not name it"""


@contextmanager
def open_database(
    settings: DatabaseSettings, *, own: bool = False, tell: Say = say_nothing
) -> Iterator[Database]:
    """Lead to the named database, or run the embedded one for as long as the block lasts.

    `wallet serve` sets `own`: the embedded server must not stop with another process's command.
    `tell` is called with each step that takes a while.
    """
    if settings.database_url is not None:
        service_url = settings.database_url.get_secret_value()
        owner, reports = settings.owner_database_url, settings.reports_database_url
        ops = settings.ops_database_url
        yield Database(
            service_url,
            owner.get_secret_value() if owner else service_url,
            reports.get_secret_value() if reports else service_url,
            ops_url=ops.get_secret_value() if ops else None,
        )
        return
    tell(f"Starting PostgreSQL in {settings.data_dir} …")
    server = EmbeddedPostgres.start_or_join(settings.data_dir, own=own, say=complain)
    try:
        service_url = server.url_for(SERVICE)
        yield Database(service_url, server.url_for(OWNER), service_url, server, server.url_for(OPS))
    finally:
        server.stop(wait_for_users_seconds=0 if own else WAIT_FOR_OTHERS_SECONDS)


@contextmanager
def ready_database(
    settings: DatabaseSettings,
    *,
    own: bool = False,
    tell: Say = say_nothing,
) -> Iterator[Database]:
    """Open a database whose schema is the newest: ours is brought there, a named one is not."""
    with open_database(settings, own=own, tell=tell) as database:
        state = reach(schema_state(database.service_url))
        is_old = is_behind(state.revision)
        if is_old and database.embedded is None:
            raise SchemaBehindError(_behind(state.revision))
        if is_old or (database.embedded is not None and not state.is_finished):
            tell("Bringing it to the newest schema …")
            _upgrade(database, settings.buckets)
        yield database


def _upgrade(database: Database, buckets: int) -> None:
    """Upgrade the embedded server, which has no processes of another release."""
    # Alembic takes half as long to import as most commands take in all.
    from app.ledger.migrations import upgrade  # noqa: PLC0415
    from app.ledger.owner_changes import OwnerChangeError, finish_upgrade  # noqa: PLC0415

    try:
        reach(upgrade(database.owner_url, buckets=buckets))
    except BucketsDifferError as error:
        raise ConsoleError(str(error)) from error
    with suppress(OwnerChangeError):
        reach(finish_upgrade(database.owner_url, "wallet"))


def reach(
    work: Coroutine[object, object, T],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """Run a coroutine on a database; raise DatabaseAwayError if it cannot be reached.

    `loop_factory`: what makes the event loop; None: Python's own.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(work)
    except LedgerError as error:
        raise DatabaseAwayError(f"The database does not answer: {error}") from error
    except Exception as error:
        if is_away(error) or (sqlstate(error) or "").startswith(NOT_LET_IN):
            # The driver's message, without SQLAlchemy's text around it.
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise DatabaseAwayError(f"The database cannot be reached: {reason}") from error
        raise


def _behind(stands_at: str | None) -> str:
    """Name where the database stands, and what brings it forward."""
    stands = f"stands at revision {stands_at}" if stands_at else "has no schema yet"
    return f"The database {stands}; this wallet needs {head_revision()}: run `wallet migrate`."
