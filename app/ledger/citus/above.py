"""The tables above the buckets: foreign tables that inherit from those of `public`.

PostgreSQL reads, locks and changes the rows of a parent's foreign children as those of any child.
Each leads, by postgres_fdw, to the coordinator itself, and Citus from there to the node that has
the bucket: a move changes nothing here. What a migration changes in `public` reaches the foreign
tables in the same statement, and the buckets when they are brought level, after it.

What to know of it: conditions are sent along with their parameters, but not stable functions such
as now(), nor a join, nor LIMIT; nothing is known of how many rows there are; a commit is not
atomic.
"""

from typing import Final

from sqlalchemy import Connection, text

from app.ledger.buckets import BucketsDifferError
from app.ledger.citus import IN_EACH

SERVER: Final = "buckets"
"""The foreign server that deploy/citus/introduce.sql makes."""

_IS_INTRODUCED: Final = text(
    "SELECT EXISTS (SELECT FROM pg_foreign_server WHERE srvname = :server)"
)
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
