"""The event log: what the operator's platform hears, in numbered order, and how webhooks stand.

Revision: 20261210_events
Follows: 20261208_search

1. Rows that events tell of keep the id of the transaction that wrote them: `xid`, by a default, so
   that processes of the release before write it, too. Rows that are there already have none, and no
   event tells of them.
2. `event_log` numbers the events of each agent, from 1 on; `event_log_progress` is the snapshot up
   to which the ledger was looked through for them.
3. `webhook_…`: how far each endpoint has heard, who delivers, and what waits to be tried again.

The indexes find rows by their transaction. They are made without stopping anybody, and the
migration may be run again if that is cut off.
"""

from alembic import op

revision = "20261210_events"
down_revision = "20261208_search"
branch_labels = None
depends_on = None

TOLD = ("exceptions", "account_openings", "account_changes", "movements")
"""The tables that events tell of, in the order in which the inbox's collector locks them."""

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS event_log (
        agent text NOT NULL,
        number bigint NOT NULL,
        player_id bigint NOT NULL,
        type text NOT NULL,
        place bigint NOT NULL,
        occurred_at timestamptz NOT NULL,
        CONSTRAINT pk_event_log PRIMARY KEY (agent, number),
        CONSTRAINT uq_event_log_player_id_place_type UNIQUE (player_id, place, type),
        CONSTRAINT ck_event_log_number CHECK (number >= 1),
        CONSTRAINT ck_event_log_type CHECK (type IN ('account.opened', 'account.updated',
            'movement.posted', 'movement.declined', 'limit.hit', 'round.settled', 'alarm.raised'))
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS event_log_heads (
        agent text NOT NULL,
        last_number bigint NOT NULL,
        CONSTRAINT pk_event_log_heads PRIMARY KEY (agent),
        CONSTRAINT ck_event_log_heads_last_number CHECK (last_number >= 1)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS event_log_progress (
        is_the_only_row boolean NOT NULL DEFAULT true,
        system_identifier bigint,
        seen pg_snapshot NOT NULL,
        told_below xid8 NOT NULL,
        recount_after bigint,
        recount_seen pg_snapshot,
        looked_at timestamptz,
        CONSTRAINT pk_event_log_progress PRIMARY KEY (is_the_only_row),
        CONSTRAINT ck_event_log_progress_is_the_only_row CHECK (is_the_only_row),
        CONSTRAINT ck_event_log_progress_recount CHECK (
            (recount_after IS NULL) = (recount_seen IS NULL))
    )
    """,
    """
    INSERT INTO event_log_progress (seen, told_below) VALUES ('3:3:', '3') ON CONFLICT DO NOTHING
    """,
    """
    CREATE TABLE IF NOT EXISTS webhook_endpoints (
        agent text NOT NULL,
        state text NOT NULL DEFAULT 'active',
        failures integer NOT NULL DEFAULT 0,
        failing_since timestamptz,
        next_attempt_at timestamptz,
        last_outcome text,
        delivered_at timestamptz,
        epoch bigint NOT NULL DEFAULT 0,
        CONSTRAINT pk_webhook_endpoints PRIMARY KEY (agent),
        CONSTRAINT ck_webhook_endpoints_state CHECK (state IN ('active', 'parked')),
        CONSTRAINT ck_webhook_endpoints_failures CHECK (failures >= 0)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS webhook_shards (
        agent text NOT NULL,
        shard smallint NOT NULL,
        delivered_to bigint NOT NULL,
        held_by text,
        held_until timestamptz,
        CONSTRAINT pk_webhook_shards PRIMARY KEY (agent, shard),
        CONSTRAINT ck_webhook_shards_shard CHECK (shard BETWEEN 0 AND 7),
        CONSTRAINT ck_webhook_shards_delivered_to CHECK (delivered_to >= 0),
        CONSTRAINT ck_webhook_shards_held CHECK ((held_by IS NULL) = (held_until IS NULL))
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS webhook_retries (
        agent text NOT NULL,
        number bigint NOT NULL,
        player_id bigint NOT NULL,
        state text NOT NULL,
        attempts integer NOT NULL,
        failing_since timestamptz,
        next_attempt_at timestamptz NOT NULL,
        last_outcome text,
        CONSTRAINT pk_webhook_retries PRIMARY KEY (agent, number),
        CONSTRAINT ck_webhook_retries_state CHECK (state IN ('waiting', 'parked', 'delivered')),
        CONSTRAINT ck_webhook_retries_attempts CHECK (attempts >= 0)
    )
    """,
    """
    CREATE INDEX IF NOT EXISTS ix_webhook_retries_open ON webhook_retries (agent, player_id, number)
        WHERE state <> 'delivered'
    """,
    """
    CREATE TABLE IF NOT EXISTS webhook_deliverers (
        slot integer NOT NULL,
        name text NOT NULL,
        seen_at timestamptz NOT NULL,
        CONSTRAINT pk_webhook_deliverers PRIMARY KEY (slot)
    )
    """,
)

PRIVILEGES = (
    "GRANT SELECT, INSERT ON event_log TO wallet_service",
    "GRANT SELECT, INSERT, UPDATE (last_number) ON event_log_heads TO wallet_service",
    """
    GRANT SELECT, INSERT, UPDATE (system_identifier, seen, told_below, recount_after, recount_seen,
        looked_at) ON event_log_progress TO wallet_service
    """,
    """
    GRANT SELECT, INSERT, UPDATE (state, failures, failing_since, next_attempt_at, last_outcome,
        delivered_at, epoch) ON webhook_endpoints TO wallet_service
    """,
    """
    GRANT SELECT, INSERT, UPDATE (delivered_to, held_by, held_until) ON webhook_shards
        TO wallet_service
    """,
    """
    GRANT SELECT, INSERT, UPDATE (state, attempts, failing_since, next_attempt_at, last_outcome)
        ON webhook_retries TO wallet_service
    """,
    "GRANT SELECT, INSERT, UPDATE (name, seen_at) ON webhook_deliverers TO wallet_service",
)


def upgrade() -> None:
    """Make the tables; then the indexes, each of which commits by itself."""
    for table in TOLD:
        op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS xid xid8")
        # Set apart from the column: a default that comes with it would rewrite the whole table.
        op.execute(f"ALTER TABLE {table} ALTER COLUMN xid SET DEFAULT pg_current_xact_id()")
    for statement in (*TABLES, *PRIVILEGES):
        op.execute(statement)
    op.execute(
        "CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event_log"
        " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
    )
    with op.get_context().autocommit_block():
        run = op.get_bind().exec_driver_sql
        bounds = {
            name: run(f"SHOW {name}").scalar_one() for name in ("statement_timeout", "lock_timeout")
        }
        # It reads the whole journal, and waits for whoever reads: nobody waits for it.
        for name in bounds:
            op.execute(f"SET {name} = 0")
        for table in TOLD:
            # What a run that was cut off left behind is not valid.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS ix_{table}_xid")
            op.execute(
                "-- squawk-ignore ban-concurrent-index-creation-in-transaction\n"
                f"CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_{table}_xid ON {table} (xid)"
                " WHERE xid IS NOT NULL"
            )
        for name, bound in bounds.items():
            op.execute(f"SET {name} = '{bound}'")


def downgrade() -> None:
    """Forget all of it; whoever has cursors must begin anew."""
    op.execute("DROP TABLE webhook_deliverers, webhook_retries, webhook_shards, webhook_endpoints")
    op.execute("DROP TABLE event_log_progress, event_log_heads, event_log")
    for table in TOLD:
        op.execute(f"ALTER TABLE {table} DROP COLUMN xid")
