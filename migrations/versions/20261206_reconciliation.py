"""Runs of reconciliation and what they found, append-only.

Revision: 20261206_reconciliation
Follows: 20261207_seals

A report is compared in temporary tables of the session that reads it, which the service may make
from here on. A session's temporary tables come before all others unless a function says otherwise:
those that run with the owner's rights do, so that no such table is taken for one of the ledger's.
"""

from alembic import op

revision = "20261206_reconciliation"
down_revision = "20261207_seals"
branch_labels = None
depends_on = None

RUNS = """
CREATE TABLE reconciliation_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY,
    ran_at timestamptz NOT NULL,
    source text NOT NULL,
    door text NOT NULL,
    profile text NOT NULL,
    profile_digest text NOT NULL,
    file_name text NOT NULL,
    file_digest text NOT NULL,
    lines bigint NOT NULL,
    skipped bigint NOT NULL,
    period_since timestamptz NOT NULL,
    period_until timestamptz NOT NULL,
    grace_seconds integer NOT NULL,
    journal_moment timestamptz,
    journal_movements bigint NOT NULL,
    verdicts jsonb NOT NULL,
    money jsonb NOT NULL,
    CONSTRAINT pk_reconciliation_runs PRIMARY KEY (run_id),
    CONSTRAINT ck_reconciliation_runs_period CHECK (period_since < period_until),
    CONSTRAINT ck_reconciliation_runs_counts CHECK (
        lines >= 0 AND skipped >= 0 AND grace_seconds >= 0 AND journal_movements >= 0)
)
"""

DIFFERENCES = """
CREATE TABLE reconciliation_differences (
    run_id bigint NOT NULL,
    number bigint NOT NULL,
    is_difference boolean NOT NULL,
    verdict text NOT NULL,
    cause text NOT NULL,
    refusal text,
    line bigint,
    transaction_id text NOT NULL,
    word text,
    event_type text,
    line_direction text,
    user_id text,
    ours_user_id text,
    event_id text,
    ours_event_id text,
    currency text NOT NULL,
    theirs numeric(38, 18) NOT NULL,
    ours numeric(38, 18) NOT NULL,
    theirs_at timestamptz,
    ours_at timestamptz,
    player_id bigint,
    position bigint,
    CONSTRAINT pk_reconciliation_differences PRIMARY KEY (run_id, number)
)
"""

INDEXES = (
    "CREATE INDEX ix_reconciliation_runs_file_digest ON reconciliation_runs (file_digest)",
    """
    CREATE INDEX ix_reconciliation_differences_transaction_id
        ON reconciliation_differences (transaction_id)
    """,
)

# As for wallet_ops in 20261127_event_types: PUBLIC may make none in a database that we made.
TEMPORARY = """
DO $$
BEGIN
    EXECUTE format('{change}', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'the database is not ours: let wallet_service make temporary tables in it';
END
$$
"""

TEMPORARY_LAST = """
DO $$
DECLARE
    guarded regprocedure;
BEGIN
    FOR guarded IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE prosecdef AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', guarded,
                       current_schema());
    END LOOP;
END
$$
"""


def upgrade() -> None:
    """Make the tables, their guards, and what the service may do with them."""
    op.execute(RUNS)
    op.execute(DIFFERENCES)
    for index in INDEXES:
        op.execute(index)
    for table in ("reconciliation_runs", "reconciliation_differences"):
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
        )
        op.execute(f"GRANT SELECT, INSERT ON {table} TO wallet_service")
    # As it stands: SQLAlchemy's text would take a colon for a parameter.
    op.get_bind().exec_driver_sql(TEMPORARY_LAST)
    op.execute(TEMPORARY.format(change="GRANT TEMPORARY ON DATABASE %I TO wallet_service"))


def downgrade() -> None:
    """Forget the runs."""
    op.execute("DROP TABLE reconciliation_differences")
    op.execute("DROP TABLE reconciliation_runs")
    op.execute(TEMPORARY.format(change="REVOKE TEMPORARY ON DATABASE %I FROM wallet_service"))
