"""The ledger: players, wallets, sessions, rounds, journal, refusal log, and privileges.

Revision: 20261120_ledger
Follows: nothing
"""

from alembic import op

revision = "20261120_ledger"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE players (
    player_id BIGINT GENERATED ALWAYS AS IDENTITY,
    user_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    currency TEXT NOT NULL,
    scale SMALLINT NOT NULL,
    nickname TEXT NOT NULL,
    language TEXT NOT NULL,
    email TEXT,
    first_name TEXT,
    last_name TEXT,
    blocked BOOLEAN DEFAULT false NOT NULL,
    excluded_until TIMESTAMP WITH TIME ZONE,
    limits JSONB,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_players PRIMARY KEY (player_id),
    CONSTRAINT ck_players_scale CHECK (scale BETWEEN 0 AND 8),
    CONSTRAINT ck_players_nickname_length CHECK (char_length(nickname) BETWEEN 3 AND 64),
    CONSTRAINT ck_players_user_id_length CHECK (char_length(user_id) BETWEEN 1 AND 250)
);
CREATE UNIQUE INDEX uq_players_user_id ON players (user_id);

CREATE TABLE wallets (
    player_id BIGINT NOT NULL,
    real NUMERIC(26, 8) DEFAULT 0 NOT NULL,
    bonus NUMERIC(26, 8) DEFAULT 0 NOT NULL,
    version BIGINT DEFAULT 0 NOT NULL,
    position BIGINT DEFAULT 0 NOT NULL,
    chain BYTEA NOT NULL,
    usage_day INTEGER DEFAULT 1 NOT NULL,
    stake_day NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    stake_week NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    stake_month NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    loss_day NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    loss_week NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    loss_month NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    has_refused_aborts BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_wallets PRIMARY KEY (player_id),
    CONSTRAINT fk_wallets_players FOREIGN KEY(player_id) REFERENCES players (player_id),
    CONSTRAINT ck_wallets_is_a_number CHECK (real <> 'NaN' AND bonus <> 'NaN'),
    CONSTRAINT ck_wallets_usage_is_a_number CHECK (
        stake_day + stake_week + stake_month + loss_day + loss_week + loss_month <> 'NaN'),
    CONSTRAINT ck_wallets_bonus_never_negative CHECK (bonus >= 0),
    CONSTRAINT ck_wallets_version CHECK (version >= 0 AND position >= version),
    CONSTRAINT ck_wallets_chain_length CHECK (octet_length(chain) = 32)
) WITH (fillfactor = 50);

CREATE TABLE sessions (
    player_id BIGINT NOT NULL,
    token_hash BYTEA NOT NULL,
    issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    life_seconds BIGINT,
    origin TEXT NOT NULL,
    CONSTRAINT pk_sessions PRIMARY KEY (player_id, token_hash),
    CONSTRAINT fk_sessions_players FOREIGN KEY(player_id) REFERENCES players (player_id),
    CONSTRAINT ck_sessions_token_hash_length CHECK (octet_length(token_hash) = 32),
    CONSTRAINT ck_sessions_origin CHECK (origin IN ('transfer', 'callback', 'console', 'platform'))
);

CREATE TABLE rounds (
    player_id BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    is_streamer BOOLEAN NOT NULL,
    currency TEXT NOT NULL,
    scale SMALLINT NOT NULL,
    game_id BIGINT,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    bets_placed INTEGER NOT NULL,
    bets_standing INTEGER NOT NULL,
    stake_real NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    stake_bonus NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    staked NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    paid NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    taken_back NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    cancels INTEGER NOT NULL,
    remainder NUMERIC(38, 8) DEFAULT 0 NOT NULL,
    settled BOOLEAN NOT NULL,
    refused_aborts NUMERIC(26, 8)[] NOT NULL,
    CONSTRAINT pk_rounds PRIMARY KEY (player_id, event_id, is_streamer),
    CONSTRAINT ck_rounds_event_id_length CHECK (char_length(event_id) BETWEEN 1 AND 250),
    CONSTRAINT ck_rounds_bets_standing CHECK (bets_standing BETWEEN 0 AND bets_placed),
    CONSTRAINT ck_rounds_stakes_never_negative CHECK (stake_real >= 0 AND stake_bonus >= 0),
    CONSTRAINT ck_rounds_stakes_within_staked CHECK (stake_real + stake_bonus <= staked),
    CONSTRAINT ck_rounds_taken_back_within_paid CHECK (taken_back BETWEEN 0 AND paid),
    CONSTRAINT ck_rounds_cancels CHECK (remainder >= 0 AND cancels >= 0),
    CONSTRAINT ck_rounds_is_a_number CHECK (
        stake_real + stake_bonus + staked + paid + taken_back + remainder <> 'NaN')
) WITH (fillfactor = 80);
CREATE INDEX ix_rounds_opened_at ON rounds (opened_at);
CREATE INDEX ix_rounds_player_id_opened_at ON rounds (player_id, opened_at)
    WHERE bets_placed > 0;

