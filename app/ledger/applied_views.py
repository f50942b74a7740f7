"""The views of schema `ops`: their current text is applied whenever the database has another one.

The text stands in `views/*.sql`, one file a subject, in the order of their numbers. `applied_views`
remembers the checksum of each file that the views were made from. The views are dropped before
migrations run and made after the newest of them, so that a migration may change a table without
knowing who reads it.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, insert, inspect, select, text

from app.ledger.tables import applied_views

FOLDER: Final = Path(__file__).resolve().parent / "views"

# One statement: views lean on each other, and nothing else may lean on them.
_NAMES: Final = text(
    "SELECT string_agg(format('ops.%I', viewname), ', ') FROM pg_views WHERE schemaname = 'ops'"
)


def are_current(connection: Connection) -> bool:
    """Whether the database's views were made from the text that this code knows."""
    if not inspect(connection).has_table(applied_views.name):
        return False
    known = select(applied_views.c.file, applied_views.c.checksum)
    remembered = {row.file: row.checksum for row in connection.execute(known)}
    return remembered == {name: _checksum(script) for name, script in _scripts()}


def drop(connection: Connection) -> None:
    """Drop every view of the schema; a database of before `applied_views` drops its own."""
    if not inspect(connection).has_table(applied_views.name):
        return
    names = connection.execute(_NAMES).scalar()
    if names is not None:
        connection.exec_driver_sql(f"DROP VIEW {names}")
    connection.execute(delete(applied_views))


def apply(connection: Connection) -> None:
    """Make every view anew, with its comments, and let operations read them."""
    drop(connection)
    for name, script in _scripts():
        for statement in _statements(script):
            # As it stands: SQLAlchemy's text would take a colon for a parameter.
            connection.exec_driver_sql(statement)
        connection.execute(insert(applied_views).values(file=name, checksum=_checksum(script)))
    connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA ops TO wallet_ops")


def _scripts() -> list[tuple[str, str]]:
    """Every file's name and text; none is no installation at all."""
    files = sorted(FOLDER.glob("*.sql"))
    if not files:
        raise LookupError(f"The text of the views is missing: {FOLDER} holds none.")
    return [(file.name, file.read_text(encoding="utf-8")) for file in files]


def _checksum(script: str) -> str:
    return sha256(script.encode()).hexdigest()


def _statements(script: str) -> Iterator[str]:
    """Split a script at the semicolons that end a line."""
    return (part for part in script.split(";\n") if part.strip())
