"""What a batch that only glanced at its facts asks, when it writes: do they still hold?

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


def upgrade() -> None:
    """Add the function."""
    op.execute(FACTS_MUST_HOLD)


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP FUNCTION facts_must_hold(boolean)")
