"""What operations may read: the views of schema `ops`, each with its words, and two small indexes.

Revision: 20261122_ops
Follows: 20261121_transfer

The views stand in `migrations/sql/20261122_ops`, a file for each subject. Both indexes cost a
movement next to nothing: one is a BRIN index, the other holds only what is out of the ordinary.
"""

from collections.abc import Iterator
from pathlib import Path

from alembic import op

revision = "20261122_ops"
down_revision = "20261121_transfer"
branch_labels = None
depends_on = None

FILES = Path(__file__).resolve().parents[1] / "sql" / revision

INDEXES = """
CREATE INDEX ix_movements_ledger_day ON movements
    USING brin (((ledger_time AT TIME ZONE 'UTC')::date));

CREATE INDEX ix_movements_remarkable ON movements (ledger_time)
    WHERE decision <> 'ACCEPTED' OR flags <> '' OR event_type IN ('SportBetCancel', 'technicalFix');
"""

READ_ONLY = """
DO $$
BEGIN
    EXECUTE format('ALTER ROLE wallet_ops IN DATABASE %I SET default_transaction_read_only = on',
                   current_database());
EXCEPTION WHEN insufficient_privilege THEN
    -- Its privileges let it read only, with or without this.
    RAISE NOTICE 'role wallet_ops is not ours to set read-only by default';
END
$$
"""

VIEWS = (
    "ledger_settings",
    "maintenance_notices",
    "unanswered",
    "sport_bet_cancels",
    "bets_after_abort",
    "duplicates_with_other_content",
    "expected_credits",
    "refusals",
    "trial_balance",
    "daily_balances",
    "negative_balances",
    "daily_players",
    "daily_streamer_revenue",
    "daily_revenue",
    "daily_movements",
    "exposure",
    "open_rounds",
    "rounds",
    "statement",
    "transactions",
    "movements",
    "limits",
    "account_changes",
    "sessions",
    "players",
)
"""Those that lean on others first, which is the order to drop them in."""


def _statements(script: str) -> Iterator[str]:
    """Split a script at the semicolons that end a line."""
    return (part for part in script.split(";\n") if part.strip())


def upgrade() -> None:
    """Make the indexes and the views, and let operations read them."""
    # As they stand: SQLAlchemy's text would take a colon for a parameter.
    run = op.get_bind().exec_driver_sql
    for statement in _statements(INDEXES):
        run(statement)
    for file in sorted(FILES.glob("*.sql")):
        for statement in _statements(file.read_text(encoding="utf-8")):
            run(statement)
    run("GRANT USAGE ON SCHEMA ops TO wallet_ops")
    run("GRANT SELECT ON ALL TABLES IN SCHEMA ops TO wallet_ops")
    run(READ_ONLY)


def downgrade() -> None:
    """Remove what was made; whoever reads only goes on reading only."""
    op.execute(f"DROP VIEW {', '.join(f'ops.{view}' for view in VIEWS)}")
    op.execute("DROP INDEX ix_movements_ledger_day, ix_movements_remarkable")
