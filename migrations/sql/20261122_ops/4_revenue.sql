CREATE VIEW ops.daily_movements AS
SELECT t.day,
       t.currency,
       t.game_id,
       t.event_type,
       t.is_streamer,
       t.movements,
       round(t.amount, t.scale) AS amount,
       round(v.turnover, t.scale) AS turnover,
       round(v.payments, t.scale) AS payments,
       round(v.turnover - v.payments, t.scale) AS ggr,
       round(v.bonuses, t.scale) AS bonuses,
       round(v.promotions, t.scale) AS promotions,
       round(v.turnover - v.payments - v.bonuses - v.promotions, t.scale) AS ngr,
       round(CASE WHEN t.event_type = 'Tip' THEN t.amount ELSE 0 END, t.scale) AS tips,
       round(CASE WHEN t.event_type = 'technicalFix' THEN t.gained ELSE 0 END, t.scale)
           AS corrections,
       round(CASE WHEN t.event_type = 'Deposit' THEN t.amount ELSE 0 END, t.scale) AS deposits,
       round(CASE WHEN t.event_type = 'Withdrawal' THEN t.amount ELSE 0 END, t.scale) AS withdrawals
FROM (
    SELECT (m.ledger_time AT TIME ZONE 'UTC')::date AS day, m.currency, m.game_id, m.event_type,
           m.contra = 'house:streamers' AS is_streamer, max(m.scale) AS scale,
           count(*) AS movements, sum(m.amount) AS amount,
           sum(m.real_delta + m.bonus_delta) AS gained,
           sum(CASE WHEN m.event_type = 'SportBetCancel' AND (
                   SELECT undone.event_type = 'BetPlacingAbort'
                   FROM public.movements undone
                   WHERE undone.player_id = m.player_id
                       AND undone.position = nullif(split_part(m.reverses, '/', 1), '')::bigint
               ) THEN m.amount ELSE 0 END) AS stands_again
    FROM public.movements m
    WHERE m.decision = 'ACCEPTED'
    GROUP BY (m.ledger_time AT TIME ZONE 'UTC')::date, m.currency, m.game_id, m.event_type,
             m.contra = 'house:streamers'
) AS t
CROSS JOIN LATERAL (
    SELECT CASE t.event_type
               WHEN 'BetPlacing' THEN t.amount
               WHEN 'BetPlacingAbort' THEN -t.amount
               WHEN 'SportBetCancel' THEN t.stands_again
               ELSE 0
           END AS turnover,
           CASE
               WHEN t.event_type IN ('Win', 'Lose') THEN t.amount
               WHEN t.event_type = 'BetPayedAbort' THEN -t.amount
               WHEN t.event_type = 'SportBetCancel' THEN t.stands_again - t.amount
               ELSE 0
           END AS payments,
           CASE WHEN t.event_type IN ('BonusGrant', 'BonusRevoke') THEN t.gained ELSE 0 END
               AS bonuses,
           CASE WHEN t.event_type IN ('PromoWin', 'DropAndWin') THEN t.gained ELSE 0 END
               AS promotions
) AS v;

COMMENT ON VIEW ops.daily_movements IS
    'Money by day, currency, game and event type. A movement counts on the UTC day of its ledger_time, so that a closed day never changes: a bet given back tomorrow lowers tomorrow''s turnover. Streamer movements are here with is_streamer, and all the sums of play are 0 for them';
COMMENT ON COLUMN ops.daily_movements.day IS 'The UTC day on which the ledger decided';
COMMENT ON COLUMN ops.daily_movements.currency IS
    'The currency; sums of different currencies are never mixed';
COMMENT ON COLUMN ops.daily_movements.game_id IS
    'The game; one and the same for all sports bets; null where no game is named';
COMMENT ON COLUMN ops.daily_movements.event_type IS 'What moved the money, as the contracts spell it';
COMMENT ON COLUMN ops.daily_movements.is_streamer IS
    'Whether it is streamer money, which no figure of revenue contains';
COMMENT ON COLUMN ops.daily_movements.movements IS 'How many movements were accepted';
COMMENT ON COLUMN ops.daily_movements.amount IS 'The sum of their amounts, whichever way they went';
COMMENT ON COLUMN ops.daily_movements.turnover IS
    'Stakes placed, less stakes given back; a stake counts from both pockets. A SportBetCancel that undoes an abort places the stake again';
COMMENT ON COLUMN ops.daily_movements.payments IS
    'Wins and other payments, less what BetPayedAbort and SportBetCancel took back';
COMMENT ON COLUMN ops.daily_movements.ggr IS 'Gross gaming revenue: turnover less payments';
COMMENT ON COLUMN ops.daily_movements.bonuses IS
    'Bonuses granted, less revoked: they cost when they are granted, so playing them later costs nothing again';
