-- What a batch asks and what it leaves behind travels as arrays of these rows, in PostgreSQL's own
-- text form. Their columns are told by their places: a row that needs another column is a new type
-- with the next version in its name, beside this one, which goes a release later.

CREATE TYPE question_row_v1 AS (
    user_id text, token bytea, source text, transaction_id text, event_id text,
    is_streamer boolean, needs_history boolean, may_need_history boolean
);

CREATE TYPE decision_settings_v1 AS (
    rule_version integer, key_scope text, stake_order text, overtaken_bet text,
    overtaken_seconds integer
);

CREATE TYPE wallet_row_v1 AS (
    player_id bigint, revision bigint, real numeric, bonus numeric, version bigint,
    position bigint, chain bytea, usage_day integer,
    stake_day numeric, stake_week numeric, stake_month numeric,
    loss_day numeric, loss_week numeric, loss_month numeric, has_refused_aborts boolean
);

CREATE TYPE journal_row_v1 AS (
    player_id bigint, position bigint, version bigint, source text, transaction_id text, facet text,
    delivery uuid, event_type text, direction text, decision text, currency text, scale smallint,
    amount numeric, real_before numeric, bonus_before numeric, real_delta numeric,
    bonus_delta numeric, contra text, event_id text, game_id bigint, bonus_code text,
    extra_data text, reverses text, flags text, event_time bigint, chain bytea
);

CREATE TYPE round_row_v1 AS (
    player_id bigint, event_id text, is_streamer boolean, agent text, currency text, scale smallint,
    game_id bigint, settled boolean, bets_placed integer, bets_open integer,
    stake_real numeric, stake_bonus numeric, staked numeric, paid numeric, taken_back numeric,
    cancels integer, uncovered numeric, has_early_aborts boolean, refused_aborts numeric[]
);

CREATE TYPE early_abort_row_v1 AS (
    player_id bigint, event_id text, is_streamer boolean, transaction_id text, amount numeric,
    first_at bigint, state text
);

CREATE TYPE refusal_row_v1 AS (
    user_id text, source text, operation text, transaction_id text, event_id text, event_type text,
    direction text, amount text, refusal text, reason text, differs text, asked text,
    delivery uuid, event_time bigint
);

CREATE TYPE session_row_v1 AS (player_id bigint, token_hash bytea, expires_at bigint);

CREATE TYPE position_row_v1 AS (player_id bigint, position bigint);
