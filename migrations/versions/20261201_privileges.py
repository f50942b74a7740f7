"""The service may change only the columns that it writes, and how an account was opened is kept.

Revision: 20261201_privileges
Follows: 20261130_request_ids

1. `account_openings` keeps whose each account is from its opening on: a trigger writes it with the
   wallet, with the owner's rights, so that the service can neither leave it out nor change it. The
   audit holds players, wallets and the beginning of each chain against it.
2. Privileges by column. What the triggers for processes of the release before write of players is
   written with the rights of whoever fired them, so those columns stay open until
   `wallet migrate --finish`.

The accounts that are there are kept a few thousand at a time, each step a transaction of its own; a
run that is cut off goes on where it stopped.
"""

from alembic import op

revision = "20261201_privileges"
down_revision = "20261130_request_ids"
branch_labels = None
depends_on = None

STEP_PLAYERS = 2000
"""As many as `20261129_wallets_filled` takes at a time."""

OPENINGS = (
    """
    CREATE TABLE IF NOT EXISTS account_openings (
        player_id bigint NOT NULL,
        user_id text NOT NULL,
        agent text NOT NULL,
        currency text NOT NULL,
        scale smallint NOT NULL,
        chain_start bytea NOT NULL,
        CONSTRAINT pk_account_openings PRIMARY KEY (player_id),
        CONSTRAINT ck_account_openings_chain_start_length CHECK (octet_length(chain_start) = 32)
    )
    """,
    """
    CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account_openings
        FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()
    """,
    # A wallet that begins in the middle of a chain has no beginning that could be kept; the audit
    # finds it.
    """
    CREATE OR REPLACE FUNCTION keep_opening_v1() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO account_openings (player_id, user_id, agent, currency, scale, chain_start)
        SELECT player_id, user_id, agent, currency, scale,
               CASE WHEN NEW.position = 0 THEN NEW.chain ELSE decode(repeat('00', 32), 'hex') END
        FROM players WHERE player_id = NEW.player_id;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE OR REPLACE TRIGGER keep_opening AFTER INSERT ON wallets
        FOR EACH ROW EXECUTE FUNCTION keep_opening_v1()
    """,
    "GRANT SELECT ON account_openings TO wallet_service",
)

# Chains that are there already begin with 32 zero bytes, and stay valid.
FILL = """
WITH step AS (
    SELECT player_id FROM wallets WHERE player_id > $1 ORDER BY player_id LIMIT $2
), kept AS (
    INSERT INTO account_openings (player_id, user_id, agent, currency, scale, chain_start)
    SELECT player_id, user_id, agent, currency, scale, decode(repeat('00', 32), 'hex')
    FROM step JOIN players USING (player_id)
    ON CONFLICT DO NOTHING
)
SELECT max(player_id) FROM step
"""

CHANGEABLE = {
    "players": "language",
    "wallets": (
        "real, bonus, version, position, chain, usage_day, stake_day, stake_week, stake_month,"
        " loss_day, loss_week, loss_month, has_refused_aborts, revision, blocked, excluded_until,"
        " limits"
    ),
    "sessions": "expires_at, life_seconds",
    "rounds": (
        "last_at, settled, bets_placed, bets_standing, stake_real, stake_bonus, staked, paid,"
        " taken_back, cancels, remainder, has_early_aborts, refused_aborts"
    ),
    "early_aborts": "state",
    "unanswered": "came_back_at",
}

CHANGEABLE_SIDE_BY_SIDE = "blocked, excluded_until, limits"
"""Of players, while processes of the release before may run."""


def upgrade() -> None:
    """Keep how accounts were opened, those that are there as they stand; then narrow."""
    run = op.get_bind().exec_driver_sql
    for statement in OPENINGS:
        run(statement)
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        last: int | None = -(2**63)
        while last is not None:
            last = connection.exec_driver_sql(FILL, (last, STEP_PLAYERS)).scalar_one()
    for table, columns in CHANGEABLE.items():
        op.execute(f"REVOKE UPDATE ON {table} FROM wallet_service")
        op.execute(f"GRANT UPDATE ({columns}) ON {table} TO wallet_service")
    rule_version = op.get_bind().exec_driver_sql("SELECT rule_version FROM decision_settings")
    if rule_version.scalar_one() == 1:
        op.execute(f"GRANT UPDATE ({CHANGEABLE_SIDE_BY_SIDE}) ON players TO wallet_service")


def downgrade() -> None:
    """Let the service change whole rows again, and forget how accounts were opened."""
    for table in CHANGEABLE:
        # The privilege on the table takes the place of those on its columns.
        op.execute(f"REVOKE UPDATE ON {table} FROM wallet_service")
        op.execute(f"GRANT UPDATE ON {table} TO wallet_service")
    op.execute("DROP TRIGGER keep_opening ON wallets")
    op.execute("DROP FUNCTION keep_opening_v1")
    op.execute("DROP TABLE account_openings")