COMMENT ON COLUMN ops.daily_movements.promotions IS 'PromoWin and DropAndWin: prizes paid by promotions';
COMMENT ON COLUMN ops.daily_movements.ngr IS
    'Net gaming revenue: ggr less bonuses and promotions. Tips, corrections, fees and taxes are not in it';
COMMENT ON COLUMN ops.daily_movements.tips IS 'Tips to dealers: neither turnover nor revenue';
COMMENT ON COLUMN ops.daily_movements.corrections IS
    'technicalFix, what players gained less what they lost: not revenue, and worth a look each';
COMMENT ON COLUMN ops.daily_movements.deposits IS 'What players paid in';
COMMENT ON COLUMN ops.daily_movements.withdrawals IS 'What players took out';

CREATE VIEW ops.daily_revenue AS
SELECT day,
       currency,
       game_id,
       coalesce(sum(movements) FILTER (WHERE event_type = 'BetPlacing'), 0) AS bets,
       sum(turnover) AS turnover,
       sum(payments) AS payments,
       sum(ggr) AS ggr,
       CASE WHEN sum(turnover) > 0 THEN round(100 * sum(ggr) / sum(turnover), 2) END AS hold_percent,
       sum(bonuses) AS bonuses,
       sum(promotions) AS promotions,
       sum(ngr) AS ngr,
       sum(tips) AS tips,
       sum(corrections) AS corrections
FROM ops.daily_movements
WHERE NOT is_streamer AND event_type NOT IN ('Deposit', 'Withdrawal')
GROUP BY day, currency, game_id;

COMMENT ON VIEW ops.daily_revenue IS
    'Turnover, GGR and NGR by day, currency and game; streamer money and the cashier left out. The terms and the day are those of ops.daily_movements';
COMMENT ON COLUMN ops.daily_revenue.day IS 'The UTC day on which the ledger decided';
COMMENT ON COLUMN ops.daily_revenue.currency IS 'The currency';
COMMENT ON COLUMN ops.daily_revenue.game_id IS 'The game; null: what belongs to no game, such as bonuses';
COMMENT ON COLUMN ops.daily_revenue.bets IS 'How many bets were placed';
COMMENT ON COLUMN ops.daily_revenue.turnover IS 'Stakes placed, less given back';
COMMENT ON COLUMN ops.daily_revenue.payments IS 'Payments, less taken back';
COMMENT ON COLUMN ops.daily_revenue.ggr IS 'Gross gaming revenue: turnover less payments';
COMMENT ON COLUMN ops.daily_revenue.hold_percent IS
    'What part of the turnover stayed with the house: ggr of turnover, in percent; null without turnover';
COMMENT ON COLUMN ops.daily_revenue.bonuses IS
    'Bonuses granted, less revoked; granted to a player, not to a game, so with game_id null';
COMMENT ON COLUMN ops.daily_revenue.promotions IS 'Prizes of promotions';
COMMENT ON COLUMN ops.daily_revenue.ngr IS 'Net gaming revenue: ggr less bonuses and promotions';
COMMENT ON COLUMN ops.daily_revenue.tips IS 'Tips: neither turnover nor revenue';
COMMENT ON COLUMN ops.daily_revenue.corrections IS 'technicalFix, in favour of players: not revenue';

CREATE VIEW ops.daily_streamer_revenue AS
SELECT t.day,
       t.currency,
       t.game_id,
       round(t.staked, t.scale) AS turnover,
       round(t.paid, t.scale) AS payments,
       round(t.staked - t.paid, t.scale) AS result
FROM (
    SELECT (m.ledger_time AT TIME ZONE 'UTC')::date AS day, m.currency, m.game_id,
           max(m.scale) AS scale,
           -sum(CASE WHEN m.event_type IN ('PromoStreamersDebit', 'PromoStreamersBetPlacingAbort')
                     THEN m.real_delta + m.bonus_delta ELSE 0 END) AS staked,
           sum(CASE WHEN m.event_type IN ('PromoStreamersCredit', 'PromoStreamersBetPayedAbort')
                    THEN m.real_delta + m.bonus_delta ELSE 0 END) AS paid
    FROM public.movements m
    WHERE m.decision = 'ACCEPTED' AND m.contra = 'house:streamers'
    GROUP BY (m.ledger_time AT TIME ZONE 'UTC')::date, m.currency, m.game_id
) AS t;

COMMENT ON VIEW ops.daily_streamer_revenue IS
    'Streamer money by day, currency and game, kept out of every figure of revenue: the same sums, of PromoStreamers movements only';
