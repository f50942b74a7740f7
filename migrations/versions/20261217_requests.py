"""The request archive: requests as they were received, sealed, for as long as a setting says.

Revision: 20261217_requests
Follows: 20261210_events

No decision reads it. Nobody but the service has any privilege on it, and it is the one table with
rows that the service deletes.
"""

from alembic import op

revision = "20261217_requests"
down_revision = "20261210_events"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        CREATE TABLE archived_requests (
            received_at timestamptz NOT NULL,
            delivery uuid NOT NULL,
            source text NOT NULL,
            transaction_id text,
            sealed bytea NOT NULL,
            CONSTRAINT pk_archived_requests PRIMARY KEY (received_at, delivery)
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_archived_requests_transaction_id ON archived_requests (transaction_id)"
    )
    op.execute("GRANT SELECT, INSERT, DELETE ON archived_requests TO wallet_service")


def downgrade() -> None:
    """Forget all requests."""
    op.execute("DROP TABLE archived_requests")
