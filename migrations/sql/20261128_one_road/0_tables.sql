-- What decides about play stands on the wallet's row, and one revision proves it. The columns of the
-- same names in players stay until the release after this one, for processes of the release before.

ALTER TABLE wallets
    ADD COLUMN revision bigint DEFAULT 0 NOT NULL,
    ADD COLUMN agent text,
    ADD COLUMN currency text,
    ADD COLUMN scale smallint,
    ADD COLUMN blocked boolean DEFAULT false NOT NULL,
    ADD COLUMN excluded_until timestamptz,
    ADD COLUMN limits jsonb;

ALTER TABLE wallets ADD CONSTRAINT ck_wallets_scale CHECK (scale BETWEEN 0 AND 8) NOT VALID;

ALTER TABLE rounds ADD COLUMN has_early_aborts boolean DEFAULT false NOT NULL;

CREATE TABLE early_aborts (
    player_id bigint NOT NULL,
    event_id text NOT NULL,
    is_streamer boolean NOT NULL,
    transaction_id text NOT NULL,
    amount numeric(26, 8) NOT NULL,
    first_at timestamptz NOT NULL,
    state text NOT NULL,
    CONSTRAINT pk_early_aborts PRIMARY KEY (player_id, event_id, is_streamer, transaction_id),
    CONSTRAINT ck_early_aborts_amount CHECK (amount >= 0 AND amount <> 'NaN'),
    CONSTRAINT ck_early_aborts_state CHECK (
        state IN ('waiting', 'used', 'absorbed', 'settled'))
);

-- One row. Its values are remembered at the first start and changed by the schema's owner only.
CREATE TABLE decision_settings (
    is_the_only_row boolean DEFAULT true NOT NULL,
    rule_version integer NOT NULL,
    key_scope text,
    stake_order text,
    overtaken_bet text,
    overtaken_seconds integer,
    CONSTRAINT pk_decision_settings PRIMARY KEY (is_the_only_row),
    CONSTRAINT ck_decision_settings_is_the_only_row CHECK (is_the_only_row)
);

-- A ledger that nobody has used yet knows no release before this one.
INSERT INTO decision_settings (rule_version, key_scope)
SELECT CASE WHEN EXISTS (SELECT FROM players) THEN 1 ELSE 2 END,
       (SELECT value FROM ledger_settings WHERE name = 'key_scope');

CREATE TABLE decision_setting_changes (
    change_id bigint GENERATED ALWAYS AS IDENTITY,
    changed_at timestamptz NOT NULL,
    source text NOT NULL,
    name text NOT NULL,
    value_before text,
    value_after text NOT NULL,
    CONSTRAINT pk_decision_setting_changes PRIMARY KEY (change_id)
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON decision_setting_changes
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

-- Fills in what nobody has remembered yet, and tells what is remembered. The service may not change
-- the row in any other way.
CREATE FUNCTION remember_decision_settings_v1(
    first_key_scope text, first_stake_order text, first_overtaken_bet text,
    first_overtaken_seconds integer
) RETURNS SETOF decision_settings LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE decision_settings SET
        key_scope = coalesce(key_scope, first_key_scope),
        stake_order = coalesce(stake_order, first_stake_order),
        overtaken_bet = coalesce(overtaken_bet, first_overtaken_bet),
        overtaken_seconds = coalesce(overtaken_seconds, first_overtaken_seconds)
    WHERE num_nulls(key_scope, stake_order, overtaken_bet, overtaken_seconds) > 0;
    RETURN QUERY SELECT * FROM decision_settings;
END
$$;

GRANT SELECT, INSERT, UPDATE ON early_aborts TO wallet_service;
GRANT SELECT ON decision_settings, decision_setting_changes TO wallet_service;

-- Decisions of this release are lawful from now on; rows that are there already were checked.
ALTER TABLE movements DROP CONSTRAINT ck_movements_decision;
ALTER TABLE movements ADD CONSTRAINT ck_movements_decision CHECK (decision IN ('ACCEPTED',
    'PLAYER_BLOCKED', 'ALREADY_GIVEN_BACK', 'BET_OVERTAKEN', 'LIMIT_EXCEEDED',
    'INSUFFICIENT_FUNDS')) NOT VALID;
