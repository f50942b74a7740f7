-- A figure is chosen by what an event type counts as, never by its name: every type counts as
-- something, so none can be missing. What simulated players play counts in none of them.

CREATE VIEW ops.stakes_again AS
SELECT m.ledger_time,
       (m.ledger_time AT TIME ZONE 'UTC')::date AS day,
       p.user_id,
       p.currency,
       m.game_id,
       m.event_id,
       m.event_type,
       round(m.amount, p.scale) AS amount,
       m.transaction_id,
       p.player_id
FROM public.movements m
JOIN public.event_types e ON e.event_type = m.event_type
JOIN public.players p ON p.player_id = m.player_id
JOIN public.movements undone ON undone.player_id = m.player_id
    AND undone.position = split_part(m.reverses, '/', 1)::bigint
JOIN public.event_types u ON u.event_type = undone.event_type
WHERE m.decision = 'ACCEPTED' AND m.reverses <> '' AND e.part = 'cancel' AND u.part = 'abort'
    AND p.agent <> 'simulator';

COMMENT ON VIEW ops.stakes_again IS
    'SportBetCancels that undid an abort. Such a one takes no payment back: it places the stake again, and counts so in every figure';
COMMENT ON COLUMN ops.stakes_again.ledger_time IS 'When it was accepted';
COMMENT ON COLUMN ops.stakes_again.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.stakes_again.user_id IS 'The player';
COMMENT ON COLUMN ops.stakes_again.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.stakes_again.game_id IS 'The game';
COMMENT ON COLUMN ops.stakes_again.event_id IS 'The sports bet';
COMMENT ON COLUMN ops.stakes_again.event_type IS 'The kind of movement that undid the abort';
COMMENT ON COLUMN ops.stakes_again.amount IS 'The stake';
COMMENT ON COLUMN ops.stakes_again.transaction_id IS 'The id under which it was asked for';
COMMENT ON COLUMN ops.stakes_again.player_id IS 'Our own number for the player';

CREATE VIEW ops.daily_movements AS
SELECT t.day,
       t.currency,
       t.game_id,
       t.event_type,
       e.counts_as,
       e.is_streamer,
       t.movements,
       CASE WHEN e.part = 'bet' AND e.counts_as = 'turnover' THEN t.movements ELSE 0 END AS bets,
       round(t.amount, t.scale) AS amount,
       round(v.turnover, t.scale) AS turnover,
       round(v.payments, t.scale) AS payments,
       round(v.turnover - v.payments, t.scale) AS ggr,
       round(v.bonuses, t.scale) AS bonuses,
       round(v.promotions, t.scale) AS promotions,
       round(v.turnover - v.payments - v.bonuses - v.promotions, t.scale) AS ngr,
       round(v.tips, t.scale) AS tips,
       round(v.corrections, t.scale) AS corrections,
       round(v.adjustments, t.scale) AS adjustments,
       round(v.imports, t.scale) AS imports,
       round(v.deposits, t.scale) AS deposits,
       round(v.withdrawals, t.scale) AS withdrawals,
       round(v.pending, t.scale) AS pending
FROM (
    SELECT g.day, g.currency, g.game_id, g.event_type, max(g.scale) AS scale,
           sum(g.movements) AS movements, sum(g.amount) AS amount, sum(g.gained) AS gained,
           sum(g.again) AS again
    FROM (
        SELECT (m.ledger_time AT TIME ZONE 'UTC')::date AS day, m.currency, m.game_id,
               m.event_type, max(m.scale) AS scale, count(*) AS movements,
               sum(m.amount) AS amount, sum(m.real_delta + m.bonus_delta) AS gained, 0 AS again
        FROM public.movements m
        WHERE m.decision = 'ACCEPTED' AND NOT EXISTS (
            SELECT FROM ops.simulated_players s WHERE s.player_id = m.player_id)
        GROUP BY (m.ledger_time AT TIME ZONE 'UTC')::date, m.currency, m.game_id, m.event_type
        UNION ALL
        SELECT s.day, s.currency, s.game_id, s.event_type, 0, 0, 0, 0, s.amount
        FROM ops.stakes_again s
    ) AS g
    GROUP BY g.day, g.currency, g.game_id, g.event_type
) AS t
JOIN public.event_types e ON e.event_type = t.event_type
CROSS JOIN LATERAL (
    SELECT CASE e.counts_as WHEN 'turnover' THEN -t.gained
                            WHEN 'payments' THEN t.again ELSE 0 END AS turnover,
           CASE e.counts_as WHEN 'payments' THEN t.gained + t.again ELSE 0 END AS payments,
           CASE e.counts_as WHEN 'bonuses' THEN t.gained ELSE 0 END AS bonuses,
           CASE e.counts_as WHEN 'promotions' THEN t.gained ELSE 0 END AS promotions,
           CASE e.counts_as WHEN 'tips' THEN -t.gained ELSE 0 END AS tips,
           CASE e.counts_as WHEN 'corrections' THEN t.gained ELSE 0 END AS corrections,
           CASE e.counts_as WHEN 'adjustments' THEN t.gained ELSE 0 END AS adjustments,
           CASE e.counts_as WHEN 'imports' THEN t.gained ELSE 0 END AS imports,
           CASE e.counts_as WHEN 'deposits' THEN t.gained ELSE 0 END AS deposits,
           CASE WHEN e.counts_as <> 'withdrawals' THEN 0
                WHEN e.moves_from IS NULL THEN -t.gained ELSE t.amount END AS withdrawals,
           CASE WHEN e.counts_as = 'pending' THEN -t.gained
                WHEN e.moves_from = 'house:pending' THEN -t.amount ELSE 0 END AS pending
) AS v;

