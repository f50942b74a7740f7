-- No release has used the function and the type that are replaced here, so they go at once.

CREATE TYPE decision_settings_v2 AS (
    rule_version integer, key_scope text, stake_order text, overtaken_bet text,
    overtaken_seconds integer, limit_zone text
);

CREATE TYPE counter_row_v1 AS (
    player_id bigint, counter text, counted_on integer, day numeric, week numeric, month numeric
);

CREATE TYPE limit_hit_row_v1 AS (
    player_id bigint, position bigint, limit_name text, limit_amount numeric, used numeric
);

CREATE TYPE hold_row_v1 AS (
    player_id bigint, position bigint, source text, transaction_id text, amount numeric,
    state text, closed_position bigint
);

DROP FUNCTION record_movements_v1;

-- squawk-ignore ban-drop-type
DROP TYPE decision_settings_v1;
