"""Events of buckets on several nodes: how far each node's transactions were looked through.

Revision: 20261220_events
Follows: 20261216_buckets

1. `event_log_buckets` says of each bucket, and of each node that ever had it, which of that node's
   transactions were looked through. It stays empty where all buckets are on one server, whose
   transactions `event_log_progress` speaks of.
2. `event_log.bucket` says where the rows are that an event tells of, on several nodes.
"""

from alembic import op

revision = "20261220_events"
down_revision = "20261216_buckets"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE event_log_buckets (
    bucket smallint NOT NULL,
    node integer NOT NULL,
    system_identifier bigint,
    seen pg_snapshot NOT NULL,
    CONSTRAINT pk_event_log_buckets PRIMARY KEY (bucket, node)
)
"""


def upgrade() -> None:
    """Make the table, and the column, which is null where there is one server."""
    op.execute(TABLE)
    op.execute(
        "GRANT SELECT, INSERT, UPDATE (system_identifier, seen) ON event_log_buckets"
        " TO wallet_service"
    )
    op.execute("ALTER TABLE event_log ADD COLUMN bucket smallint")


def downgrade() -> None:
    """Forget both; a ledger whose buckets are on several nodes cannot go back."""
    if op.get_bind().exec_driver_sql("SELECT EXISTS (SELECT FROM event_log_buckets)").scalar_one():
        message = "Events of this ledger were numbered on several nodes, which the schema before"
        raise RuntimeError(f"{message} does not know.")
    op.execute("ALTER TABLE event_log DROP COLUMN bucket")
    op.execute("DROP TABLE event_log_buckets")