COMMENT ON VIEW ops.daily_movements IS
    'Money by day, currency, game and event type. A movement counts on the UTC day of its ledger_time, so that a closed day never changes: a bet given back tomorrow lowers tomorrow''s turnover. Streamer movements are here with is_streamer, and all the sums of play are 0 for them';
COMMENT ON COLUMN ops.daily_movements.day IS 'The UTC day on which the ledger decided';
COMMENT ON COLUMN ops.daily_movements.currency IS
    'The currency; sums of different currencies are never mixed';
COMMENT ON COLUMN ops.daily_movements.game_id IS
    'The game; one and the same for all sports bets; null where no game is named';
COMMENT ON COLUMN ops.daily_movements.event_type IS 'What moved the money, as the contracts spell it';
COMMENT ON COLUMN ops.daily_movements.counts_as IS
    'The figure it counts in: turnover, payments, bonuses, promotions, tips, corrections, adjustments, imports, deposits, withdrawals or pending; streamer_turnover and streamer_payments stand in ops.daily_streamer_revenue';
COMMENT ON COLUMN ops.daily_movements.is_streamer IS
    'Whether it is streamer money, which no figure of revenue contains';
COMMENT ON COLUMN ops.daily_movements.movements IS 'How many movements were accepted';
COMMENT ON COLUMN ops.daily_movements.bets IS 'How many of them were bets';
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
COMMENT ON COLUMN ops.daily_movements.adjustments IS
    'What two people of the operator moved by hand, what players gained less what they lost: in no other figure';
COMMENT ON COLUMN ops.daily_movements.imports IS
    'What came in from another wallet, balances less open bets: no figure of play contains it';
COMMENT ON COLUMN ops.daily_movements.deposits IS 'What players paid in';
COMMENT ON COLUMN ops.daily_movements.withdrawals IS 'What players took out';
COMMENT ON COLUMN ops.daily_movements.pending IS
    'Withdrawals that began, less those that were paid out or given back';

CREATE VIEW ops.daily_revenue AS
SELECT day,
       currency,
       game_id,
       sum(bets) AS bets,
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
WHERE NOT is_streamer AND counts_as NOT IN ('deposits', 'withdrawals', 'pending', 'adjustments', 'imports')
GROUP BY day, currency, game_id;

COMMENT ON VIEW ops.daily_revenue IS
    'Turnover, GGR and NGR by day, currency and game; streamer money, the cashier, adjustments and imports left out. The terms and the day are those of ops.daily_movements';
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
           -sum(CASE e.counts_as WHEN 'streamer_turnover' THEN m.real_delta + m.bonus_delta
                                 ELSE 0 END) AS staked,
           sum(CASE e.counts_as WHEN 'streamer_payments' THEN m.real_delta + m.bonus_delta
                                ELSE 0 END) AS paid
    FROM public.movements m
    JOIN public.event_types e ON e.event_type = m.event_type
    WHERE m.decision = 'ACCEPTED' AND e.is_streamer AND NOT EXISTS (
        SELECT FROM ops.simulated_players s WHERE s.player_id = m.player_id)
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

