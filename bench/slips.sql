-- Sports bets with slips of one to four legs, each settled: two movements a slip, numbered or not.
-- What the projector reads is as in a journal that was played; chains and pockets are not proven.

CREATE OR REPLACE FUNCTION bench_slips(first bigint, count bigint) RETURNS void LANGUAGE sql AS $$
    WITH players_by_number AS (
        SELECT player_id, row_number() OVER (ORDER BY player_id) - 1 AS n FROM players
    ), slips AS (
        SELECT s, p.player_id, 1000 + 2 * (s / (SELECT count(*) FROM players)) AS position,
               1 + s % 4 AS legs, 's-' || s AS slip_id, 'sport-' || s AS event_id
        FROM generate_series(first, first + count - 1) AS s
        JOIN players_by_number p ON p.n = s % (SELECT count(*) FROM players)
    ), texts AS (
        SELECT *, jsonb_build_object(
            'betslip', jsonb_build_object(
                'id', slip_id, 'type', legs || '/' || legs, 'sum', 1000, 'k', '3.375',
                'currency', 'USD', 'is_quick_bet', false, 'bets', (
                    SELECT jsonb_agg(jsonb_build_object(
                        'id', slip_id || '-' || l, 'event_id', ((s * 7 + l) % 5000)::text,
                        'sport_id', '1', 'category_id', '11', 'tournament_id', '111',
                        'sport_name', 'Soccer', 'category_name', 'England',
                        'tournament_name', 'Premier League', 'competitor_name',
                        jsonb_build_array('Home ' || l, 'Away ' || l), 'market_name', '1x2',
                        'outcome_name', 'Home', 'scheduled', 1795000000 + s % 100000, 'live', s % 3 = 0,
                        'odds', '1.50'))
                    FROM generate_series(1, legs) AS l)),
            'potential_win', 3375)::text AS bet,
            jsonb_build_object(
                'transaction', jsonb_build_object('operation', 'lost', 'betslip_id', slip_id),
                'selections', (
                    SELECT jsonb_agg(jsonb_build_object(
                        'id', slip_id || '-' || l, 'event_id', ((s * 7 + l) % 5000)::text,
                        'status', 'lost', 'odds', '1.50'))
                    FROM generate_series(1, legs) AS l))::text AS settlement
        FROM slips
    )
    INSERT INTO movements (player_id, position, version, source, transaction_id, facet, delivery,
        event_type, direction, decision, currency, scale, amount, real_before, bonus_before,
        real_delta, bonus_delta, real_after, bonus_after, contra, event_id, game_id, extra_data,
        reverses, flags, event_time, ledger_time, chain)
    SELECT player_id, position + m, position + m, 'callback', slip_id || '-' || m, '',
           gen_random_uuid(), CASE m WHEN 0 THEN 'BetPlacing' ELSE 'Lose' END,
           CASE m WHEN 0 THEN 'debit' ELSE 'credit' END, 'ACCEPTED', 'USD', 2, 10 * (1 - m), 100, 0,
           -10 * (1 - m), 0, 100 - 10 * (1 - m), 0, 'house:games', event_id, 1037566,
           CASE m WHEN 0 THEN bet ELSE settlement END, '', '', now(), now(), decode(repeat('00', 32), 'hex')
    FROM texts CROSS JOIN generate_series(0, 1) AS m
$$;
