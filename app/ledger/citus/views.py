"""Views of `ops` for one bucket each: its node computes them, and whoever asks adds them up.

Above the buckets a view joins and sums what was fetched from the nodes, row by row. What is asked
of a bucket's own view goes to the bucket's node as a whole. For each bucket there are

1. `within_bNN.VIEW`         the view over the tables of the bucket, which Citus leads to their node
2. `within_bNN.remote_VIEW`  a foreign table of that: it is read as the owner of the tables
3. `ops_bNN.VIEW`            what the role that reads views may read

They are made of the view above, whose text is the only one, and dropped and made again with it.
"""

import re
from typing import Final

from sqlalchemy import Connection, text

from app.ledger.citus import IN_EACH, ON_EVERY_NODE, REMOTE_PUBLIC
from app.ledger.citus.above import make_foreign

BY_BUCKET: Final = ("counted_movements", "players")
"""The views that are there for each bucket; they read tables, and no other view."""

_DEFINITION: Final = text("SELECT pg_get_viewdef(to_regclass(:view))")
_IS_THERE: Final = text("SELECT to_regclass(:view) IS NOT NULL")
_OF_BUCKET: Final = re.compile(rf"\bpublic\.({'|'.join(IN_EACH)})\b")
_SHARED: Final = re.compile(rf"\b{REMOTE_PUBLIC}\.({'|'.join(ON_EVERY_NODE)})\b")
_SCHEMAS: Final = text(
    "SELECT nspname FROM pg_namespace WHERE nspname ~ '^(ops|within)_b[0-9]+_of_[0-9]+$'"
)


def ops_of(schema: str) -> str:
    """Return the schema with the views of a bucket."""
    return f"ops_{schema}"


def hide_by_bucket(connection: Connection) -> None:
    """Drop the views of the buckets, before what they read is changed; there may be none."""
    for schema in connection.execute(_SCHEMAS).scalars().all():
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")


def are_shown(connection: Connection, schemas: list[str]) -> bool:
    """Whether the views of these buckets are there."""
    return all(
        connection.execute(_IS_THERE, {"view": f"{ops_of(schema)}.{view}"}).scalar_one()
        for schema in schemas
        for view in BY_BUCKET
    )


def show_by_bucket(connection: Connection, schemas: list[str]) -> None:
    """Make the views of these buckets, of those above them."""
    run = connection.exec_driver_sql
    hide_by_bucket(connection)
    # They are the coordinator's alone; names are written out where the path does not find them.
    run("SET LOCAL citus.enable_schema_based_sharding = off")
    run("SET LOCAL citus.enable_ddl_propagation = off")
    run("SET LOCAL search_path = pg_catalog")
    for schema in schemas:
        within, shown = f"within_{schema}", ops_of(schema)
        run(f"CREATE SCHEMA {within}")
        run(f"CREATE SCHEMA {shown}")
        run(f"GRANT USAGE ON SCHEMA {shown} TO wallet_ops")
        for view in BY_BUCKET:
            definition = connection.execute(_DEFINITION, {"view": f"ops.{view}"}).scalar_one()
            own = _SHARED.sub(r"public.\1", _OF_BUCKET.sub(rf"{schema}.\1", definition))
            run(f"CREATE VIEW {within}.{view} AS {own}")
            place = f"{within}.remote_{view}"
            make_foreign(connection, place, f"{within}.{view}")
            run(f"CREATE VIEW {shown}.{view} AS SELECT * FROM {place}")  # noqa: S608 - names of ours
            run(f"GRANT SELECT ON {shown}.{view} TO wallet_ops")