CREATE TABLE transaction_keys (
    source TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    facet TEXT NOT NULL,
    player_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    CONSTRAINT pk_transaction_keys PRIMARY KEY (source, transaction_id, facet),
        CONSTRAINT ck_transaction_keys_transaction_id_length CHECK (char_length(transaction_id)
        BETWEEN 1 AND 250)
);

CREATE TABLE movements (
    player_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    version BIGINT NOT NULL,
    source TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    facet TEXT NOT NULL,
    delivery UUID NOT NULL,
    event_type TEXT NOT NULL,
    direction TEXT NOT NULL,
    decision TEXT NOT NULL,
    currency TEXT NOT NULL,
    scale SMALLINT NOT NULL,
    amount NUMERIC(26, 8) NOT NULL,
    real_before NUMERIC(26, 8) NOT NULL,
    bonus_before NUMERIC(26, 8) NOT NULL,
    real_delta NUMERIC(26, 8) NOT NULL,
    bonus_delta NUMERIC(26, 8) NOT NULL,
    real_after NUMERIC(26, 8) NOT NULL,
    bonus_after NUMERIC(26, 8) NOT NULL,
    contra TEXT NOT NULL,
    event_id TEXT,
    game_id BIGINT,
    bonus_code TEXT,
    extra_data TEXT,
    reverses TEXT NOT NULL,
    flags TEXT NOT NULL,
    event_time TIMESTAMP WITH TIME ZONE NOT NULL,
    ledger_time TIMESTAMP WITH TIME ZONE NOT NULL,
    chain BYTEA NOT NULL,
    CONSTRAINT pk_movements PRIMARY KEY (player_id, position),
    CONSTRAINT ck_movements_direction CHECK (direction IN ('debit', 'credit')),
    CONSTRAINT ck_movements_version CHECK (position >= 1 AND version BETWEEN 0 AND position),
    CONSTRAINT ck_movements_amount_not_negative CHECK (amount >= 0 AND amount <> 'NaN'),
        CONSTRAINT ck_movements_scale CHECK (scale BETWEEN 0 AND 8 AND amount = trunc(amount,
        scale) AND real_delta = trunc(real_delta, scale) AND bonus_delta = trunc(bonus_delta,
        scale)),
        CONSTRAINT ck_movements_is_a_number CHECK (real_before <> 'NaN' AND bonus_before <>
        'NaN' AND real_after <> 'NaN' AND bonus_after <> 'NaN'),
        CONSTRAINT ck_movements_after_is_before_plus_delta CHECK (real_after = real_before +
        real_delta AND bonus_after = bonus_before + bonus_delta),
        CONSTRAINT ck_movements_delta_is_amount CHECK (CASE WHEN decision <> 'ACCEPTED' THEN
        real_delta = 0 AND bonus_delta = 0 WHEN direction = 'credit' THEN real_delta +
        bonus_delta = amount AND real_delta >= 0 AND bonus_delta >= 0 ELSE real_delta +
        bonus_delta = -amount AND real_delta <= 0 AND bonus_delta <= 0 END),
        CONSTRAINT ck_movements_event_type CHECK (event_type IN ('BetPlacing', 'Win', 'Lose',
        'BetPlacingAbort', 'BetPayedAbort', 'SportBetCancel', 'Tip', 'PromoWin', 'technicalFix',
        'DropAndWin', 'PromoStreamersDebit', 'PromoStreamersCredit',
        'PromoStreamersBetPlacingAbort', 'PromoStreamersBetPayedAbort', 'Deposit', 'Withdrawal',
        'BonusGrant', 'BonusRevoke')),
        CONSTRAINT ck_movements_decision CHECK (decision IN ('ACCEPTED', 'PLAYER_BLOCKED',
        'ALREADY_GIVEN_BACK', 'LIMIT_EXCEEDED', 'INSUFFICIENT_FUNDS')),
    CONSTRAINT ck_movements_event_type_and_direction CHECK (CASE direction WHEN 'debit' THEN
        event_type IN ('BetPlacing', 'BetPayedAbort', 'SportBetCancel', 'Tip', 'technicalFix',
        'PromoStreamersDebit', 'PromoStreamersBetPayedAbort', 'Withdrawal', 'BonusRevoke') OR
        (amount = 0 AND event_type IN ('Lose', 'PromoWin', 'DropAndWin')) ELSE event_type IN
        ('Win', 'Lose', 'BetPlacingAbort', 'PromoWin', 'technicalFix', 'DropAndWin',
        'PromoStreamersCredit', 'PromoStreamersBetPlacingAbort', 'Deposit', 'BonusGrant')
        END),
    CONSTRAINT ck_movements_bonus_never_negative CHECK (bonus_after >= 0),
        CONSTRAINT ck_movements_no_overdraft CHECK (real_after >= least(real_before, 0) OR
        event_type = 'SportBetCancel'),
    CONSTRAINT ck_movements_chain_length CHECK (octet_length(chain) = 32)
);
CREATE INDEX ix_movements_ledger_time ON movements USING brin (ledger_time);
CREATE INDEX ix_movements_player_id_event_id ON movements (player_id, event_id);

