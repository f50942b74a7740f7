"""What guards the tables of the ledger: constraints, triggers, functions and privileges.

1. `guards`          their digest, which a seal has, and what it depends on (`schema_label`)
2. `missing_guards`  those of the newest schema that are missing or disabled; what every node should
                    have, and has not

Where buckets are on several nodes, the coordinator's own catalog tells of tables that have no row;
each node tells what guards the rows (`app.ledger.citus.guards`).
"""

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from app.ledger.buckets import ABOVE_ONLY, TABLES
from app.ledger.citus import IN_EACH, MAY_NAME_NOBODY, TOLD, XID_TRIGGER
from app.ledger.citus.guards import (
    is_on_nodes,
    missing_at_nodes,
    node_guards,
    tables_that_differ,
)

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

_OURS: Final = """
ARRAY(SELECT 'public'::regnamespace::oid
      UNION ALL SELECT schema_name::regnamespace::oid FROM buckets)
"""
"""The schemas that hold the ledger."""

_GUARDS: Final = f"""
WITH guard AS (
    SELECT concat_ws(' ', 'constraint', c.oid::regclass, k.conname, pg_get_constraintdef(k.oid),
                     k.convalidated) AS line
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = ANY ({_OURS})
    UNION ALL
    SELECT concat_ws(' ', 'trigger', c.oid::regclass, pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = ANY ({_OURS}) AND NOT t.tgisinternal
    UNION ALL
    SELECT concat_ws(' ', 'foreign keys', c.oid::regclass, t.tgenabled, count(*))
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = ANY ({_OURS}) AND t.tgisinternal
    GROUP BY c.oid, t.tgenabled
    UNION ALL
    SELECT concat_ws(' ', 'function', nullif(n.nspname, 'public'), p.proname,
                     pg_get_function_identity_arguments(p.oid), p.prosecdef, p.proconfig,
                     sha256(convert_to(p.prosrc, 'UTF8')))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.pronamespace = ANY ({_OURS})
    UNION ALL
    SELECT concat_ws(' ', 'unique', pg_get_indexdef(i.indexrelid))
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = ANY ({_OURS}) AND i.indisunique
    UNION ALL
    SELECT concat_ws(' ', 'may', c.oid::regclass, a.privilege_type)
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
    WHERE c.relnamespace = ANY ({_OURS}) AND (a.grantee = 'wallet_service'::regrole
           OR a.grantee = 0 AND a.privilege_type <> 'SELECT')
    UNION ALL
    SELECT concat_ws(' ', 'may', c.oid::regclass, f.attname, a.privilege_type)
    FROM pg_attribute f JOIN pg_class c ON c.oid = f.attrelid
    CROSS JOIN LATERAL aclexplode(f.attacl) a
    WHERE c.relnamespace = ANY ({_OURS}) AND (a.grantee = 'wallet_service'::regrole
           OR a.grantee = 0 AND a.privilege_type <> 'SELECT')
)
SELECT encode(sha256(convert_to(string_agg(line, E'\\n' ORDER BY line COLLATE "C"), 'UTF8')), 'hex')
FROM guard
"""  # noqa: S608 - composed of constants
"""What keeps the service from changing what is written, and wrong rows from being written."""

_LABEL: Final = """
SELECT concat_ws('/', (SELECT version_num FROM alembic_version),
                 (SELECT rule_version FROM decision_settings),
                 current_setting('server_version_num')::integer / 10000,
                 (SELECT count(*) || '-buckets' || $1 FROM buckets HAVING count(*) > 0))
"""


_CONSTRAINTS: Final = f"""
SELECT c.oid::regclass::text || '.' || k.conname
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE c.relnamespace = ANY ({_OURS}) AND k.convalidated
"""  # noqa: S608 - composed of constants

_TRIGGERS: Final = f"""
SELECT c.oid::regclass::text || '.' || t.tgname
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = ANY ({_OURS}) AND t.tgenabled IN ('O', 'A')
"""  # noqa: S608 - composed of constants

