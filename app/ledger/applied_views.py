"""The views of schema `ops`: their current text is applied when the database has another one.

The text is in `views/*.sql`, one file for each subject, applied in the order of their numbers. The
table `applied_views` stores the checksum of each file that the views were created from. The views
are dropped before migrations run and created after the newest of them, so that a migration may
change a table without knowing which views read it.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, insert, inspect, select, text

from app.ledger.tables import applied_views

FOLDER: Final = Path(__file__).resolve().parent / "views"

# One statement, since views depend on each other; nothing else may depend on them.
_NAMES: Final = text(
    "SELECT string_agg(format('ops.%I', viewname), ', ') FROM pg_views WHERE schemaname = 'ops'"
)


def are_current(connection: Connection) -> bool:
    """Whether the database's views were created from the text that this code has."""
    if not inspect(connection).has_table(applied_views.name):
        return False
    known = select(applied_views.c.file, applied_views.c.checksum)
    remembered = {row.file: row.checksum for row in connection.execute(known)}
    return remembered == {name: _checksum(script) for name, script in _scripts()}


def drop(connection: Connection) -> None:
    """Drop every view of the schema, if the views were created by this module."""
    if not inspect(connection).has_table(applied_views.name):
        return
    names = connection.execute(_NAMES).scalar()
    if names is not None:
        connection.exec_driver_sql(f"DROP VIEW {names}")
    connection.execute(delete(applied_views))


def apply(connection: Connection, adapted: Callable[[str], str] = lambda text: text) -> None:
    """Create every view with its comments, and grant operations the right to read it.

    `adapted` returns a statement as this database needs it.
    """
    drop(connection)
    for name, script in _scripts():
        for statement in _statements(script):
            # Sent as it is: SQLAlchemy's text() would read a colon as a parameter.
            connection.exec_driver_sql(adapted(statement))
        connection.execute(insert(applied_views).values(file=name, checksum=_checksum(script)))
    connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA ops TO wallet_ops")


def _scripts() -> list[tuple[str, str]]:
    """Return every file's name and text; no file at all means a broken installation."""
    files = sorted(FOLDER.glob("*.sql"))
    if not files:
        raise LookupError(f"The text of the views is missing: {FOLDER} holds none.")
    return [(file.name, file.read_text(encoding="utf-8")) for file in files]


def _checksum(script: str) -> str:
    return sha256(script.encode()).hexdigest()


def _statements(script: str) -> Iterator[str]:
    """Split a script at the semicolons that end a line."""
    return (part for part in script.split(";\n") if part.strip())
