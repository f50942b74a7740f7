-- Players with live tokens, and movements behind them: set-based, and as lawful as played ones.
-- Every player begins with a deposit; `movements - 1` bets and wins follow it, in rounds of two.
-- The tokens can be computed from the player's number, so that the load needs no list of them.

CREATE OR REPLACE FUNCTION bench_players(players integer, movements integer)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place integer;
BEGIN
    INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at)
    SELECT 'player-' || lpad(n::text, 6, '0'), 'bench', 'USD', 2, 'nick-' || n, 'en', now()
    FROM generate_series(0, players - 1) AS n;

    INSERT INTO sessions (player_id, token_hash, issued_at, expires_at, origin)
    SELECT player_id, sha256(('token-' || right(user_id, 6) || repeat('x', 31))::bytea), now(),
           now() + interval '1 year', 'callback'
    FROM players;

    CREATE TEMP TABLE standing ON COMMIT DROP AS
    SELECT player_id, 0::bigint AS position, 0::numeric AS real, decode(repeat('00', 32), 'hex') AS chain
    FROM players;

    FOR place IN 1 .. movements LOOP
        CREATE TEMP TABLE following ON COMMIT DROP AS
        WITH facts AS (
            SELECT s.player_id, s.chain, s.real AS real_before, place::bigint AS position,
                   CASE WHEN place = 1 THEN 'bench' ELSE 'callback' END AS source,
                   md5(s.player_id || '/' || place)::uuid::text AS transaction_id,
                   md5(place || ':' || s.player_id)::uuid AS delivery,
                   CASE WHEN place = 1 THEN 'Deposit' WHEN place % 2 = 0 THEN 'BetPlacing'
                        ELSE 'Win' END AS event_type,
                   CASE WHEN place % 2 = 0 THEN 'debit' ELSE 'credit' END AS direction,
                   CASE WHEN place = 1 THEN 1000000.00 WHEN place % 2 = 0 THEN 2.00
                        ELSE 1.50 END AS amount,
                   CASE WHEN place = 1 THEN 'house:cashier' ELSE 'house:games' END AS contra,
                   CASE WHEN place > 1 THEN 'past-' || s.player_id || '-' || place / 2 END AS event_id,
                   CASE WHEN place > 1 THEN 1037566 END AS game_id,
                   CASE WHEN place > 1 THEN '{"gameName":"a game of chance"}' END AS extra_data,
                   now() - interval '30 days' + place * interval '1 hour' AS at
            FROM standing s
        )
        SELECT f.*, CASE WHEN direction = 'debit' THEN -amount ELSE amount END AS delta,
               sha256(chain || convert_to(bench_canonical(
                   player_id, position, position, delivery, event_type, direction, 'ACCEPTED', 'USD',
                   2, amount, real_before,
                   CASE WHEN direction = 'debit' THEN -amount ELSE amount END, contra, game_id, '',
                   at, at, source, transaction_id, event_id, extra_data
               ), 'UTF8')) AS link
        FROM facts f;

        INSERT INTO movements (player_id, position, version, source, transaction_id, facet,
            delivery, event_type, direction, decision, currency, scale, amount, real_before,
            bonus_before, real_delta, bonus_delta, real_after, bonus_after, contra, event_id,
            game_id, extra_data, reverses, flags, event_time, ledger_time, chain)
        SELECT player_id, position, position, source, transaction_id, '', delivery, event_type,
            direction, 'ACCEPTED', 'USD', 2, amount, real_before, 0, delta, 0, real_before + delta,
            0, contra, event_id, game_id, extra_data, '', '', at, at, link
        FROM following;

        INSERT INTO transaction_keys (source, transaction_id, facet, player_id, position)
        SELECT source, transaction_id, '', player_id, position FROM following;

        IF place > 1 AND place % 2 = 0 THEN
            INSERT INTO rounds (player_id, event_id, is_streamer, agent, currency, scale, game_id,
                opened_at, last_at, bets_placed, bets_standing, stake_real, staked, paid, cancels,
                settled, refused_aborts)
            SELECT player_id, event_id, false, 'bench', 'USD', 2, game_id, at, at, 1, 1, amount, amount,
                CASE WHEN place < movements THEN 1.50 ELSE 0 END, 0, place < movements, '{}'
            FROM following;
        END IF;

        TRUNCATE standing;
        INSERT INTO standing SELECT player_id, position, real_before + delta, link FROM following;
        DROP TABLE following;
    END LOOP;

    INSERT INTO wallets (player_id, real, version, position, chain, agent, currency, scale)
    SELECT player_id, real, position, position, chain, 'bench', 'USD', 2 FROM standing;
END
$$;
