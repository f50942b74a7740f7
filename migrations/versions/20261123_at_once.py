"""The function with which a batch checks, when it writes, that its facts still hold.

Revision: 20261123_at_once
Follows: 20261122_ops
"""

from alembic import op

revision = "20261123_at_once"
down_revision = "20261122_ops"
branch_labels = None
depends_on = None

# The isolation is asked, too: a pooler that drops a connection's settings must not go unnoticed.
FACTS_MUST_HOLD = """
CREATE FUNCTION facts_must_hold(they_hold boolean) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'serializable' THEN
        RAISE EXCEPTION 'money moves in serializable transactions only';
    END IF;
    IF they_hold IS NOT TRUE THEN
        RAISE EXCEPTION 'a fact has changed since it was read' USING ERRCODE = 'WF001';
    END IF;
    RETURN true;
END
$$;
"""

# Dropped: ck_movements_event_type_and_direction names the same types, by direction, and every batch
# reads the text of every check anew.
EVENT_TYPES = """
    event_type IN ('BetPlacing', 'Win', 'Lose', 'BetPlacingAbort', 'BetPayedAbort',
    'SportBetCancel', 'Tip', 'PromoWin', 'technicalFix', 'DropAndWin', 'PromoStreamersDebit',
    'PromoStreamersCredit', 'PromoStreamersBetPlacingAbort', 'PromoStreamersBetPayedAbort',
    'Deposit', 'Withdrawal', 'BonusGrant', 'BonusRevoke')
"""


def upgrade() -> None:
    """Add the function, and drop a check that another one makes."""
    op.execute(FACTS_MUST_HOLD)
    op.execute("ALTER TABLE movements DROP CONSTRAINT ck_movements_event_type")


def downgrade() -> None:
    """Drop the function, and check twice again."""
    op.execute("DROP FUNCTION facts_must_hold(boolean)")
    op.execute(
        f"ALTER TABLE movements ADD CONSTRAINT ck_movements_event_type CHECK ({EVENT_TYPES})"
    )
