"""Figures without simulated play, and retries of webhooks that are forgotten.

Revision: 20261215_kpi
Follows: 20261217_requests

1. An index of the simulator's players alone, so that every figure leaves them out at no cost where
   there are none.
2. The service deletes retries that were delivered long ago; no delivery reads them any more.
"""

from alembic import op

revision = "20261215_kpi"
down_revision = "20261217_requests"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Grant first; the index commits by itself, while the service writes."""
    op.execute("GRANT DELETE ON webhook_retries TO wallet_service")
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_players_simulated")
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_players_simulated"
            " ON players (player_id) WHERE agent = 'simulator'"
        )


def downgrade() -> None:
    """Drop the index, and keep what was delivered."""
    op.execute("DROP INDEX ix_players_simulated")
    op.execute("REVOKE DELETE ON webhook_retries FROM wallet_service")
