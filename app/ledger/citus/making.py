"""Makes the buckets of a ledger on Citus, and brings them level with `public` after a migration.

1. The tables of a bucket are made on the coordinator, in a schema of their own, with everything
   that those of `public` have: columns, CHECKs, defaults, keys, indexes, triggers, privileges.
   Nothing is inherited, since a child cannot be on another node than its parent.
2. Citus then makes it a distributed schema: all its tables go to one node, and stay together.
3. What a batch reads and never writes is copied to every node; so are the functions it calls.

Numbers (of players, refusals, changes of accounts) are given by the node that adds the row: its own
number in the cluster, then one of its own sequence. So none is given twice, wherever a bucket is
moved, and the decision can tell players by their numbers.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, text

from app.ledger.buckets import ABOVE_ONLY, BucketsDifferError
from app.ledger.buckets.leveling import Part, make_part, order_of, parts_of
from app.ledger.citus import (
    IN_EACH,
    MAY_NAME_NOBODY,
    NUMBER_BITS,
    ON_EVERY_NODE,
    TOLD,
    XID_BITS,
    XID_TRIGGER,
)
from app.ledger.citus.above import assert_introduced
from app.ledger.citus.own_forms import OWN_FORMS, record_in_own_form
from app.wallet.buckets import schema_of

_IS_CITUS: Final = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
_HAS_NODES: Final = """
SELECT count(*) FROM pg_catalog.pg_dist_node WHERE noderole = 'primary' AND shouldhaveshards
"""
_IDENTITIES: Final = text("""
SELECT a.attname FROM pg_attribute a
WHERE a.attrelid = to_regclass(:table) AND a.attidentity <> '' AND NOT a.attisdropped
""")
_DEFINERS: Final = text("""
SELECT DISTINCT p.oid, p.proname, pg_get_functiondef(p.oid) AS definition
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = to_regclass(:table) AND NOT t.tgisinternal AND p.prosecdef
""")
_FUNCTIONS: Final = text("""
SELECT p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY(:names)
""")
_IS_THERE: Final = text("SELECT to_regnamespace(:name) IS NOT NULL")
_IS_DISTRIBUTED: Final = text("""
SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrelid = to_regclass(:table))
""")
_ON_WORKERS: Final = text("SELECT result FROM run_command_on_workers(:statement) WHERE NOT success")
_NOTE: Final = text("INSERT INTO buckets VALUES (:bucket, :schema, clock_timestamp())")
_DISTRIBUTED: Final = text("SELECT citus_schema_distribute(CAST(:schema AS text)::regnamespace)")

CALLED: Final = (
    "record_movements_v2",
    "record_adjustment_of_node_v1",
    "claim_transactions_v1",
    "next_number_v1",
    "bucket_of_v1",
    "movement_is_lawful_v1",
    "round_is_lawful_v1",
    "wallet_is_lawful_v1",
    "forbid_change",
    "node_here_v1",
    "xid_of_node_v1",
)
"""The functions of `public` that are called on a bucket's node, besides those of triggers."""

NUMBERS: Final = "CREATE SEQUENCE IF NOT EXISTS public.numbers_of_node"

# The number of the node, and a number of its own.
NUMBER: Final = f"""
CREATE OR REPLACE FUNCTION public.next_number_v1() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ((SELECT groupid FROM pg_dist_local_group)::bigint << {NUMBER_BITS})
        + nextval('public.numbers_of_node');
END
$$
"""  # noqa: S608 - a number of ours

# Which transaction wrote a row, for the event log: the number of the node that has the bucket, and
# the transaction's id there. A default would be the id on the node where the statement was planned.
# What Citus copies when it moves a bucket passes no trigger, and keeps what it has. The node's
# number is looked up once for each session: each time, it would cost as much as the rest twice.
XID_OF_NODE: Final = f"""
CREATE OR REPLACE FUNCTION public.xid_of_node_v1() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first text := current_setting('wallet.first_xid', true);
BEGIN
    -- What is imported is told by no event, and has none.
    IF NEW.xid IS NOT NULL THEN
        IF first IS NULL OR first = '' THEN
            first := (SELECT groupid::bigint << {XID_BITS}
                      FROM pg_catalog.pg_dist_local_group)::text;
            PERFORM set_config('wallet.first_xid', first, false);
        END IF;
        NEW.xid := (first::bigint + pg_current_xact_id()::text::bigint)::text::xid8;
    END IF;
    RETURN NEW;
END
$$
"""  # noqa: S608 - a number of ours

NODE: Final = """
CREATE OR REPLACE FUNCTION public.node_here_v1() RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT groupid FROM pg_catalog.pg_dist_local_group);
END
$$
"""

CLAIMS: Final = """
CREATE TABLE {schema}.transaction_claims (
    transaction_id text NOT NULL,
    source text NOT NULL,
    facet text NOT NULL,
    user_id text NOT NULL,
    claimed_at timestamptz NOT NULL,
    challenge uuid,
    challenged_at timestamptz,
    CONSTRAINT pk_transaction_claims PRIMARY KEY (transaction_id, source, facet)
)
"""