COMMENT ON COLUMN ops.daily_streamer_revenue.day IS 'The UTC day on which the ledger decided';
COMMENT ON COLUMN ops.daily_streamer_revenue.currency IS 'The currency';
COMMENT ON COLUMN ops.daily_streamer_revenue.game_id IS 'The game';
COMMENT ON COLUMN ops.daily_streamer_revenue.turnover IS 'Streamer stakes placed, less given back';
COMMENT ON COLUMN ops.daily_streamer_revenue.payments IS 'Streamer credits, less taken back';
COMMENT ON COLUMN ops.daily_streamer_revenue.result IS 'Turnover less payments: never part of GGR or NGR';

CREATE VIEW ops.daily_players AS
SELECT t.day,
       t.user_id,
       t.currency,
       sum(t.movements) AS movements,
       coalesce(sum(t.movements) FILTER (WHERE t.event_type = 'BetPlacing'), 0) AS bets,
       round(sum(v.turnover), max(t.scale)) AS turnover,
       round(sum(v.payments), max(t.scale)) AS payments,
       round(sum(v.turnover - v.payments), max(t.scale)) AS ggr,
       round(sum(v.bonuses), max(t.scale)) AS bonuses,
       round(sum(v.promotions), max(t.scale)) AS promotions,
       round(sum(v.turnover - v.payments - v.bonuses - v.promotions), max(t.scale)) AS ngr,
       round(coalesce(sum(t.amount) FILTER (WHERE t.event_type = 'Deposit'), 0), max(t.scale))
           AS deposits,
       round(coalesce(sum(t.amount) FILTER (WHERE t.event_type = 'Withdrawal'), 0), max(t.scale))
           AS withdrawals
FROM (
    SELECT (m.ledger_time AT TIME ZONE 'UTC')::date AS day, p.user_id, m.currency, m.event_type,
           max(m.scale) AS scale, count(*) AS movements, sum(m.amount) AS amount,
           sum(m.real_delta + m.bonus_delta) AS gained,
           sum(CASE WHEN m.event_type = 'SportBetCancel' AND (
                   SELECT undone.event_type = 'BetPlacingAbort'
                   FROM public.movements undone
                   WHERE undone.player_id = m.player_id
                       AND undone.position = nullif(split_part(m.reverses, '/', 1), '')::bigint
               ) THEN m.amount ELSE 0 END) AS stands_again
    FROM public.movements m
    JOIN public.players p ON p.player_id = m.player_id
    WHERE m.decision = 'ACCEPTED' AND m.contra <> 'house:streamers'
    GROUP BY (m.ledger_time AT TIME ZONE 'UTC')::date, p.user_id, m.currency, m.event_type
) AS t
CROSS JOIN LATERAL (
    SELECT CASE t.event_type
               WHEN 'BetPlacing' THEN t.amount
               WHEN 'BetPlacingAbort' THEN -t.amount
               WHEN 'SportBetCancel' THEN t.stands_again
               ELSE 0
           END AS turnover,
           CASE
               WHEN t.event_type IN ('Win', 'Lose') THEN t.amount
               WHEN t.event_type = 'BetPayedAbort' THEN -t.amount
               WHEN t.event_type = 'SportBetCancel' THEN t.stands_again - t.amount
               ELSE 0
           END AS payments,
           CASE WHEN t.event_type IN ('BonusGrant', 'BonusRevoke') THEN t.gained ELSE 0 END
               AS bonuses,
           CASE WHEN t.event_type IN ('PromoWin', 'DropAndWin') THEN t.gained ELSE 0 END
               AS promotions
) AS v
GROUP BY t.day, t.user_id, t.currency;

COMMENT ON VIEW ops.daily_players IS
    'What each player did on each day he did anything; the terms and the day are those of ops.daily_movements, streamer money left out';
COMMENT ON COLUMN ops.daily_players.day IS 'The UTC day on which the ledger decided';
COMMENT ON COLUMN ops.daily_players.user_id IS 'The player';
COMMENT ON COLUMN ops.daily_players.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.daily_players.movements IS 'How many movements of his were accepted';
COMMENT ON COLUMN ops.daily_players.bets IS 'How many bets he placed';
COMMENT ON COLUMN ops.daily_players.turnover IS 'His stakes placed, less given back';
COMMENT ON COLUMN ops.daily_players.payments IS 'What he was paid, less taken back';
COMMENT ON COLUMN ops.daily_players.ggr IS 'What the house won from him: turnover less payments';
COMMENT ON COLUMN ops.daily_players.bonuses IS 'Bonuses granted to him, less revoked';
COMMENT ON COLUMN ops.daily_players.promotions IS 'Prizes of promotions he won';
COMMENT ON COLUMN ops.daily_players.ngr IS 'ggr less bonuses and promotions';
COMMENT ON COLUMN ops.daily_players.deposits IS 'What he paid in';
COMMENT ON COLUMN ops.daily_players.withdrawals IS 'What he took out';
