"""What guards the rows of buckets at their nodes, as each node's own catalog has it.

The coordinator has a table for each of a bucket's, which holds no row. Whoever drops a trigger of
the node's table, which Citus calls a shard, or replaces a function there, leaves the coordinator's
as they were. So every node is asked for the constraints, triggers, keys and privileges of its
shards, and for the functions that they call.

What is told does not depend on where a bucket is, nor on how many nodes there are: shards are named
without their numbers, and what several nodes have is told once. A function that one node has in
another form is told twice, and so is another guard. By what every node has (event types, settings)
each node serves: `tables_that_differ` compares their rows.
"""

import asyncio
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.citus import ON_EVERY_NODE
from app.ledger.citus.places import IS_CITUS
from app.ledger.errors import LedgerAwayError

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]


class NodeGuards(NamedTuple):
    """What the nodes say of their tables."""

    lines: tuple[str, ...]
    """each guard in one line, in order"""
    there: frozenset[str]
    """the names of constraints that hold, and of triggers that are enabled, after their table's"""


# Asked of each node by itself. A number that ends the name of a shard, of its constraint or of its
# trigger is Citus's.
_OF_NODE: Final = r"""
WITH here AS (
    SELECT groupid FROM pg_catalog.pg_dist_local_group
), shard AS (
    SELECT s.logicalrelid::regclass::text AS shown, s.shardid,
           to_regclass(s.logicalrelid::regclass::text || '_' || s.shardid)::oid AS id
    FROM pg_catalog.pg_dist_shard s
    JOIN pg_catalog.pg_dist_placement p ON p.shardid = s.shardid
    JOIN here ON here.groupid = p.groupid
    JOIN pg_class c ON c.oid = s.logicalrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' OR n.nspname ~ '^b[0-9]+_of_[0-9]+$'
), guard AS (
    SELECT concat_ws(' ', 'constraint', shown, k.conname, pg_get_constraintdef(k.oid),
                     k.convalidated) AS line
    FROM shard JOIN pg_constraint k ON k.conrelid = shard.id
    UNION ALL
    SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM shard JOIN pg_trigger t ON t.tgrelid = shard.id
    WHERE NOT t.tgisinternal
    UNION ALL
    SELECT concat_ws(' ', 'foreign keys', shown, t.tgenabled, count(*))
    FROM shard JOIN pg_trigger t ON t.tgrelid = shard.id
    WHERE t.tgisinternal
    GROUP BY shown, t.tgenabled
    UNION ALL
    SELECT concat_ws(' ', 'unique', pg_get_indexdef(i.indexrelid))
    FROM shard JOIN pg_index i ON i.indrelid = shard.id
    WHERE i.indisunique
    UNION ALL
    SELECT concat_ws(' ', 'may', shown, a.privilege_type)
    FROM shard JOIN pg_class c ON c.oid = shard.id
    CROSS JOIN LATERAL aclexplode(c.relacl) a
    WHERE (a.grantee = 'wallet_service'::regrole
           OR a.grantee = 0 AND a.privilege_type <> 'SELECT')
    UNION ALL
    SELECT concat_ws(' ', 'may', shown, f.attname, a.privilege_type)
    FROM shard JOIN pg_attribute f ON f.attrelid = shard.id
    CROSS JOIN LATERAL aclexplode(f.attacl) a
    WHERE (a.grantee = 'wallet_service'::regrole
           OR a.grantee = 0 AND a.privilege_type <> 'SELECT')
    UNION ALL
    SELECT concat_ws(' ', 'function', nullif(n.nspname, 'public'), p.proname,
                     pg_get_function_identity_arguments(p.oid), p.prosecdef, p.proconfig,
                     sha256(convert_to(p.prosrc, 'UTF8')))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    -- The coordinator's are told as those of any server.
    JOIN here ON here.groupid > 0
    WHERE (n.nspname = 'public' OR n.nspname ~ '^b[0-9]+_of_[0-9]+$')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                      AND d.objid = p.oid AND d.deptype = 'e')
), there AS (
    SELECT shown, k.conname AS name, shardid
    FROM shard JOIN pg_constraint k ON k.conrelid = shard.id
    WHERE k.convalidated
    UNION ALL
    SELECT shown, t.tgname, shardid
    FROM shard JOIN pg_trigger t ON t.tgrelid = shard.id
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
), numbers AS (
    SELECT '_(' || coalesce(string_agg(shardid::text, '|'), '-') || ')\M' AS pattern FROM shard
)
SELECT json_build_object(
    'lines', (SELECT json_agg(regexp_replace(line, pattern, '', 'g')) FROM guard, numbers),
    'there', (SELECT json_agg(shown || '.' || regexp_replace(name, '_' || shardid || '$', ''))
              FROM there))
"""

_SHARED: Final = """
SELECT s.logicalrelid::regclass::text, shard_name(s.logicalrelid, s.shardid)
FROM pg_dist_shard s WHERE s.logicalrelid = ANY ($1::text[]::regclass[])
"""
_DIGEST: Final = (
    "SELECT count(*) || ' ' || coalesce(sum(hash_record_extended(t.*, 0)), 0) FROM {} t"
)

COPYING: Final = timedelta(seconds=1)
"""What changes on every node does so within; it is not seen everywhere at one moment."""

_EACH: Final = "SELECT success, result FROM run_command_on_all_nodes($1)"
_HAS_BUCKETS: Final = "SELECT EXISTS (SELECT FROM public.buckets)"


async def is_on_nodes(connection: "Connection") -> bool:
    """Whether the ledger's buckets are on nodes; else this server has all tables."""
    has_buckets = await connection.fetchval(_HAS_BUCKETS)
    return bool(has_buckets and await connection.fetchval(IS_CITUS))


async def node_guards(connection: "Connection") -> NodeGuards:
    """Return what guards the tables of the nodes; raises LedgerAwayError if one does not say."""
    lines: set[str] = set()
    there: set[str] = set()
    for answer in await _ask_each(connection, _OF_NODE):
        told = json.loads(answer)
        lines |= set(told["lines"] or ())
        there |= set(told["there"] or ())
    return NodeGuards(tuple(sorted(lines)), frozenset(there))


async def tables_that_differ(connection: "Connection") -> set[str]:
    """Return the tables that every node has, and has not with the same rows.

    Raises LedgerAwayError if a node does not say.
    """
    shared = await connection.fetch(_SHARED, [f"public.{table}" for table in ON_EVERY_NODE])
    found = {row[0] for row in shared}
    for wait in (None, COPYING):
        if wait is not None and found:
            await asyncio.sleep(wait.total_seconds())
        for table, shard in shared:
            if table in found and len({*await _ask_each(connection, _DIGEST.format(shard))}) == 1:
                found.remove(table)
    return found


async def _ask_each(connection: "Connection", question: str) -> list[str]:
    answers = []
    for row in await connection.fetch(_EACH, question):
        if not row["success"]:
            raise LedgerAwayError(f"a node does not say what its tables are: {row['result']}")
        answers.append(row["result"])
    return answers


def missing_at_nodes(there: NodeGuards, wanted: Iterable[str]) -> set[str]:
    """Return which of the wanted guards no node has, and say that it is a node's."""
    return {f"{name} at its node" for name in wanted if name not in there.there}