_SHOWN: Final = """
SELECT line COLLATE "C" FROM (
    SELECT concat_ws(' ', 'shows', f.ftrelid::regclass, i.inhparent::regclass, f.ftoptions)
    FROM pg_foreign_table f JOIN pg_class c ON c.oid = f.ftrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_inherits i ON i.inhrelid = f.ftrelid
    WHERE starts_with(n.nspname, 'remote_')
) f (line)
ORDER BY 1
"""
"""Where the tables above the buckets lead: what is read above could be read elsewhere."""

_BUCKET_SCHEMAS: Final = "SELECT schema_name FROM buckets ORDER BY bucket"


async def schema_label(connection: "Connection") -> str:
    """Return what the guards depend on: revision, rule version, PostgreSQL's version, buckets."""
    where = "-on-nodes" if await is_on_nodes(connection) else ""
    label: str = await connection.fetchval(_LABEL, where)
    return label


async def guards(connection: "Connection") -> str:
    """Return the digest of the schema's guards, with those of every node, if there are nodes.

    Raises LedgerAwayError if a node does not say what it has.
    """
    digest: str = await connection.fetchval(_GUARDS)
    if not await is_on_nodes(connection):
        return digest
    shown = [row[0] for row in await connection.fetch(_SHOWN)]
    lines = [digest, *shown, *(await node_guards(connection)).lines]
    return sha256("\n".join(lines).encode()).hexdigest()


async def missing_guards(connection: "Connection") -> list[str]:
    """Return the constraints and triggers of the newest schema that are missing or disabled.

    Raises LedgerAwayError if a node does not say what it has.
    """
    schemas = [row[0] for row in await connection.fetch(_BUCKET_SCHEMAS)]
    on_nodes = await is_on_nodes(connection)
    tables = IN_EACH if on_nodes else TABLES
    wanted, triggers = _wanted(schemas, tables)
    there = {row[0] for row in await connection.fetch(_CONSTRAINTS)}
    enabled = {row[0] for row in await connection.fetch(_TRIGGERS)}
    missing = (wanted - there) | (triggers - enabled)
    if on_nodes:
        of_buckets = tuple(f"{schema}." for schema in schemas)
        at_nodes = (name for name in wanted | triggers if name.startswith(of_buckets))
        missing |= missing_at_nodes(await node_guards(connection), at_nodes)
        differ = await tables_that_differ(connection)
        missing |= {f"{table} with the same rows at every node" for table in differ}
    return sorted(missing)


def _wanted(schemas: Sequence[str], tables: Collection[str]) -> tuple[set[str], set[str]]:
    """Return the constraints and the triggers of a ledger whose buckets have these tables."""
    # The typed tables bring SQLAlchemy, which nothing else of a console's command or a server uses.
    from app.ledger.tables import APPEND_ONLY, CLEARED_ONLY, metadata  # noqa: PLC0415

    def places(table: str) -> list[str]:
        """Return where a table is: in `public`, and in every bucket, if it is one of a bucket's."""
        return [table, *(f"{schema}.{table}" for schema in schemas if table in tables)]

    constraints = {
        f"{place}.{constraint.name}"
        for table in metadata.sorted_tables
        for place in places(table.name)
        for constraint in table.constraints
    }
    if schemas:
        constraints |= {
            f"{table}.ck_{table}_{ABOVE_ONLY}" for table in tables if table not in MAY_NAME_NOBODY
        }
        constraints |= {f"{schema}.players.ck_players_bucket" for schema in schemas}
    triggers = {
        f"{place}.append_only" for name in (*APPEND_ONLY, *CLEARED_ONLY) for place in places(name)
    }
    if tables is IN_EACH:
        triggers |= {f"{schema}.{table}.{XID_TRIGGER}" for schema in schemas for table in TOLD}
    return constraints, triggers
