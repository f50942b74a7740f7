-- One row a movement, with what it counts as: a page adds up a part of a day, where the daily views
-- add up whole days.
CREATE VIEW ops.counted_movements AS
SELECT m.ledger_time,
       m.event_time,
       w.agent,
       m.currency,
       m.game_id,
       m.player_id,
       e.part = 'bet' AND e.counts_as = 'turnover' AS is_bet,
       e.is_streamer,
       CASE WHEN e.counts_as = 'turnover' THEN -v.gained ELSE v.again END AS turnover,
       CASE WHEN e.counts_as = 'payments' THEN v.gained + v.again ELSE 0 END AS payments,
       CASE WHEN e.counts_as = 'bonuses' THEN v.gained ELSE 0 END AS bonuses,
       CASE WHEN e.counts_as = 'promotions' THEN v.gained ELSE 0 END AS promotions,
       CASE WHEN e.counts_as = 'deposits' THEN v.gained ELSE 0 END AS deposits,
       CASE WHEN e.counts_as = 'withdrawals' THEN -v.gained ELSE 0 END AS withdrawals
FROM public.movements m
JOIN public.wallets w ON w.player_id = m.player_id AND w.agent <> 'simulator'
JOIN public.event_types e ON e.event_type = m.event_type
CROSS JOIN LATERAL (
    SELECT round(m.real_delta + m.bonus_delta, m.scale) AS gained,
           CASE WHEN m.reverses <> '' AND e.part = 'cancel' AND EXISTS (
                    SELECT FROM public.movements undone
                    JOIN public.event_types u ON u.event_type = undone.event_type
                    WHERE undone.player_id = m.player_id AND u.part = 'abort'
                        AND undone.position = split_part(m.reverses, '/', 1)::bigint)
                THEN round(m.amount, m.scale) ELSE 0 END AS again
) AS v
WHERE m.decision = 'ACCEPTED';

COMMENT ON VIEW ops.counted_movements IS
    'Every accepted movement with the figures it counts in, as ops.daily_movements adds them up: for a part of a day';
COMMENT ON COLUMN ops.counted_movements.ledger_time IS 'When it was decided, by the ledger''s clock';
COMMENT ON COLUMN ops.counted_movements.event_time IS 'When the request arrived here';
COMMENT ON COLUMN ops.counted_movements.agent IS 'The operator''s platform whose player it is';
COMMENT ON COLUMN ops.counted_movements.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.counted_movements.game_id IS 'The game; null: none was named';
COMMENT ON COLUMN ops.counted_movements.player_id IS 'Our own number for the player';
COMMENT ON COLUMN ops.counted_movements.is_bet IS 'Whether it is a bet of a player''s own money';
COMMENT ON COLUMN ops.counted_movements.is_streamer IS
    'Whether it is streamer money, which no figure of revenue contains';
COMMENT ON COLUMN ops.counted_movements.turnover IS 'Stakes, less those that were given back';
COMMENT ON COLUMN ops.counted_movements.payments IS 'Winnings, less those that were taken back';
COMMENT ON COLUMN ops.counted_movements.bonuses IS 'Bonus money granted, less what was revoked';
COMMENT ON COLUMN ops.counted_movements.promotions IS 'Prizes of promotions';
COMMENT ON COLUMN ops.counted_movements.deposits IS 'Money that players brought';
COMMENT ON COLUMN ops.counted_movements.withdrawals IS 'Money that players took out';
