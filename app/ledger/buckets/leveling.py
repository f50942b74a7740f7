"""Brings a bucket level with what is above it: keys, indexes, triggers, privileges, functions.

Columns, CHECKs and defaults are PostgreSQL's to pass on: a migration that changes a parent changes
the tables of all buckets in the same statement. What it does not pass on is compared here by its
definition, out of the catalogs, and made or dropped. Bucket after bucket, each in a transaction of
its own, and an index that a table with rows lacks by itself and CONCURRENTLY: a run that is cut off
goes on where it stopped.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from app.ledger.buckets import TABLES
from app.ledger.buckets.functions import level_functions
from app.ledger.citus import IN_EACH

PUBLIC: Final = "public"
_OURS: Final = re.compile(rf"\bpublic\.({'|'.join(IN_EACH)})\b")

_PARTS: Final = text("""
SELECT CASE k.contype WHEN 'f' THEN 'foreign key' ELSE 'key' END AS kind, k.conname AS name,
       pg_get_constraintdef(k.oid) AS definition
FROM pg_constraint k
WHERE k.conrelid = to_regclass(:place) AND k.contype IN ('p', 'u', 'f')
UNION ALL
SELECT CASE WHEN i.indisvalid THEN 'index' ELSE 'invalid index' END, c.relname,
       pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = to_regclass(:place)
  AND NOT EXISTS (SELECT FROM pg_constraint k
                  WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
UNION ALL
SELECT 'trigger', t.tgname, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
FROM pg_trigger t WHERE t.tgrelid = to_regclass(:place) AND NOT t.tgisinternal
UNION ALL
SELECT 'privilege', format('%s TO %s', a.privilege_type, a.grantee::regrole), ''
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE c.oid = to_regclass(:place) AND a.grantee <> c.relowner AND a.grantee <> 0
UNION ALL
SELECT 'privilege', format('%s (%I) TO %s', a.privilege_type, f.attname, a.grantee::regrole), ''
FROM pg_attribute f JOIN pg_class c ON c.oid = f.attrelid
CROSS JOIN LATERAL aclexplode(f.attacl) a
WHERE f.attrelid = to_regclass(:place) AND a.grantee <> c.relowner AND a.grantee <> 0
UNION ALL
SELECT 'storage', s.option, ''
FROM pg_class c CROSS JOIN LATERAL unnest(c.reloptions) AS s (option)
WHERE c.oid = to_regclass(:place)
""")

_HAS_ROWS: Final = "SELECT EXISTS (SELECT FROM {place})"


class Part(NamedTuple):
    """One thing that a table has and its children do not inherit."""

    kind: str
    name: str
    definition: str


def level(connection: Connection, schemas: Iterable[str]) -> None:
    """Bring the tables of these buckets level with their parents, one bucket after the other."""
    for schema in schemas:
        late: list[str] = []
        with connection.begin():
            wanted = parts_above(connection)
            for table in TABLES:
                late += level_table(connection, schema, table, wanted[table])
            level_functions(connection, schema)
        for statement in late:
            run_alone(connection, statement)


def parts_above(connection: Connection) -> Mapping[str, frozenset[Part]]:
    """Return what the parents have, by table."""
    return {table: parts_of(connection, PUBLIC, table) for table in TABLES}


def level_empty(connection: Connection, schema: str, wanted: Mapping[str, frozenset[Part]]) -> None:
    """Give the tables of a new bucket what their parents have, inside the open transaction."""
    for table in TABLES:
        for part in sorted(wanted[table], key=order_of):
            make_part(connection, schema, table, part)


def level_table(
    connection: Connection,
    schema: str,
    table: str,
    wanted: frozenset[Part],
    adapted: Callable[[Part], Part] = lambda part: part,
) -> list[str]:
    """Level one table, and return the statements that must be run outside of a transaction.

    `adapted` returns a part as the bucket has it, where that is not what its definition says.
    """
    there = parts_of(connection, schema, table)
    late = []
    for part in sorted(there - wanted, key=order_of, reverse=True):
        _drop(connection, schema, table, part)
    has_rows = connection.exec_driver_sql(_HAS_ROWS.format(place=f"{schema}.{table}")).scalar_one()
    for part in sorted(wanted - there, key=order_of):
        if part.kind == "index" and has_rows:
            late.append(
                _into(part.definition, schema).replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
            )
        else:
            make_part(connection, schema, table, adapted(part))
    return late


def parts_of(connection: Connection, schema: str, table: str) -> frozenset[Part]:
    """Read what a table has; names are those of the parent, so that both can be compared."""
    # Definitions name every schema that is not on the path.
    connection.exec_driver_sql("SET LOCAL search_path = ''")
    rows = connection.execute(_PARTS, {"place": f"{schema}.{table}"})
    parts = frozenset(
        Part(row.kind, row.name, row.definition.replace(f"{schema}.", f"{PUBLIC}.")) for row in rows
    )
    connection.exec_driver_sql("SET LOCAL search_path = public, pg_temp")
    return parts


_ORDER: Final = ("storage", "key", "invalid index", "index", "foreign key", "trigger", "privilege")


def order_of(part: Part) -> tuple[int, str]:
    """Order parts as they are made: keys before what refers to them."""
    return _ORDER.index(part.kind), part.name


def make_part(connection: Connection, schema: str, table: str, part: Part) -> None:
    """Give a bucket's table what the one above it has."""
    place = f"{schema}.{table}"
    match part.kind:
        case "key" | "foreign key":
            definition = _into(part.definition, schema)
            statements = [f"ALTER TABLE {place} ADD CONSTRAINT {part.name} {definition}"]
        case "index":
            statements = [_into(part.definition, schema)]
        case "trigger":
            definition, _, enabled = part.definition.rpartition(" ")
            statements = [_into(definition, schema)]
            if enabled == "D":
                statements.append(f"ALTER TABLE {place} DISABLE TRIGGER {part.name}")
        case "privilege":
            what, _, whom = part.name.rpartition(" TO ")
            statements = [f"GRANT {what} ON {place} TO {whom}"]
        case "storage":
            statements = [f"ALTER TABLE {place} SET ({part.name})"]
        case _:
            raise AssertionError(f"a parent has an {part.kind}: {part.name}")
    for statement in statements:
        connection.exec_driver_sql(statement)


def _drop(connection: Connection, schema: str, table: str, part: Part) -> None:
    place = f"{schema}.{table}"
    match part.kind:
        case "key" | "foreign key":
            statement = f"ALTER TABLE {place} DROP CONSTRAINT {part.name}"
        case "index" | "invalid index":
            statement = f"DROP INDEX {schema}.{part.name}"
        case "trigger":
            statement = f"DROP TRIGGER {part.name} ON {place}"
        case "privilege":
            what, _, whom = part.name.rpartition(" TO ")
            statement = f"REVOKE {what} ON {place} FROM {whom}"
        case _:
            statement = f"ALTER TABLE {place} RESET ({part.name.partition('=')[0]})"
    connection.exec_driver_sql(statement)


def _into(definition: str, schema: str) -> str:
    """Return a definition with the names of a bucket's tables."""
    return _OURS.sub(rf"{schema}.\1", definition)


def run_alone(connection: Connection, statement: str) -> None:
    """Run a statement that cannot be inside a transaction, for as long as it takes."""
    bounds = {
        name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
        for name in ("statement_timeout", "lock_timeout")
    }
    connection.commit()
    usual = connection.get_isolation_level()
    alone = connection.execution_options(isolation_level="AUTOCOMMIT")
    try:
        for name in bounds:
            alone.exec_driver_sql(f"SET {name} = 0")
        alone.exec_driver_sql(statement)
    finally:
        for name, bound in bounds.items():
            alone.exec_driver_sql(f"SET {name} = '{bound}'")
        alone.commit()
        connection.execution_options(isolation_level=usual)
