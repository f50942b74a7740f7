-- The zone whose calendar days limits count in. A ledger that has players counted UTC days so far.
ALTER TABLE decision_settings ADD COLUMN limit_zone text;

UPDATE decision_settings SET limit_zone = 'UTC' WHERE EXISTS (SELECT FROM players);

DROP FUNCTION remember_decision_settings_v1;

CREATE FUNCTION remember_decision_settings_v2(
    first_key_scope text, first_stake_order text, first_overtaken_bet text,
    first_overtaken_seconds integer, first_limit_zone text
) RETURNS SETOF decision_settings LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
BEGIN
    UPDATE decision_settings SET
        key_scope = coalesce(key_scope, first_key_scope),
        stake_order = coalesce(stake_order, first_stake_order),
        overtaken_bet = coalesce(overtaken_bet, first_overtaken_bet),
        overtaken_seconds = coalesce(overtaken_seconds, first_overtaken_seconds),
        limit_zone = coalesce(limit_zone, first_limit_zone)
    WHERE num_nulls(key_scope, stake_order, overtaken_bet, overtaken_seconds, limit_zone) > 0;
    RETURN QUERY SELECT * FROM decision_settings;
END
$$;

-- What counts towards limits of deposits and of products. A row is made when a player's first limit
-- of its kind is set, and rides on their wallet's revision from then on.
CREATE TABLE limit_counters (
    player_id bigint NOT NULL,
    counter text NOT NULL,
    counted_on integer NOT NULL,
    day numeric(38, 8) DEFAULT 0 NOT NULL,
    week numeric(38, 8) DEFAULT 0 NOT NULL,
    month numeric(38, 8) DEFAULT 0 NOT NULL,
    CONSTRAINT pk_limit_counters PRIMARY KEY (player_id, counter),
    CONSTRAINT ck_limit_counters_is_a_number CHECK (day + week + month <> 'NaN')
);

-- Which limit refused a movement, for as long as the movement's outcome is told.
CREATE TABLE limit_hits (
    player_id bigint NOT NULL,
    position bigint NOT NULL,
    limit_name text NOT NULL,
    limit_amount numeric(26, 8) NOT NULL,
    used numeric(38, 8) NOT NULL,
    CONSTRAINT pk_limit_hits PRIMARY KEY (player_id, position),
    CONSTRAINT ck_limit_hits_limit_amount CHECK (limit_amount >= 0 AND limit_amount <> 'NaN'),
    CONSTRAINT ck_limit_hits_used CHECK (used <> 'NaN')
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON limit_hits
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

-- Which product a game belongs to, from when on. A bet keeps the product that its game had.
CREATE TABLE game_names (
    game_id bigint NOT NULL,
    since timestamptz NOT NULL,
    product text NOT NULL,
    source text NOT NULL,
    CONSTRAINT pk_game_names PRIMARY KEY (game_id, since),
    CONSTRAINT ck_game_names_product CHECK (product ~ '^[a-z][a-z0-9_-]{0,31}$')
);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON game_names
    FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

GRANT SELECT, INSERT, UPDATE (counted_on, day, week, month) ON limit_counters TO wallet_service;
GRANT SELECT, INSERT ON limit_hits, game_names TO wallet_service;
