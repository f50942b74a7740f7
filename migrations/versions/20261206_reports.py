"""Days whose report is written for good, append-only.

Revision: 20261206_reports
Follows: 20261206_reconciliation
"""

from alembic import op

revision = "20261206_reports"
down_revision = "20261206_reconciliation"
branch_labels = None
depends_on = None

CLOSED_DAYS = """
CREATE TABLE closed_days (
    day date NOT NULL,
    closed_at timestamptz NOT NULL,
    source text NOT NULL,
    journal_moment timestamptz NOT NULL,
    journal_movements bigint NOT NULL,
    digest text NOT NULL,
    CONSTRAINT pk_closed_days PRIMARY KEY (day),
    CONSTRAINT ck_closed_days_digest_length CHECK (char_length(digest) = 64)
)
"""


def upgrade() -> None:
    """Make the table, its guard, and what the service may do with it."""
    op.execute(CLOSED_DAYS)
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON closed_days"
        " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
    )
    op.execute("GRANT SELECT, INSERT ON closed_days TO wallet_service")


def downgrade() -> None:
    """Forget which days are closed."""
    op.execute("DROP TABLE closed_days")
