"""A revision for each wallet, and one function that records a batch.

Revision: 20261128_one_road
Follows: 20261127_event_types

Every statement is short: columns with constant defaults, new tables and types, functions, triggers.
The rows that are there are filled in by the next migration, a few at a time.
"""

from collections.abc import Iterator
from pathlib import Path

from alembic import op

revision = "20261128_one_road"
down_revision = "20261127_event_types"
branch_labels = None
depends_on = None

FILES = Path(__file__).resolve().parents[1] / "sql" / revision

SIDE_BY_SIDE = {
    "copy_to_player": "wallets",
    "copy_to_wallet": "players",
    "fill_wallet": "wallets",
    "raise_revision": "wallets",
}
"""Triggers, and the tables they stand on."""

TYPES = (
    "question_row_v1",
    "decision_settings_v1",
    "wallet_row_v1",
    "journal_row_v1",
    "round_row_v1",
    "early_abort_row_v1",
    "refusal_row_v1",
    "session_row_v1",
    "position_row_v1",
)


def _statements(script: str) -> Iterator[str]:
    """Split a script at the semicolons that end a statement, not at those inside a function."""
    statement: list[str] = []
    is_inside = False
    for line in script.splitlines():
        is_inside ^= line.count("$$") % 2 == 1
        statement.append(line)
        if line.endswith(";") and not is_inside:
            yield "\n".join(statement)
            statement = []


def upgrade() -> None:
    """Make everything; where processes of the release before may run, make it bind them, too."""
    run = op.get_bind().exec_driver_sql
    for file in sorted(FILES.glob("*.sql")):
        for statement in _statements(file.read_text(encoding="utf-8")):
            run(statement)


def downgrade() -> None:
    """Remove everything; what was decided by rules of this release must not be there."""
    for trigger, table in SIDE_BY_SIDE.items():
        op.execute(f"DROP TRIGGER IF EXISTS {trigger} ON {table}")
        op.execute(f"DROP FUNCTION IF EXISTS {trigger}()")
    # Without the triggers nothing has copied what binds a player back to where it is read then.
    op.execute(
        "UPDATE players p SET blocked = w.blocked, excluded_until = w.excluded_until,"
        " limits = w.limits FROM wallets w WHERE w.player_id = p.player_id"
        " AND (p.blocked, p.excluded_until, p.limits)"
        " IS DISTINCT FROM (w.blocked, w.excluded_until, w.limits)"
    )
    op.execute("DROP FUNCTION record_movements_v1")
    op.execute("DROP FUNCTION remember_decision_settings_v1")
    op.execute(f"DROP TYPE {', '.join(TYPES)}")
    op.execute("DROP TABLE early_aborts, decision_settings, decision_setting_changes")
    op.execute("ALTER TABLE rounds DROP COLUMN has_early_aborts")
    op.execute(
        "ALTER TABLE wallets DROP COLUMN revision, DROP COLUMN agent, DROP COLUMN currency,"
        " DROP COLUMN scale, DROP COLUMN blocked, DROP COLUMN excluded_until, DROP COLUMN limits"
    )
    op.execute("ALTER TABLE movements DROP CONSTRAINT ck_movements_decision")
    op.execute(
        "ALTER TABLE movements ADD CONSTRAINT ck_movements_decision CHECK (decision IN ("
        "'ACCEPTED', 'PLAYER_BLOCKED', 'ALREADY_GIVEN_BACK', 'LIMIT_EXCEEDED',"
        " 'INSUFFICIENT_FUNDS'))"
    )