CREATE TABLE refusals (
    user_id TEXT NOT NULL,
    refusal_id BIGINT GENERATED ALWAYS AS IDENTITY,
    source TEXT NOT NULL,
    operation TEXT NOT NULL,
    transaction_id TEXT,
    event_id TEXT,
    event_type TEXT,
    direction TEXT,
    amount TEXT,
    refusal TEXT NOT NULL,
    reason TEXT NOT NULL,
    differs TEXT,
    asked TEXT,
    delivery UUID NOT NULL,
    event_time TIMESTAMP WITH TIME ZONE NOT NULL,
    ledger_time TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_refusals PRIMARY KEY (user_id, refusal_id)
);
CREATE INDEX ix_refusals_ledger_time ON refusals USING brin (ledger_time);
CREATE INDEX ix_refusals_transaction_id ON refusals (transaction_id);

CREATE TABLE unanswered (
    player_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    told_at TIMESTAMP WITH TIME ZONE NOT NULL,
    came_back_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_unanswered PRIMARY KEY (player_id, position)
);

CREATE TABLE maintenance_notices (
    notice_id BIGINT GENERATED ALWAYS AS IDENTITY,
    status TEXT NOT NULL,
    batch_id TEXT,
    game_ids JSONB,
    additions JSONB,
    brand_name TEXT,
    countries JSONB,
    currencies JSONB,
    provider_ids JSONB,
    body TEXT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_maintenance_notices PRIMARY KEY (notice_id)
);

CREATE TABLE ledger_settings (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    CONSTRAINT pk_ledger_settings PRIMARY KEY (name)
);
"""

APPEND_ONLY = (
    "movements",
    "transaction_keys",
    "refusals",
    "maintenance_notices",
    "ledger_settings",
)

FORBID_CHANGE = """
CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % is not allowed', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
"""

ROLES = """
DO $$
DECLARE
    missing text;
BEGIN
    FOREACH missing IN ARRAY ARRAY['wallet_service', 'wallet_ops'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = missing) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', missing);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE EXCEPTION
                    'role % is missing and % may not create it: ask a superuser for CREATE ROLE %',
                    missing, current_user, missing;
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- another migration of the same cluster was faster
            END;
        END IF;
    END LOOP;
END
$$;
"""

PRIVILEGES = """
GRANT USAGE ON SCHEMA public TO wallet_service;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO wallet_service;
GRANT INSERT ON players, wallets, sessions, rounds, transaction_keys, movements, refusals,
    unanswered, maintenance_notices, ledger_settings TO wallet_service;
GRANT UPDATE ON players, wallets, sessions, rounds, unanswered TO wallet_service;
GRANT USAGE ON SCHEMA ops TO wallet_ops;
GRANT SELECT ON ALL TABLES IN SCHEMA ops TO wallet_ops;
"""

ENTRIES = """
CREATE SCHEMA ops;

CREATE VIEW ops.entries AS
SELECT m.player_id, m.position, m.ledger_time, m.event_type, m.currency, e.account, e.amount
FROM public.movements m
CROSS JOIN LATERAL (VALUES
    (format('player:%s:real', m.player_id), m.real_delta),
    (format('player:%s:bonus', m.player_id), m.bonus_delta),
    (m.contra, -(m.real_delta + m.bonus_delta))
) AS e (account, amount)
WHERE m.decision = 'ACCEPTED';

COMMENT ON VIEW ops.entries IS
    'Double entry: every accepted movement as three entries that sum to zero in its currency';

CREATE VIEW ops.house_accounts AS
SELECT contra AS account, currency, -sum(real_delta + bonus_delta) AS balance, count(*) AS movements
FROM public.movements
WHERE decision = 'ACCEPTED'
GROUP BY contra, currency;

COMMENT ON VIEW ops.house_accounts IS
    'What each house account holds: a sum over the journal, never a row that is updated';
"""


def _execute_each(script: str) -> None:
    for statement in script.split(";\n"):
        if statement.strip():
            op.execute(statement)


def upgrade() -> None:
    """Make everything."""
    op.execute(ROLES)
    _execute_each(TABLES)
    op.execute(FORBID_CHANGE)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
        )
    _execute_each(ENTRIES)
    _execute_each(PRIVILEGES)


def downgrade() -> None:
    """Remove everything but the roles, which other databases of the cluster may use."""
    op.execute("DROP SCHEMA ops CASCADE")
    op.execute(
        "DROP TABLE ledger_settings, maintenance_notices, unanswered, refusals, movements,"
        " transaction_keys, rounds, sessions, wallets, players"
    )
    op.execute("DROP FUNCTION forbid_change()")
    op.execute("REVOKE USAGE ON SCHEMA public FROM wallet_service")
