"""Fills in the new columns of existing wallets, a few thousand at a time.

Revision: 20261129_wallets_filled
Follows: 20261128_one_road

Each step is a transaction of its own: movements wait for one step at most, and a run that is cut
off goes on where it stopped. On a ledger that nobody has used yet the triggers for processes of the
release before are dropped at once.
"""

from alembic import op

revision = "20261129_wallets_filled"
down_revision = "20261128_one_road"
branch_labels = None
depends_on = None

STEP_PLAYERS = 2000
"""Some 30 ms of work on the machine where this was tried."""

FILL = """
UPDATE wallets w SET agent = p.agent, currency = p.currency, scale = p.scale, blocked = p.blocked,
    excluded_until = p.excluded_until, limits = p.limits, revision = w.revision + 1
FROM (
    SELECT p.player_id, p.agent, p.currency, p.scale, p.blocked, p.excluded_until, p.limits
    FROM wallets w JOIN players p USING (player_id)
    WHERE w.player_id > $1 AND w.agent IS NULL
    ORDER BY w.player_id LIMIT $2 FOR NO KEY UPDATE OF p, w
) p
WHERE w.player_id = p.player_id
RETURNING w.player_id
"""
"""The player first, then the wallet, as the release before takes them when it blocks a player.

Without the player's lock a block that was committed while this waited for the wallet would be
overwritten by what was read before it."""

COLUMNS = ("agent", "currency", "scale")

TRIGGERS = {
    "copy_to_player": "wallets",
    "copy_to_wallet": "players",
    "fill_wallet": "wallets",
    "raise_revision": "wallets",
}


def upgrade() -> None:
    """Fill the new columns, ask for them from now on, and check the decisions that are there."""
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        last = 0
        while True:
            rows = connection.exec_driver_sql(FILL, (last, STEP_PLAYERS)).fetchall()
            if not rows:
                break
            last = max(row[0] for row in rows)
        # Each in a transaction of its own, or the table would be locked for everybody while it is
        # looked through. A run that was cut off may have left one.
        for column in COLUMNS:
            op.execute(f"ALTER TABLE wallets DROP CONSTRAINT IF EXISTS filled_{column}")
            op.execute(
                f"ALTER TABLE wallets ADD CONSTRAINT filled_{column} CHECK ({column} IS NOT NULL)"
                " NOT VALID"
            )
            op.execute(f"ALTER TABLE wallets VALIDATE CONSTRAINT filled_{column}")
    for column in COLUMNS:
        # A column that a valid check knows to be filled is not looked through again.
        op.execute(
            "-- squawk-ignore adding-not-nullable-field\n"
            f"ALTER TABLE wallets ALTER COLUMN {column} SET NOT NULL"
        )
        op.execute(f"ALTER TABLE wallets DROP CONSTRAINT filled_{column}")
    op.execute("ALTER TABLE wallets VALIDATE CONSTRAINT ck_wallets_scale")
    op.execute("ALTER TABLE movements VALIDATE CONSTRAINT ck_movements_decision")
    rule_version = op.get_bind().exec_driver_sql("SELECT rule_version FROM decision_settings")
    if rule_version.scalar_one() > 1:
        for trigger, table in TRIGGERS.items():
            op.execute(f"DROP TRIGGER {trigger} ON {table}")
            op.execute(f"DROP FUNCTION {trigger}()")
        # The release before remembers its key scope here at every start.
        op.execute("REVOKE INSERT ON ledger_settings FROM wallet_service")


def downgrade() -> None:
    """Nobody need be asked for what the columns hold, and the release before may start again."""
    op.execute("GRANT INSERT ON ledger_settings TO wallet_service")
    for column in COLUMNS:
        op.execute(f"ALTER TABLE wallets ALTER COLUMN {column} DROP NOT NULL")
