"""Brings the buckets on other nodes level with `public` after a migration.

On one PostgreSQL a migration changes the columns of all buckets with those above them. Here nothing
is inherited: columns and CHECKs are compared as keys, indexes and privileges are, and changed
through the coordinator, which changes them where the bucket is. Bucket after bucket, each in a
transaction of its own; a run that is cut off goes on where it stopped.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from app.ledger.buckets import ABOVE_ONLY, BucketsDifferError
from app.ledger.buckets.leveling import level_table, run_alone
from app.ledger.citus import IN_EACH
from app.ledger.citus.above import show_above, show_shared
from app.ledger.citus.making import (
    allow_triggers,
    distribute_functions,
    part_of_bucket,
    parts_wanted,
)

_COLUMNS: Final = text("""
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS is_given,
       CASE WHEN a.attidentity = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS usual,
       a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE '%next_number_v1()',
           false)
           AS is_counted
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass(:place) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
""")

_CHECKS: Final = text("""
SELECT conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint WHERE conrelid = to_regclass(:place) AND contype = 'c' AND conname <> ALL(:ours)
""")


_OF_STATEMENTS: Final = text("""
SELECT t.tgname AS name, t.tgname || '_' || s.shardid AS on_shard,
       pg_get_triggerdef(t.oid) AS definition
FROM pg_trigger t JOIN pg_catalog.pg_dist_shard s ON s.logicalrelid = t.tgrelid
WHERE t.tgrelid = to_regclass(:place) AND NOT t.tgisinternal AND t.tgtype & 1 = 0
""")
_HAS_TRIGGER: Final = (
    "SELECT count(*) FROM pg_trigger WHERE tgrelid = '%s'::regclass AND tgname = '{name}'"
)
_ON_SHARD: Final = text("""
SELECT success, result FROM run_command_on_shards(to_regclass(:place), :command)
""")


class ColumnsDifferError(Exception):
    """A column of a bucket cannot be changed in place; the message says which."""


def level(connection: Connection, schemas: list[str], roles: list[str]) -> None:
    """Bring the tables of these buckets level with those above them."""
    with connection.begin():
        # First: triggers call them.
        distribute_functions(connection)
    for schema in schemas:
        late: list[str] = []
        with connection.begin():
            allow_triggers(connection)
            for table in IN_EACH:
                _level_columns(connection, schema, table)
                _level_checks(connection, schema, table)
            wanted = {table: parts_wanted(connection, table) for table in IN_EACH}
            for table in IN_EACH:
                adapted = part_of_bucket(connection, schema, table)
                late += level_table(connection, schema, table, wanted[table], adapted)
        for statement in late:
            run_alone(connection, statement)
        with connection.begin():
            for table in IN_EACH:
                _guard_shards(connection, f"{schema}.{table}")
    with connection.begin():
        show_above(connection, schemas)
        show_shared(connection, roles)


def _guard_shards(connection: Connection, place: str) -> None:
    """Have the triggers of statements at the node, where a table went there without them."""
    for trigger in connection.execute(_OF_STATEMENTS, {"place": place}):
        created, _, rest = trigger.definition.partition(f" ON {place} ")
        made = created.replace(f" {trigger.name} ", f" {trigger.on_shard} ", 1)
        there = _on_shard(connection, place, _HAS_TRIGGER.format(name=trigger.on_shard))
        if there == "0":
            _on_shard(connection, place, f"{made} ON %s {rest}")


def _on_shard(connection: Connection, place: str, command: str) -> str:
    """Run a command on a bucket's table at its node, and return what it says."""
    done = connection.execute(_ON_SHARD, {"place": place, "command": command}).one()
    if not done.success:
        raise BucketsDifferError(f"The node does not guard {place}: {done.result}")
    return str(done.result)


def _level_columns(connection: Connection, schema: str, table: str) -> None:
    place = f"{schema}.{table}"
    above = {row.name: row for row in connection.execute(_COLUMNS, {"place": f"public.{table}"})}
    there = {row.name: row for row in connection.execute(_COLUMNS, {"place": place})}
    for name in there.keys() - above.keys():
        connection.exec_driver_sql(f"ALTER TABLE {place} DROP COLUMN {name}")
    for name, column in above.items():
        before = there.get(name)
        if before is None:
            usual = "" if column.usual is None else f" DEFAULT {column.usual}"
            given = " NOT NULL" if column.is_given else ""
            connection.exec_driver_sql(
                f"ALTER TABLE {place} ADD COLUMN {name} {column.type}{usual}{given}"
            )
            continue
        if before.type != column.type:
            raise ColumnsDifferError(
                f"{place}.{name} is {before.type}, and above the buckets it is {column.type}."
            )
        for change in _changes(before, column):
            connection.exec_driver_sql(f"ALTER TABLE {place} ALTER COLUMN {name} {change}")


def _changes(before: Row[Any], column: Row[Any]) -> Iterable[str]:
    if before.usual != column.usual and not column.is_counted:
        yield "DROP DEFAULT" if column.usual is None else f"SET DEFAULT {column.usual}"
    if before.is_given != column.is_given:
        yield "SET NOT NULL" if column.is_given else "DROP NOT NULL"


def _level_checks(connection: Connection, schema: str, table: str) -> None:
    place, ours = f"{schema}.{table}", [f"ck_{table}_{ABOVE_ONLY}", "ck_players_bucket"]

    def checks(of: str) -> set[tuple[str, str]]:
        rows = connection.execute(_CHECKS, {"place": of, "ours": ours})
        return {(row.name, row.definition) for row in rows}

    above, there = checks(f"public.{table}"), checks(place)
    for name, _ in there - above:
        connection.exec_driver_sql(f"ALTER TABLE {place} DROP CONSTRAINT {name}")
    for name, definition in above - there:
        connection.exec_driver_sql(f"ALTER TABLE {place} ADD CONSTRAINT {name} {definition}")
