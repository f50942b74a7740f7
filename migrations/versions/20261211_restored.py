"""Time lines of the ledger: a restored one is not served before somebody has said yes.

Revision: 20261211_restored
Follows: 20261214_import

1. `ledger_timelines` and `ledger_timeline_answers`, both only added to; the first row is the server
   that this runs on.
2. Two more kinds of exceptions: what came under tokens, and for players, that a restore has lost.

Processes of the release before know nothing of them, and write no row that differs. A run that is
cut off may be run again.
"""

from alembic import op

revision = "20261211_restored"
down_revision = "20261214_import"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS ledger_timelines (
        number bigint NOT NULL,
        kind text NOT NULL,
        system_identifier bigint NOT NULL,
        timeline_id bigint NOT NULL,
        why text NOT NULL,
        noticed_by text NOT NULL,
        noticed_at timestamptz NOT NULL,
        last_movement_at timestamptz,
        CONSTRAINT pk_ledger_timelines PRIMARY KEY (number),
        CONSTRAINT ck_ledger_timelines_number CHECK (number >= 1),
        CONSTRAINT ck_ledger_timelines_kind CHECK (kind IN ('first', 'taken_over', 'restored'))
    )
    """,
    """
    CREATE INDEX IF NOT EXISTS ix_ledger_timelines_restored ON ledger_timelines (number)
        WHERE kind = 'restored'
    """,
    """
    CREATE TABLE IF NOT EXISTS ledger_timeline_answers (
        number bigint NOT NULL,
        answered_at timestamptz NOT NULL,
        by text NOT NULL,
        is_verified boolean NOT NULL,
        via text NOT NULL,
        came_from text NOT NULL,
        reason text NOT NULL,
        money_until timestamptz NOT NULL,
        CONSTRAINT pk_ledger_timeline_answers PRIMARY KEY (number),
        CONSTRAINT ck_ledger_timeline_answers_reason_length CHECK (
            char_length(reason) BETWEEN 1 AND 1000),
        CONSTRAINT ck_ledger_timeline_answers_money_until CHECK (money_until >= answered_at)
    )
    """,
    """
    INSERT INTO ledger_timelines (number, kind, system_identifier, timeline_id, why, noticed_by,
        noticed_at)
    SELECT 1, 'first', system_identifier,
           ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint,
           'the ledger had none before', 'migration', clock_timestamp()
    FROM pg_control_system()
    ON CONFLICT DO NOTHING
    """,
)

KINDS = (
    "expected_credit",
    "other_content",
    "overtaken_bet",
    "unknown_outcome",
    "uncovered_cancel",
    "negative_balance",
    "reconciliation_difference",
    "slip_mismatch",
    "large_liability",
)
NEW_KINDS = ("unknown_token", "unknown_player")


def upgrade() -> None:
    """Make the tables, their guards, and what the service may do with them."""
    for statement in TABLES:
        op.execute(statement)
    for table in ("ledger_timelines", "ledger_timeline_answers"):
        op.execute(
            f"CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
        )
        op.execute(f"GRANT SELECT, INSERT ON {table} TO wallet_service")
    _let_kinds_be((*KINDS, *NEW_KINDS))


def downgrade() -> None:
    """Forget the time lines; exceptions of the new kinds must be gone before."""
    _let_kinds_be(KINDS)
    op.execute("DROP TABLE ledger_timeline_answers, ledger_timelines")


def _let_kinds_be(kinds: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute("ALTER TABLE exceptions DROP CONSTRAINT IF EXISTS ck_exceptions_kind")
    op.execute(
        f"ALTER TABLE exceptions ADD CONSTRAINT ck_exceptions_kind CHECK (kind IN ({listed}))"
        " NOT VALID"
    )
    # By itself: it reads the whole table, and in this transaction nobody could write meanwhile.
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE exceptions VALIDATE CONSTRAINT ck_exceptions_kind")
