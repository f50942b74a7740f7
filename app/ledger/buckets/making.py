"""Makes the buckets of a ledger: the schemas, their tables, and the empty parents above them."""

from typing import Final

from sqlalchemy import Connection, text

from app.ledger.buckets import ABOVE_ONLY, TABLES, BucketsDifferError
from app.ledger.buckets.functions import level_functions
from app.ledger.buckets.leveling import level_empty, parts_above
from app.wallet.buckets import schema_of

COUNT: Final = "SELECT count(*) FROM buckets"
SCHEMAS: Final = "SELECT schema_name FROM buckets ORDER BY bucket"

_IS_USED: Final = text("SELECT EXISTS (SELECT FROM players)")
_SEQUENCES: Final = text("""
SELECT a.attname, pg_get_serial_sequence(:table, a.attname) AS sequence
FROM pg_attribute a WHERE a.attrelid = to_regclass(:table) AND a.attidentity <> ''
""")
_WHO_USES: Final = text("""
SELECT DISTINCT a.grantee::regrole::text AS role
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE c.oid = to_regclass('public.players') AND a.grantee <> c.relowner AND a.grantee <> 0
""")
_NOTE: Final = text("INSERT INTO buckets VALUES (:bucket, :schema, clock_timestamp())")


def count_of(connection: Connection) -> int:
    """Return how many buckets the ledger has."""
    return connection.exec_driver_sql(COUNT).scalar_one() or 1


def schemas_of(connection: Connection) -> list[str]:
    """Return the schemas of the buckets; none, if the ledger has one bucket."""
    return [str(row.schema_name) for row in connection.exec_driver_sql(SCHEMAS)]


def make_wanted(connection: Connection, wanted: int) -> None:
    """Make so many buckets on a ledger that nobody has used; one that has them is left as it is.

    Raises BucketsDifferError where it has another number, or has players in its one bucket.
    """
    if must_make(connection, wanted):
        create(connection, wanted)
        close_above(connection)


def must_make(connection: Connection, wanted: int) -> bool:
    """Whether so many buckets are to be made; raises BucketsDifferError."""
    there = count_of(connection)
    if wanted in {there, 1}:
        return False
    if there != 1:
        raise BucketsDifferError(
            f"This ledger has {there} buckets, and their number never changes: set "
            f"WALLET_BUCKETS={there}."
        )
    if connection.execute(_IS_USED).scalar_one():
        raise BucketsDifferError(
            "This ledger has players, and they are in one bucket: set WALLET_BUCKETS=1, or move "
            f"them by `wallet buckets split --into {wanted}` while nothing is served."
        )
    return True


def roles_of(connection: Connection) -> list[str]:
    """Return who may use the tables of players, besides their owner."""
    return [str(row.role) for row in connection.execute(_WHO_USES)]


def create(connection: Connection, count: int) -> None:
    """Make the schemas and their tables, empty and with all that the parents have."""
    wanted = parts_above(connection)
    roles = roles_of(connection)
    for bucket in range(count):
        create_tables(connection, bucket, count, roles)
        level_empty(connection, schema_of(bucket, count), wanted)
        level_functions(connection, schema_of(bucket, count))


def create_tables(connection: Connection, bucket: int, count: int, roles: list[str]) -> None:
    """Make one schema and its tables, with columns, CHECKs and defaults alone."""
    run = connection.exec_driver_sql
    schema = schema_of(bucket, count)
    run(f"CREATE SCHEMA {schema}")
    for role in roles:
        run(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for table in TABLES:
        run(f"CREATE TABLE {schema}.{table} () INHERITS (public.{table})")
        # Identities are not inherited; all buckets count on together.
        for row in connection.execute(_SEQUENCES, {"table": f"public.{table}"}).all():
            run(
                f"ALTER TABLE {schema}.{table} ALTER COLUMN {row.attname}"
                f" SET DEFAULT nextval('{row.sequence}')"
            )
            for role in roles:
                run(f"GRANT USAGE ON SEQUENCE {row.sequence} TO {role}")
    run(
        f"ALTER TABLE {schema}.players ADD CONSTRAINT ck_players_bucket"
        f" CHECK (public.bucket_of_v1(user_id, {count}) = {bucket})"
    )
    connection.execute(_NOTE, {"bucket": bucket, "schema": schema})


def close_above(connection: Connection) -> None:
    """Let no row into the parents from here on."""
    for table in TABLES:
        connection.exec_driver_sql(
            f"ALTER TABLE public.{table} ADD CONSTRAINT ck_{table}_{ABOVE_ONLY}"
            " CHECK (false) NO INHERIT"
        )
