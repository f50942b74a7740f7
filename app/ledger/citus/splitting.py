"""Puts a used ledger with one bucket onto the nodes of a cluster, while nothing is served.

Two connections work together.

1. One locks the tables of players against whoever would change them, in a transaction that stays
   open until the end.
2. The other makes the buckets, each in a transaction of its own: the tables on their node, without
   indexes and triggers; every row of its players, as it is; counted, and its digest compared with
   the rows that it came from; then keys, indexes, triggers and privileges. Ids that are taken are
   claimed, each at its home.
3. The first, whose locks nobody got past, empties the tables above, closes them, shows the buckets'
   rows there, and writes down that the ledger has buckets.

Before the commit of the third step the ledger is what it was, and what the second has made is
nobody's: the next run drops it and begins anew.

Refusals stay where they are, above; those to come are in the buckets. An id of a request is not
known by its player: its row goes to its home, claimed by nobody but itself.
"""

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, text

from app.ledger import applied_views
from app.ledger.buckets import TABLES, Copied, NotSplitError
from app.ledger.buckets.making import roles_of
from app.ledger.citus import IN_EACH
from app.ledger.citus.above import reads_shared, show_above, show_shared
from app.ledger.citus.making import (
    close_above,
    create_tables,
    distribute,
    is_of_statements,
    make_parts,
    note_buckets,
    parts_wanted,
    prepare_nodes,
)
from app.ledger.citus.views import show_by_bucket
from app.wallet.buckets import bucket_of, schema_of

NANOSECONDS: Final = 10**9
IDS_AT_ONCE: Final = 50_000

OF_PLAYERS: Final = (*TABLES, "account_openings", "transaction_keys", "unanswered")
MOVED: Final = (*OF_PLAYERS, "request_ids")
"""The tables whose rows go to the buckets; refusals stay."""

_FORGET: Final = "DROP TABLE IF EXISTS public.player_buckets"
"""What a run that was cut off has left."""

_PLACES: Final = """
CREATE UNLOGGED TABLE public.player_buckets AS
SELECT player_id, user_id, bucket_of_v1(user_id, {count}) AS bucket FROM ONLY public.players
"""
_HOMES: Final = "CREATE TEMPORARY TABLE id_buckets (id text PRIMARY KEY, bucket integer NOT NULL)"
_IDS: Final = """
SELECT transaction_id FROM ONLY public.transaction_keys WHERE transaction_id > :after
UNION SELECT request_id FROM ONLY public.request_ids WHERE request_id > :after
ORDER BY 1 LIMIT :most
"""
_COLUMNS: Final = text("""
SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
""")
_DIGEST: Final = """
SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) AS digest
FROM ({rows}) t
"""
_EVENTS: Final = """
UPDATE event_log e SET bucket = b.bucket
FROM public.player_buckets b WHERE b.player_id = e.player_id
"""

_CLAIMS: Final = """
INSERT INTO {schema}.transaction_claims (transaction_id, source, facet, user_id, claimed_at)
SELECT k.transaction_id, k.source, k.facet, p.user_id, clock_timestamp()
FROM ONLY public.transaction_keys k
JOIN id_buckets i ON i.id = k.transaction_id AND i.bucket = {bucket}
JOIN public.player_buckets p ON p.player_id = k.player_id
UNION ALL
SELECT r.request_id, 'request:' || r.agent, '', r.request_id, clock_timestamp()
FROM ONLY public.request_ids r JOIN id_buckets i ON i.id = r.request_id AND i.bucket = {bucket}
"""


def lock(connection: Connection) -> None:
    """Let nobody change the tables of players until this transaction ends; they may be read."""
    run = connection.exec_driver_sql
    run("SET LOCAL statement_timeout = 0")
    run("SET LOCAL idle_in_transaction_session_timeout = 0")
    run(f"LOCK TABLE {', '.join(f'public.{table}' for table in MOVED)} IN SHARE ROW EXCLUSIVE MODE")


def fill(connection: Connection, count: int, tell: Callable[[Copied], None]) -> None:
    """Make the buckets on their nodes, with every row of their players; raises NotSplitError."""
    with connection.begin():
        # Tables are copied to other nodes together with the views that read them.
        applied_views.drop(connection)
        prepare_nodes(connection)
        applied_views.apply(connection)
    with connection.begin():
        connection.exec_driver_sql(_FORGET)
        connection.exec_driver_sql(_PLACES.format(count=count))
        _find_homes(connection, count)
        connection.exec_driver_sql("ANALYZE public.player_buckets")
        connection.exec_driver_sql("ANALYZE id_buckets")
    copied = dict.fromkeys(MOVED, 0)
    for bucket in range(count):
        with connection.begin():
            for done in _fill_bucket(connection, bucket, count):
                copied[done.table.partition(".")[2]] += done.rows
                tell(done)
    with connection.begin():
        for table in MOVED:
            there = connection.exec_driver_sql(
                f"SELECT count(*) FROM ONLY public.{table}"  # noqa: S608 - a name of ours
            ).scalar_one()
            if there != copied[table]:
                raise NotSplitError(
                    f"Of {there} rows of {table}, {copied[table]} arrived: the audit says which"
                    " belong to no player. The ledger is as it was."
                )


