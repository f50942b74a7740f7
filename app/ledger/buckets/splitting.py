"""Moves the players of a ledger with one bucket into several, while nothing is served.

1. Nobody else is connected, and nobody gets at the tables until the end.
2. The schemas and their tables are made, without indexes and triggers.
3. Every row is copied into its player's bucket, as it is: no number, time or link changes, so
   seals, proofs, events and cursors stay what they were.
4. For each table, the rows of all buckets are counted and their digests added up, and compared with
   what is above: the switch is made only if both are equal.
5. The switch: the tables above are emptied and closed, and those of the buckets get their keys,
   indexes, triggers and privileges.

All of it is one transaction: a run that is cut off, or finds a difference, leaves nothing behind.

On a Citus cluster the buckets go to its nodes: see `citus.splitting`.
"""

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ledger.buckets import TABLES, Copied, NotSplitError
from app.ledger.buckets.functions import level_functions
from app.ledger.buckets.leveling import level_empty, parts_above
from app.ledger.buckets.making import close_above, count_of, create_tables, roles_of
from app.ledger.citus import splitting as on_nodes
from app.ledger.citus.making import is_citus
from app.ledger.engine import engine_for
from app.ledger.migrations import prepared_connection
from app.wallet.buckets import schema_of
from app.wallet.facts import RuleVersion

NANOSECONDS: Final = 10**9

_OTHERS: Final = text("""
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'wallet%'
""")
_RULES: Final = text("SELECT rule_version FROM decision_settings")
_PLACES: Final = """
CREATE TEMPORARY TABLE player_buckets ON COMMIT DROP AS
SELECT player_id, bucket_of_v1(user_id, {count}) AS bucket FROM ONLY public.players
"""
_COLUMNS: Final = text("""
SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
""")
_DIGEST: Final = """
SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) AS digest
FROM {rows} t
"""


async def split(url: str, count: int, tell: Callable[[Copied], None]) -> int:
    """Split the ledger into so many buckets; return how many milliseconds nobody could use it.

    `tell` hears of each table that is copied. Raises NotSplitError.
    """
    async with prepared_connection(url) as connection:
        async with connection.begin():
            await connection.run_sync(_refuse_if_unfit)
            is_on_citus = await connection.run_sync(is_citus)
        began = time.monotonic_ns()
        if is_on_citus:
            await _split_onto_nodes(url, connection, count, tell)
        else:
            async with connection.begin():
                await connection.run_sync(_split, count, tell)
    return _milliseconds_since(began)


async def _split_onto_nodes(
    url: str, connection: AsyncConnection, count: int, tell: Callable[[Copied], None]
) -> None:
    engine = engine_for(url)
    try:
        async with engine.connect() as locking, locking.begin():
            await locking.run_sync(on_nodes.lock)
            await connection.run_sync(on_nodes.fill, count, tell)
            await locking.run_sync(on_nodes.switch, count)
        await connection.run_sync(on_nodes.analyze, count)
    finally:
        await engine.dispose()


def _split(connection: Connection, count: int, tell: Callable[[Copied], None]) -> None:
    run = connection.exec_driver_sql
    run("SET LOCAL statement_timeout = 0")
    run(f"LOCK TABLE {', '.join(f'public.{table}' for table in TABLES)} IN ACCESS EXCLUSIVE MODE")
    run(_PLACES.format(count=count))
    run("ANALYZE player_buckets")
    schemas = [schema_of(bucket, count) for bucket in range(count)]
    wanted = parts_above(connection)
    for bucket in range(count):
        create_tables(connection, bucket, count, roles_of(connection))
    for table in TABLES:
        began = time.monotonic_ns()
        _copy(connection, table, schemas)
        rows = _compare(connection, table, schemas)
        tell(Copied(table, rows, _milliseconds_since(began)))
    _empty_above(connection)
    for schema in schemas:
        level_empty(connection, schema, wanted)
        level_functions(connection, schema)
    close_above(connection)
    for table in TABLES:
        run(f"ANALYZE public.{table}")


def _refuse_if_unfit(connection: Connection) -> None:
    there = count_of(connection)
    if there != 1:
        raise NotSplitError(f"This ledger has {there} buckets already; their number never changes.")
    if connection.execute(_RULES).scalar_one() != RuleVersion.CURRENT:
        raise NotSplitError("Finish the upgrade first: wallet migrate --finish.")
    others = connection.execute(_OTHERS).scalar_one()
    if others:
        raise NotSplitError(
            f"{others} connections of the wallet are open: stop what serves, delivers and reads,"
            " and run this again."
        )


def _copy(connection: Connection, table: str, schemas: list[str]) -> None:
    columns = connection.execute(_COLUMNS, {"table": f"public.{table}"}).scalar_one()
    named = ", ".join(f"t.{column}" for column in columns.split(", "))
    for bucket, schema in enumerate(schemas):
        connection.exec_driver_sql(
            f"INSERT INTO {schema}.{table} ({columns}) SELECT {named}"  # noqa: S608 - names of ours
            f" FROM ONLY public.{table} t JOIN player_buckets b ON b.player_id = t.player_id"
            f" WHERE b.bucket = {bucket}"
        )


def _compare(connection: Connection, table: str, schemas: list[str]) -> int:
    """Return the number of rows; NotSplitError if a row is missing, was added, or differs."""
    before = connection.exec_driver_sql(_DIGEST.format(rows=f"ONLY public.{table}")).one()
    parts = [
        connection.exec_driver_sql(_DIGEST.format(rows=f"{schema}.{table}")).one()
        for schema in schemas
    ]
    rows: int = sum(part.rows for part in parts)
    digest = sum(part.digest for part in parts)
    if (rows, digest) != (before.rows, before.digest):
        raise NotSplitError(
            f"Of {before.rows} rows of {table}, {rows} arrived, or some differ: the audit says"
            " which belong to no player. Nothing was changed."
        )
    return rows


def _empty_above(connection: Connection) -> None:
    """Empty the tables above; their triggers forbid it to everybody but whoever removes those."""
    run = connection.exec_driver_sql
    for table in TABLES:
        run(f"ALTER TABLE public.{table} DISABLE TRIGGER USER")
    run(f"TRUNCATE {', '.join(f'ONLY public.{table}' for table in TABLES)}")
    for table in TABLES:
        run(f"ALTER TABLE public.{table} ENABLE TRIGGER USER")


def _milliseconds_since(began: int) -> int:
    return (time.monotonic_ns() - began) * 1000 // NANOSECONDS
