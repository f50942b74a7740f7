"""The inbox: exceptions, the steps taken about each; and what operations did to keep the ledger.

Revision: 20261203_inbox
Follows: 20261203_adjustments

1. `exceptions` and `exception_steps`, and how far the ledger was looked through for them.
2. `audit_runs` and `backup_notes`: what `wallet audit` found, and which backups were told of.

Nothing here is written by the money road, and no table that it writes gets another index: the road
finds its rows by key, and a second index would tempt the planner.
"""

from alembic import op

revision = "20261203_inbox"
down_revision = "20261203_adjustments"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE exceptions (
        exception_id bigint GENERATED ALWAYS AS IDENTITY,
        kind text NOT NULL,
        key text NOT NULL,
        player_id bigint,
        position bigint,
        user_id text,
        source text,
        transaction_id text,
        event_type text,
        direction text,
        event_id text,
        amount text,
        currency text,
        summary text NOT NULL,
        happened_at timestamptz NOT NULL,
        opened_at timestamptz NOT NULL,
        state text NOT NULL DEFAULT 'open',
        taken_by text,
        closed_at timestamptz,
        closed_by text,
        CONSTRAINT pk_exceptions PRIMARY KEY (exception_id),
        CONSTRAINT uq_exceptions_kind_key UNIQUE (kind, key),
        CONSTRAINT ck_exceptions_kind CHECK (kind IN ('expected_credit', 'other_content',
            'overtaken_bet', 'unknown_outcome', 'uncovered_cancel', 'negative_balance',
            'reconciliation_difference')),
        CONSTRAINT ck_exceptions_state CHECK (state IN ('open', 'taken', 'resolved', 'settled')),
        CONSTRAINT ck_exceptions_taken_by CHECK (state <> 'taken' OR taken_by IS NOT NULL),
        CONSTRAINT ck_exceptions_closed CHECK (num_nonnulls(closed_at, closed_by)
            = CASE WHEN state IN ('open', 'taken') THEN 0 ELSE 2 END)
    )
    """,
    """
    CREATE INDEX ix_exceptions_open ON exceptions (kind, happened_at)
        WHERE state IN ('open', 'taken')
    """,
    "CREATE INDEX ix_exceptions_user_id ON exceptions (user_id)",
    "CREATE INDEX ix_exceptions_transaction_id ON exceptions (transaction_id)",
    """
    CREATE TABLE exception_steps (
        step_id bigint GENERATED ALWAYS AS IDENTITY,
        exception_id bigint NOT NULL,
        at timestamptz NOT NULL,
        step text NOT NULL,
        by text NOT NULL,
        is_verified boolean NOT NULL,
        via text NOT NULL,
        came_from text NOT NULL,
        note text,
        CONSTRAINT pk_exception_steps PRIMARY KEY (step_id),
        CONSTRAINT fk_exception_steps_exceptions FOREIGN KEY (exception_id)
            REFERENCES exceptions (exception_id),
        CONSTRAINT ck_exception_steps_step CHECK (
            step IN ('taken', 'released', 'resolved', 'settled')),
        CONSTRAINT ck_exception_steps_note CHECK (step <> 'resolved' OR note <> '')
    )
    """,
    "CREATE INDEX ix_exception_steps_exception_id ON exception_steps (exception_id)",
    """
    CREATE TABLE exception_collections (
        is_the_only_row boolean NOT NULL DEFAULT true,
        collected_until timestamptz,
        ran_at timestamptz,
        CONSTRAINT pk_exception_collections PRIMARY KEY (is_the_only_row),
        CONSTRAINT ck_exception_collections_is_the_only_row CHECK (is_the_only_row)
    )
    """,
    "INSERT INTO exception_collections DEFAULT VALUES",
    """
    CREATE TABLE audit_runs (
        run_id bigint GENERATED ALWAYS AS IDENTITY,
        ran_at timestamptz NOT NULL,
        since timestamptz,
        invariants integer NOT NULL,
        players bigint NOT NULL,
        movements bigint NOT NULL,
        breaches integer NOT NULL,
        milliseconds bigint NOT NULL,
        by text NOT NULL,
        CONSTRAINT pk_audit_runs PRIMARY KEY (run_id),
        CONSTRAINT ck_audit_runs_counts CHECK (breaches >= 0 AND milliseconds >= 0)
    )
    """,
    "CREATE INDEX ix_audit_runs_ran_at ON audit_runs (ran_at)",
    """
    CREATE TABLE backup_notes (
        note_id bigint GENERATED ALWAYS AS IDENTITY,
        finished_at timestamptz NOT NULL,
        note text NOT NULL,
        by text NOT NULL,
        noted_at timestamptz NOT NULL,
        CONSTRAINT pk_backup_notes PRIMARY KEY (note_id)
    )
    """,
    "CREATE INDEX ix_backup_notes_finished_at ON backup_notes (finished_at)",
)

PRIVILEGES = (
    """
    GRANT SELECT, INSERT, UPDATE (state, taken_by, closed_at, closed_by) ON exceptions
        TO wallet_service
    """,
    "GRANT SELECT, INSERT ON exception_steps TO wallet_service",
    """
    GRANT SELECT, INSERT, UPDATE (collected_until, ran_at) ON exception_collections
        TO wallet_service
    """,
    "GRANT SELECT, INSERT ON audit_runs, backup_notes TO wallet_service",
)

APPEND_ONLY = ("exception_steps", "audit_runs", "backup_notes")


def upgrade() -> None:
    """Make the tables, and what the service may do with them."""
    for statement in (*TABLES, *PRIVILEGES):
        op.execute(statement)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
        )


def downgrade() -> None:
    """Forget all of it."""
    op.execute("DROP TABLE backup_notes, audit_runs")
    op.execute("DROP TABLE exception_collections, exception_steps, exceptions")
