"""The operator's side: who changed an account, and the history of each agent's rounds.

Revision: 20261121_transfer
Follows: 20261120_ledger

Rounds learn whose player's they are, from the players; a round is never another agent's later.
"""

from alembic import op

revision = "20261121_transfer"
down_revision = "20261120_ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the list of changes, and the agent of each round with the indexes of the history."""
    op.execute(
        """
        CREATE TABLE account_changes (
            player_id BIGINT NOT NULL,
            change_id BIGINT GENERATED ALWAYS AS IDENTITY,
            source TEXT NOT NULL,
            operation TEXT NOT NULL,
            asked TEXT NOT NULL,
            outcome TEXT NOT NULL,
            delivery UUID NOT NULL,
            event_time TIMESTAMP WITH TIME ZONE NOT NULL,
            ledger_time TIMESTAMP WITH TIME ZONE NOT NULL,
            CONSTRAINT pk_account_changes PRIMARY KEY (player_id, change_id),
            CONSTRAINT fk_account_changes_players FOREIGN KEY(player_id)
                REFERENCES players (player_id)
        )
        """
    )
    op.execute(
        "CREATE INDEX ix_account_changes_ledger_time ON account_changes USING brin (ledger_time)"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account_changes"
        " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
    )
    op.execute("GRANT SELECT, INSERT ON account_changes TO wallet_service")

    op.execute("ALTER TABLE rounds ADD COLUMN agent TEXT")
    op.execute("UPDATE rounds r SET agent = p.agent FROM players p WHERE p.player_id = r.player_id")
    op.execute("ALTER TABLE rounds ALTER COLUMN agent SET NOT NULL")
    op.execute("DROP INDEX ix_rounds_opened_at")
    op.execute("CREATE INDEX ix_rounds_agent_opened_at ON rounds (agent, opened_at)")
    op.execute("CREATE INDEX ix_rounds_ongoing ON rounds (agent, opened_at) WHERE (NOT settled)")


def downgrade() -> None:
    """Forget the changes and whose rounds they are."""
    op.execute("DROP INDEX ix_rounds_ongoing")
    op.execute("DROP INDEX ix_rounds_agent_opened_at")
    op.execute("CREATE INDEX ix_rounds_opened_at ON rounds (opened_at)")
    op.execute("ALTER TABLE rounds DROP COLUMN agent")
    op.execute("DROP TABLE account_changes")