# The rows are counted nowhere: what a command reports of a distributed table is not always what it
# did, and the second statement, on a snapshot of its own, sees who has each id.
CLAIM: Final = """
CREATE OR REPLACE FUNCTION public.claim_transactions_v1(
    ids text[], sources text[], facets text[], users text[], wanted boolean[]
) RETURNS TABLE (source text, transaction_id text, facet text, user_id text, is_new boolean,
                 is_challenged boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz := clock_timestamp();
BEGIN
    INSERT INTO transaction_claims (transaction_id, source, facet, user_id, claimed_at)
    SELECT a.id, a.source, a.facet, a.user_id, moment
    FROM unnest(ids, sources, facets, users, wanted) AS a (id, source, facet, user_id, is_wanted)
    WHERE a.is_wanted
    ON CONFLICT DO NOTHING;
    RETURN QUERY
    SELECT c.source, c.transaction_id, c.facet, c.user_id, c.claimed_at = moment,
           c.challenge IS NOT NULL
    FROM unnest(ids, sources, users) AS a (id, source, user_id)
    CROSS JOIN LATERAL (
        SELECT * FROM transaction_claims
        WHERE transaction_id = a.id AND source = a.source LIMIT 64
    ) c
    WHERE c.user_id <> a.user_id OR c.claimed_at <> moment OR c.challenge IS NOT NULL;
END
$$
"""


# What `record_adjustment_v1` does in the player's bucket; the approval is on the coordinator.
RECORD_ADJUSTMENT: Final = """
CREATE OR REPLACE FUNCTION public.record_adjustment_of_node_v1(
    given decision_settings_v2,
    wallets_after wallet_row_v1[],
    journal journal_row_v1[],
    rounds_after round_row_v1[],
    aborts_after early_abort_row_v1[],
    refused refusal_row_v1[],
    renewed session_row_v1[],
    returned position_row_v1[],
    counters_after counter_row_v1[],
    hits limit_hit_row_v1[],
    holds_after hold_row_v1[],
    decided_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moved journal_row_v1 := journal[1];
BEGIN
    PERFORM record_movements_v2(given, wallets_after, journal, rounds_after, aborts_after, refused,
                                renewed, returned, counters_after, hits, holds_after, decided_at);
    IF moved.event_id IS NOT NULL THEN
        UPDATE early_aborts SET state = 'settled'
        WHERE player_id = moved.player_id AND event_id = moved.event_id
          AND is_streamer = starts_with(moved.facet, 'PromoStreamers')
          AND transaction_id = moved.transaction_id AND state IN ('waiting', 'used');
    END IF;
END
$$
"""

_PATH: Final = re.compile(r"SET search_path TO .*")


def is_citus(connection: Connection) -> bool:
    """Whether the database is the coordinator of a cluster that has nodes for buckets."""
    if not connection.exec_driver_sql(_IS_CITUS).scalar_one():
        return False
    return bool(connection.exec_driver_sql(_HAS_NODES).scalar_one())


def create(connection: Connection, count: int, roles: list[str]) -> None:
    """Make the buckets on an unused ledger; a run that is cut off goes on where it stopped."""
    with connection.begin():
        prepare_nodes(connection)
    for bucket in range(count):
        with connection.begin():
            wanted = {table: parts_wanted(connection, table) for table in IN_EACH}
            if not connection.execute(_IS_THERE, {"name": schema_of(bucket, count)}).scalar_one():
                _create_bucket(connection, bucket, count, roles, wanted)
    with connection.begin():
        close_above(connection)
        note_buckets(connection, count)


def prepare_nodes(connection: Connection) -> None:
    """Give every node the tables that work on a player reads, and the functions that it calls."""
    assert_introduced(connection)
    allow_triggers(connection)
    for table in ON_EVERY_NODE:
        if not connection.execute(_IS_DISTRIBUTED, {"table": f"public.{table}"}).scalar_one():
            connection.exec_driver_sql(f"SELECT create_reference_table('public.{table}')")
    distribute_functions(connection)


def note_buckets(connection: Connection, count: int) -> None:
    """Write down that the ledger has these buckets: from here on they are the ledger's."""
    for bucket in range(count):
        connection.execute(_NOTE, {"bucket": bucket, "schema": schema_of(bucket, count)})


def close_above(connection: Connection) -> None:
    """Let no row into the tables of `public` that the buckets have; refusals may name nobody.

    Where the buckets' rows are seen, this does not hold, so the foreign tables do not inherit it.
    """
    for table in IN_EACH:
        if table not in MAY_NAME_NOBODY:
            connection.exec_driver_sql(
                f"ALTER TABLE public.{table} ADD CONSTRAINT ck_{table}_{ABOVE_ONLY}"
                " CHECK (false) NO INHERIT"
            )