def switch(connection: Connection, count: int) -> None:
    """Have the buckets be the ledger, in the transaction that holds the locks."""
    run = connection.exec_driver_sql
    for table in MOVED:
        run(f"ALTER TABLE public.{table} DISABLE TRIGGER USER")
    run(f"TRUNCATE {', '.join(f'ONLY public.{table}' for table in MOVED)}")
    for table in MOVED:
        run(f"ALTER TABLE public.{table} ENABLE TRIGGER USER")
    # Where to look for what an event tells of, whose number stays what it is.
    run("ALTER TABLE event_log DISABLE TRIGGER USER")
    run(_EVENTS)
    run("ALTER TABLE event_log ENABLE TRIGGER USER")
    run(_FORGET)
    close_above(connection)
    note_buckets(connection, count)
    schemas = [schema_of(bucket, count) for bucket in range(count)]
    show_above(connection, schemas)
    show_shared(connection, roles_of(connection))
    applied_views.apply(connection, reads_shared)
    show_by_bucket(connection, schemas)


def analyze(connection: Connection, count: int) -> None:
    """Have the nodes know how many rows there are."""
    with connection.begin():
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        for bucket in range(count):
            for table in IN_EACH:
                connection.exec_driver_sql(f"ANALYZE {schema_of(bucket, count)}.{table}")


def _find_homes(connection: Connection, count: int) -> None:
    """Find out where each id is claimed; the database's own function takes ten times as long."""
    connection.exec_driver_sql(_HOMES)
    after = ""
    while True:
        rows = connection.execute(text(_IDS), {"after": after, "most": IDS_AT_ONCE}).scalars().all()
        if not rows:
            return
        connection.execute(
            text(
                "INSERT INTO id_buckets SELECT * FROM unnest(CAST(:ids AS text[]),"
                " CAST(:buckets AS integer[]))"
            ),
            {"ids": rows, "buckets": [bucket_of(one, count) for one in rows]},
        )
        after = rows[-1]


def _fill_bucket(connection: Connection, bucket: int, count: int) -> list[Copied]:
    run = connection.exec_driver_sql
    schema = schema_of(bucket, count)
    run("SET LOCAL statement_timeout = 0")
    # Rows are compared as texts, and those of moments depend on settings: a node's are ours.
    run("SET LOCAL citus.propagate_set_commands = 'local'")
    run("SET LOCAL timezone = 'UTC'")
    run("SET LOCAL datestyle = 'ISO'")
    run("SET LOCAL bytea_output = 'hex'")
    run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    wanted = {table: parts_wanted(connection, table) for table in IN_EACH}
    # A trigger of statements is copied with its table, and does not follow it to the node.
    first = {table: frozenset(filter(is_of_statements, wanted[table])) for table in IN_EACH}
    create_tables(connection, bucket, count, roles_of(connection))
    make_parts(connection, schema, first)
    distribute(connection, schema)
    done = []
    for table in MOVED:
        began = time.monotonic_ns()
        columns = connection.execute(_COLUMNS, {"table": f"public.{table}"}).scalar_one()
        named = ", ".join(f"t.{column}" for column in columns.split(", "))
        rows = f"SELECT {named} FROM ONLY public.{table} t {_of_bucket(table, bucket)}"  # noqa: S608
        run(f"INSERT INTO {schema}.{table} ({columns}) {rows}")
        before = run(_DIGEST.format(rows=rows)).one()
        there = f"SELECT {columns} FROM {schema}.{table}"  # noqa: S608 - names of ours
        after = run(_DIGEST.format(rows=there)).one()
        if before != after:
            raise NotSplitError(
                f"Of {before.rows} rows of {table} for bucket {bucket}, {after.rows} arrived, or"
                " some differ. The ledger is as it was."
            )
        milliseconds = (time.monotonic_ns() - began) * 1000 // NANOSECONDS
        done.append(Copied(f"{schema}.{table}", after.rows, milliseconds))
    run(_CLAIMS.format(schema=schema, bucket=bucket))
    make_parts(connection, schema, {table: wanted[table] - first[table] for table in IN_EACH})
    return done


def _of_bucket(table: str, bucket: int) -> str:
    if table in OF_PLAYERS:
        return f"JOIN public.player_buckets b ON b.player_id = t.player_id AND b.bucket = {bucket}"
    return f"JOIN id_buckets b ON b.id = t.request_id AND b.bucket = {bucket}"