-- One aggregate over the movements, by the player's number alone: longer keys, and a subquery for
-- each row, made PostgreSQL sort millions of movements, by one process. What a player has no movement
-- of is null until the end. A movement is in its player's currency, which the audit holds.
CREATE VIEW ops.daily_players AS
SELECT t.day,
       t.user_id,
       t.currency,
       t.movements AS movements,
       t.bets AS bets,
       round(v.turnover, t.scale) AS turnover,
       round(v.payments, t.scale) AS payments,
       round(v.turnover - v.payments, t.scale) AS ggr,
       round(v.bonuses, t.scale) AS bonuses,
       round(v.promotions, t.scale) AS promotions,
       round(v.turnover - v.payments - v.bonuses - v.promotions, t.scale) AS ngr,
       round(v.deposits, t.scale) AS deposits,
       round(v.withdrawals, t.scale) AS withdrawals
FROM (
    SELECT g.day, g.player_id, g.user_id, g.currency, g.scale,
           sum(g.movements) AS movements, sum(g.bets) AS bets, sum(g.turnover) AS turnover,
           sum(g.payments) AS payments, sum(g.bonuses) AS bonuses,
           sum(g.promotions) AS promotions, sum(g.deposits) AS deposits,
           sum(g.withdrawals) AS withdrawals
    FROM (
        SELECT (m.ledger_time AT TIME ZONE 'UTC')::date AS day, p.player_id, p.user_id,
               p.currency, p.scale, count(*) AS movements,
               count(*) FILTER (WHERE e.part = 'bet' AND e.counts_as = 'turnover') AS bets,
               -sum(m.real_delta + m.bonus_delta) FILTER (WHERE e.counts_as = 'turnover') AS turnover,
               sum(m.real_delta + m.bonus_delta) FILTER (WHERE e.counts_as = 'payments') AS payments,
               sum(m.real_delta + m.bonus_delta) FILTER (WHERE e.counts_as = 'bonuses') AS bonuses,
               sum(m.real_delta + m.bonus_delta) FILTER (WHERE e.counts_as = 'promotions') AS promotions,
               sum(m.real_delta + m.bonus_delta) FILTER (WHERE e.counts_as = 'deposits') AS deposits,
               sum(CASE WHEN e.moves_from IS NULL THEN -(m.real_delta + m.bonus_delta)
                        ELSE m.amount END)
                   FILTER (WHERE e.counts_as = 'withdrawals') AS withdrawals
        FROM public.movements m
        JOIN public.event_types e ON e.event_type = m.event_type AND NOT e.is_streamer
        JOIN public.players p ON p.player_id = m.player_id AND p.agent <> 'simulator'
        WHERE m.decision = 'ACCEPTED'
        GROUP BY (m.ledger_time AT TIME ZONE 'UTC')::date, p.player_id
        UNION ALL
        SELECT s.day, s.player_id, s.user_id, s.currency, p.scale, 0, 0, s.amount, s.amount,
               NULL, NULL, NULL, NULL
        FROM ops.stakes_again s
        JOIN public.players p ON p.player_id = s.player_id
    ) AS g
    GROUP BY g.day, g.player_id, g.user_id, g.currency, g.scale
) AS t
CROSS JOIN LATERAL (
    SELECT coalesce(t.turnover, 0) AS turnover, coalesce(t.payments, 0) AS payments,
           coalesce(t.bonuses, 0) AS bonuses, coalesce(t.promotions, 0) AS promotions,
           coalesce(t.deposits, 0) AS deposits, coalesce(t.withdrawals, 0) AS withdrawals
) AS v;

COMMENT ON VIEW ops.daily_players IS
    'What each player did on each day with a movement; the terms and the day are those of ops.daily_movements, streamer money left out';
COMMENT ON COLUMN ops.daily_players.day IS 'The UTC day on which the ledger decided';
COMMENT ON COLUMN ops.daily_players.user_id IS 'The player';
COMMENT ON COLUMN ops.daily_players.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.daily_players.movements IS 'How many of their movements were accepted';
COMMENT ON COLUMN ops.daily_players.bets IS 'How many bets they placed';
COMMENT ON COLUMN ops.daily_players.turnover IS 'His stakes placed, less given back';
COMMENT ON COLUMN ops.daily_players.payments IS 'What they were paid, less reversals';
COMMENT ON COLUMN ops.daily_players.ggr IS 'What the operator won from them: turnover less payments';
COMMENT ON COLUMN ops.daily_players.bonuses IS 'Bonuses granted to them, less revoked';
COMMENT ON COLUMN ops.daily_players.promotions IS 'Prizes of promotions they won';
COMMENT ON COLUMN ops.daily_players.ngr IS 'ggr less bonuses and promotions';
COMMENT ON COLUMN ops.daily_players.deposits IS 'What they paid in';
COMMENT ON COLUMN ops.daily_players.withdrawals IS 'What they took out';