def _create_bucket(
    connection: Connection,
    bucket: int,
    count: int,
    roles: list[str],
    wanted: Mapping[str, frozenset[Part]],
) -> None:
    create_tables(connection, bucket, count, roles)
    schema = schema_of(bucket, count)
    make_parts(connection, schema, wanted)
    distribute(connection, schema)


def create_tables(connection: Connection, bucket: int, count: int, roles: list[str]) -> None:
    """Make one schema and its tables, with columns, CHECKs and defaults alone, and the claims."""
    run = connection.exec_driver_sql
    schema = schema_of(bucket, count)
    run("SET LOCAL citus.enable_schema_based_sharding = off")
    run(f"CREATE SCHEMA {schema}")
    for role in roles:
        run(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for table in IN_EACH:
        run(
            f"CREATE TABLE {schema}.{table} (LIKE public.{table} INCLUDING DEFAULTS"
            " INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION)"
        )
        for column in connection.execute(_IDENTITIES, {"table": f"public.{table}"}).scalars():
            run(
                f"ALTER TABLE {schema}.{table} ALTER COLUMN {column}"
                " SET DEFAULT public.next_number_v1()"
            )
    run(
        f"ALTER TABLE {schema}.players ADD CONSTRAINT ck_players_bucket"
        f" CHECK (public.bucket_of_v1(user_id, {count}) = {bucket})"
    )
    run(CLAIMS.format(schema=schema))
    for role in roles:
        run(f"GRANT SELECT, INSERT ON {schema}.transaction_claims TO {role}")
        run(
            "GRANT UPDATE (user_id, challenge, challenged_at)"
            f" ON {schema}.transaction_claims TO {role}"
        )


def make_parts(connection: Connection, schema: str, wanted: Mapping[str, frozenset[Part]]) -> None:
    """Give the tables of a bucket the keys, indexes, triggers and privileges that are wanted."""
    allow_triggers(connection)
    for table in IN_EACH:
        adapted = part_of_bucket(connection, schema, table)
        for part in sorted(wanted[table], key=order_of):
            make_part(connection, schema, table, adapted(part))


def distribute(connection: Connection, schema: str) -> None:
    """Have Citus put a schema on one of the nodes, the next one in turn."""
    allow_triggers(connection)
    connection.execute(_DISTRIBUTED, {"schema": schema})


def parts_wanted(connection: Connection, table: str) -> frozenset[Part]:
    """Return what a table of a bucket has: what that of `public` has, and triggers of its own."""
    parts = parts_of(connection, "public", table)
    if table not in TOLD:
        return parts
    made = (
        f"CREATE TRIGGER {XID_TRIGGER} BEFORE INSERT ON public.{table}"
        " FOR EACH ROW EXECUTE FUNCTION public.xid_of_node_v1() O"
    )
    return parts | {Part("trigger", XID_TRIGGER, made)}


def is_of_statements(part: Part) -> bool:
    """Whether it is a trigger for each statement: Citus makes it above its shards alone."""
    return part.kind == "trigger" and "FOR EACH STATEMENT" in part.definition


def part_of_bucket(connection: Connection, schema: str, table: str) -> Callable[[Part], Part]:
    """Return what makes a part of this table that of a bucket.

    A trigger whose function runs as its owner calls the bucket's own copy of it, which is made
    here: such a function has a search path of its own, and that names `public`.
    """
    definers = connection.execute(_DEFINERS, {"table": f"public.{table}"}).all()

    def adapted(part: Part) -> Part:
        if part.kind != "trigger":
            return part
        definition = part.definition
        for row in definers:
            called = re.compile(rf"\bpublic\.{row.proname}\(")
            if called.search(definition):
                own = OWN_FORMS.get(row.proname, row.definition)
                own = called.sub(f"{schema}.{row.proname}(", own, count=1)
                path = f"SET search_path TO '{schema}', 'pg_temp'"
                connection.exec_driver_sql(_PATH.sub(path, own))
                definition = called.sub(f"{schema}.{row.proname}(", definition)
        return part._replace(definition=definition)

    return adapted


def distribute_functions(connection: Connection) -> None:
    """Have every node know the functions that it is called with, and count for itself."""
    for statement in (NUMBERS, NUMBER, CLAIM, RECORD_ADJUSTMENT, NODE, XID_OF_NODE):
        connection.exec_driver_sql(statement)
    record_in_own_form(connection)
    failed = connection.execute(_ON_WORKERS, {"statement": NUMBERS}).scalars().all()
    if failed:
        raise BucketsDifferError(f"A node cannot count: {failed[0]}")
    for name in connection.execute(_FUNCTIONS, {"names": list(CALLED)}).scalars().all():
        connection.exec_driver_sql(f"SELECT create_distributed_function('{name}')")


def allow_triggers(connection: Connection) -> None:
    """Allow triggers: what ours read and write is in the bucket, on the row's own node.

    A server without Citus takes this for somebody's own setting.
    """
    connection.exec_driver_sql("SET LOCAL citus.enable_unsafe_triggers = on")
