"""The tables above the buckets: foreign tables that inherit from those of `public`.

PostgreSQL reads, locks and changes the rows of a parent's foreign children as those of any child.
Each leads, by postgres_fdw, to the coordinator itself, and Citus from there to the node that has
the bucket: a move changes nothing here. What a migration changes in `public` reaches the foreign
tables in the same statement, and the buckets when they are brought level, after it.

What every node has is read as a foreign table, too, by the views of `ops` and by the search path:
a statement that names a reference table is Citus's to plan, which joins it with no foreign table,
and runs it as whoever asks, who may read the view alone.

What to know of it: conditions are sent along with their parameters, but not stable functions such
as now(), nor a join, nor LIMIT; nothing is known of how many rows there are; a commit is not
atomic.
"""

import re
from typing import Final

from sqlalchemy import Connection, text

from app.ledger.buckets import BucketsDifferError
from app.ledger.citus import IN_EACH, ON_EVERY_NODE, REMOTE_PUBLIC, SERVER

_IS_INTRODUCED: Final = text(
    "SELECT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = :server)"
)
_COLUMNS: Final = text("""
SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
""")
_OF_SHARED: Final = re.compile(rf"\bpublic\.({'|'.join(ON_EVERY_NODE)})\b")
_IS_THERE: Final = text("SELECT to_regclass(:table) IS NOT NULL")


def assert_introduced(connection: Connection) -> None:
    """Raise BucketsDifferError where the coordinator has no way to read the buckets."""
    if not connection.execute(_IS_INTRODUCED, {"server": SERVER}).scalar_one():
        raise BucketsDifferError(
            f"This cluster has no foreign server `{SERVER}`, through which the coordinator reads"
            " the buckets: run deploy/citus/introduce.sql as a superuser, then this again."
        )


def remote_of(schema: str) -> str:
    """Return the schema with the foreign tables of a bucket."""
    return f"remote_{schema}"


def show_above(connection: Connection, schemas: list[str]) -> None:
    """Have the tables of `public` show the rows of all buckets, where they do not yet."""
    run = connection.exec_driver_sql
    run("SET LOCAL citus.enable_schema_based_sharding = off")
    for schema in schemas:
        remote = remote_of(schema)
        run(f"CREATE SCHEMA IF NOT EXISTS {remote}")
        for table in IN_EACH:
            place = f"{remote}.{table}"
            if not connection.execute(_IS_THERE, {"table": place}).scalar_one():
                run(
                    f"CREATE FOREIGN TABLE {place} () INHERITS (public.{table}) SERVER {SERVER}"
                    f" OPTIONS (schema_name '{schema}', table_name '{table}')"
                )


def show_shared(connection: Connection, roles: list[str]) -> None:
    """Have foreign tables for what every node has, with the columns that are there now.

    Columns change in migrations only, which the views that read them do not outlive.
    """
    run = connection.exec_driver_sql
    run("SET LOCAL citus.enable_schema_based_sharding = off")
    run(f"CREATE SCHEMA IF NOT EXISTS {REMOTE_PUBLIC}")
    for role in roles:
        run(f"GRANT USAGE ON SCHEMA {REMOTE_PUBLIC} TO {role}")
    for table in ON_EVERY_NODE:
        place = f"{REMOTE_PUBLIC}.{table}"
        if make_foreign(connection, place, f"public.{table}"):
            for role in roles:
                run(f"GRANT SELECT ON {place} TO {role}")


def make_foreign(connection: Connection, place: str, of: str) -> bool:
    """Have a foreign table with the columns that a table or view has now; False: it was there."""
    columns = connection.execute(_COLUMNS, {"table": of}).scalar_one()
    if connection.execute(_COLUMNS, {"table": place}).scalar_one() == columns:
        return False
    schema, _, name = of.partition(".")
    run = connection.exec_driver_sql
    run(f"DROP FOREIGN TABLE IF EXISTS {place}")
    run(
        f"CREATE FOREIGN TABLE {place} ({columns}) SERVER {SERVER}"
        f" OPTIONS (schema_name '{schema}', table_name '{name}')"
    )
    return True


def reads_shared(statement: str) -> str:
    """Return a view's definition with the foreign tables in the place of the reference tables."""
    return _OF_SHARED.sub(rf"{REMOTE_PUBLIC}.\1", statement)
