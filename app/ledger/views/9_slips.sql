-- Amounts of a bet are the journal's, but for those that its slip alone can tell: told_stake,
-- potential_win, and the odds. What simulated players play is in ops.sport_bets and its like, and in
-- no figure.

CREATE VIEW ops.sport_bets AS
SELECT b.placed_at,
       (b.placed_at AT TIME ZONE 'UTC')::date AS day,
       p.user_id,
       b.event_id,
       b.slip_id,
       CASE WHEN b.picks IS NULL THEN CASE WHEN b.legs = 1 THEN 'single' END
            WHEN b.picks = 1 THEN 'single'
            WHEN b.wins_needed = b.picks THEN 'combo'
            ELSE 'system' END AS kind,
       b.wins_needed,
       b.picks,
       b.legs,
       b.live,
       b.currency,
       round(b.stake, b.scale) AS stake,
       round(b.stake_bonus, b.scale) AS stake_bonus,
       round(b.told_stake, b.scale) AS told_stake,
       b.total_odds,
       round(b.potential_win, b.scale) AS potential_win,
       b.status,
       b.said,
       round(b.turnover, b.scale) AS turnover,
       round(b.paid, b.scale) AS paid,
       round(b.turnover - b.paid, b.scale) AS ggr,
       round(b.cash_out, b.scale) AS cash_out,
       b.free_bet,
       b.bonus_id,
       round(b.bonus_cost, b.scale) AS bonus_cost,
       b.settlements,
       b.reopenings,
       b.last_leg_at,
       b.settled_at,
       b.is_quick,
       b.shape,
       b.fault,
       b.source,
       b.transaction_id,
       b.game_id,
       b.position,
       b.player_id
FROM public.sport_bets b
JOIN public.players p ON p.player_id = b.player_id;

COMMENT ON VIEW ops.sport_bets IS
    'Every sports bet as it stands, with what its slip says. wallet project writes it some moments after the journal; a bet whose slip was not sent or could not be read is here without legs';
COMMENT ON COLUMN ops.sport_bets.placed_at IS 'When it was placed';
COMMENT ON COLUMN ops.sport_bets.day IS 'The UTC day of placed_at';
COMMENT ON COLUMN ops.sport_bets.user_id IS 'The player';
COMMENT ON COLUMN ops.sport_bets.event_id IS 'The round that it was placed in';
COMMENT ON COLUMN ops.sport_bets.slip_id IS 'The sportsbook''s number of the slip';
COMMENT ON COLUMN ops.sport_bets.kind IS 'single; combo: all legs must win; system: some of them; null: nobody said';
COMMENT ON COLUMN ops.sport_bets.wins_needed IS 'How many legs must win: the k of k/n';
COMMENT ON COLUMN ops.sport_bets.picks IS 'How many legs the slip names: the n of k/n';
COMMENT ON COLUMN ops.sport_bets.legs IS 'How many legs are known, in ops.sport_legs';
COMMENT ON COLUMN ops.sport_bets.live IS 'live, prematch, or mixed, as its legs were when it was placed';
COMMENT ON COLUMN ops.sport_bets.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.sport_bets.stake IS 'What was debited; 0 for a free bet';
COMMENT ON COLUMN ops.sport_bets.stake_bonus IS 'Of that, from the bonus pocket';
COMMENT ON COLUMN ops.sport_bets.told_stake IS 'The stake that the slip names; of a free bet, what it is worth';
COMMENT ON COLUMN ops.sport_bets.total_odds IS 'The odds of the whole slip, exactly as sent';
COMMENT ON COLUMN ops.sport_bets.potential_win IS 'What it may win at most, as the slip says, boost included';
COMMENT ON COLUMN ops.sport_bets.status IS
    'open; won, lost, refunded, cashed_out: by the last settlement that stands; given_back: no stake stands';
COMMENT ON COLUMN ops.sport_bets.said IS 'The word of that settlement, as the sportsbook said it';
COMMENT ON COLUMN ops.sport_bets.turnover IS 'The stake, unless it was given back';
COMMENT ON COLUMN ops.sport_bets.paid IS 'What stands paid; below 0 where a SportBetCancel took more than that';
COMMENT ON COLUMN ops.sport_bets.ggr IS 'turnover less paid';
COMMENT ON COLUMN ops.sport_bets.cash_out IS 'Of what stands paid, by cash-outs';
COMMENT ON COLUMN ops.sport_bets.free_bet IS 'The kind of free bet, in the sportsbook''s words; null: an ordinary bet';
COMMENT ON COLUMN ops.sport_bets.bonus_id IS 'The bonus that it belongs to';
COMMENT ON COLUMN ops.sport_bets.bonus_cost IS
    'What is a bonus: all that a free bet won, and what a lost no-risk bet gave back. Through FUNGAMESS it is part of what stands paid';
COMMENT ON COLUMN ops.sport_bets.settlements IS 'How often it was settled';
COMMENT ON COLUMN ops.sport_bets.reopenings IS 'How often a SportBetCancel re-opened it';
COMMENT ON COLUMN ops.sport_bets.last_leg_at IS 'When its last match begins';
COMMENT ON COLUMN ops.sport_bets.settled_at IS 'When the settlement that stands came; null: it is open';
COMMENT ON COLUMN ops.sport_bets.is_quick IS 'Whether it was placed with one touch';
COMMENT ON COLUMN ops.sport_bets.shape IS 'betslip: with legs; short: the older shape, without; null: no slip';
COMMENT ON COLUMN ops.sport_bets.fault IS 'Why its slip could not be read';
COMMENT ON COLUMN ops.sport_bets.source IS 'By which contract it came';
COMMENT ON COLUMN ops.sport_bets.transaction_id IS 'The id of the movement that placed it';
COMMENT ON COLUMN ops.sport_bets.game_id IS 'The game';
COMMENT ON COLUMN ops.sport_bets.position IS 'The place of that movement in the player''s chain';
COMMENT ON COLUMN ops.sport_bets.player_id IS 'Our own number for the player';

CREATE VIEW ops.sport_legs AS
SELECT b.placed_at,
       (b.placed_at AT TIME ZONE 'UTC')::date AS day,
       p.user_id,
       b.event_id AS bet_event_id,
       b.slip_id,
       l.leg,
       l.event_id,
       l.sport,
       l.category,
       l.tournament,
       l.competitors,
       l.market,
       l.outcome,
       l.odds,
       l.scheduled_at,
       l.is_live,
       l.result,
       b.status AS bet_status,
       l.leg_id,
       l.sport_id,
       l.category_id,
       l.tournament_id,
       b.position,
       b.player_id
FROM public.sport_bets b
JOIN public.sport_legs l ON l.player_id = b.player_id AND l.position = b.position
    AND l.leg <= b.legs
JOIN public.players p ON p.player_id = b.player_id;

COMMENT ON VIEW ops.sport_legs IS
    'Every leg of every sports bet, as its slip tells it. Bets on one match are found by lower(event_id)';
COMMENT ON COLUMN ops.sport_legs.placed_at IS 'When the bet was placed';
COMMENT ON COLUMN ops.sport_legs.day IS 'The UTC day of placed_at';
COMMENT ON COLUMN ops.sport_legs.user_id IS 'The player';
COMMENT ON COLUMN ops.sport_legs.bet_event_id IS 'The round of the bet';
COMMENT ON COLUMN ops.sport_legs.slip_id IS 'The sportsbook''s number of the slip';
COMMENT ON COLUMN ops.sport_legs.leg IS 'Which leg of the slip, from 1';
COMMENT ON COLUMN ops.sport_legs.event_id IS 'The sportsbook''s number of the match';
COMMENT ON COLUMN ops.sport_legs.sport IS 'The sport';
COMMENT ON COLUMN ops.sport_legs.category IS 'The country or series';
COMMENT ON COLUMN ops.sport_legs.tournament IS 'The tournament';
COMMENT ON COLUMN ops.sport_legs.competitors IS 'Who plays';
COMMENT ON COLUMN ops.sport_legs.market IS 'What is bet on';
COMMENT ON COLUMN ops.sport_legs.outcome IS 'The outcome that was picked';
COMMENT ON COLUMN ops.sport_legs.odds IS 'Its odds, exactly as sent';
COMMENT ON COLUMN ops.sport_legs.scheduled_at IS 'When the match begins';
COMMENT ON COLUMN ops.sport_legs.is_live IS 'Whether it was being played when the bet was placed';
COMMENT ON COLUMN ops.sport_legs.result IS
    'What the settlement that stands says of it, in the sportsbook''s words; null: nothing yet';
COMMENT ON COLUMN ops.sport_legs.bet_status IS 'How the bet stands';
COMMENT ON COLUMN ops.sport_legs.leg_id IS 'The sportsbook''s number of the leg';
COMMENT ON COLUMN ops.sport_legs.sport_id IS 'The sportsbook''s number of the sport';
COMMENT ON COLUMN ops.sport_legs.category_id IS 'The sportsbook''s number of the category';
COMMENT ON COLUMN ops.sport_legs.tournament_id IS 'The sportsbook''s number of the tournament';
COMMENT ON COLUMN ops.sport_legs.position IS 'The place of the bet''s movement in the player''s chain';
COMMENT ON COLUMN ops.sport_legs.player_id IS 'Our own number for the player';

-- Each amount is divided by legs in minor units: leg i of n has div(i * amount, n) less what the legs
-- before it have, so that the parts add up to the amount, whichever its sign.
CREATE VIEW ops.sport_revenue AS
SELECT (b.placed_at AT TIME ZONE 'UTC')::date AS day,
       b.currency,
       l.sport,
       l.category,
       l.tournament,
       l.market,
       CASE l.is_live WHEN true THEN 'live' WHEN false THEN 'prematch' END AS live,
       coalesce(b.picks, nullif(b.legs, 0)) AS combo_length,
       b.game_id,
       count(*) FILTER (WHERE part.i = 1) AS bets,
       count(*) FILTER (WHERE part.n IS NOT NULL) AS legs,
       round(sum(part.turnover), max(b.scale)) AS turnover,
       round(sum(part.paid), max(b.scale)) AS payments,
       round(sum(part.turnover - part.paid), max(b.scale)) AS ggr,
       CASE WHEN sum(part.turnover) > 0
            THEN round(100 * sum(part.turnover - part.paid) / sum(part.turnover), 2)
       END AS margin_percent,
       round(sum(part.bonus_cost), max(b.scale)) AS bonus_cost
FROM public.sport_bets b
LEFT JOIN public.sport_legs l ON l.player_id = b.player_id AND l.position = b.position
    AND l.leg <= b.legs
CROSS JOIN LATERAL (SELECT power(10::numeric, b.scale) AS units) AS u
CROSS JOIN LATERAL (
    SELECT coalesce(l.leg, 1)::numeric AS i, nullif(b.legs, 0)::numeric AS n
) AS which
CROSS JOIN LATERAL (
    SELECT which.i, which.n,
           (div(which.i * b.turnover * u.units, coalesce(which.n, 1))
            - div((which.i - 1) * b.turnover * u.units, coalesce(which.n, 1))) / u.units AS turnover,
           (div(which.i * b.paid * u.units, coalesce(which.n, 1))
            - div((which.i - 1) * b.paid * u.units, coalesce(which.n, 1))) / u.units AS paid,
           (div(which.i * b.bonus_cost * u.units, coalesce(which.n, 1))
            - div((which.i - 1) * b.bonus_cost * u.units, coalesce(which.n, 1))) / u.units AS bonus_cost
) AS part
WHERE NOT EXISTS (
    SELECT FROM ops.simulated_players s WHERE s.player_id = b.player_id)
GROUP BY (b.placed_at AT TIME ZONE 'UTC')::date, b.currency, l.sport, l.category, l.tournament,
         l.market, l.is_live, coalesce(b.picks, nullif(b.legs, 0)), b.game_id;

COMMENT ON VIEW ops.sport_revenue IS
    'Turnover, GGR and margin of sports bets by what was bet on. A combo''s amounts are divided among its legs in equal parts, to the minor unit, so that everything adds up to the journal. A bet counts on the day on which it was placed, whenever it was settled';
COMMENT ON COLUMN ops.sport_revenue.day IS 'The UTC day on which the bets were placed';
COMMENT ON COLUMN ops.sport_revenue.currency IS 'The currency; sums of different currencies are never mixed';
COMMENT ON COLUMN ops.sport_revenue.sport IS 'The sport; null: the legs of these bets are not known';
COMMENT ON COLUMN ops.sport_revenue.category IS 'The country or series';
COMMENT ON COLUMN ops.sport_revenue.tournament IS 'The tournament';
COMMENT ON COLUMN ops.sport_revenue.market IS 'What was bet on';
COMMENT ON COLUMN ops.sport_revenue.live IS 'Whether the match was being played when the bet was placed: live or prematch';
COMMENT ON COLUMN ops.sport_revenue.combo_length IS 'How many legs the slips have; 1: singles';
COMMENT ON COLUMN ops.sport_revenue.game_id IS 'The game';
COMMENT ON COLUMN ops.sport_revenue.bets IS 'Bets, each counted where its first leg is';
COMMENT ON COLUMN ops.sport_revenue.legs IS 'How many legs were bet on it';
COMMENT ON COLUMN ops.sport_revenue.turnover IS 'Stakes, less those that were given back';
COMMENT ON COLUMN ops.sport_revenue.payments IS 'What stands paid';
COMMENT ON COLUMN ops.sport_revenue.ggr IS 'turnover less payments, open bets included';
COMMENT ON COLUMN ops.sport_revenue.margin_percent IS 'ggr of turnover, in percent; null without turnover';
COMMENT ON COLUMN ops.sport_revenue.bonus_cost IS
    'What is a bonus: what free bets won, and what lost no-risk bets gave back';
CREATE VIEW ops.sport_liability AS
SELECT b.currency,
       l.event_id,
       max(l.competitors) AS competitors,
       max(l.sport) AS sport,
       max(l.tournament) AS tournament,
       l.market,
       l.outcome,
       max(l.scheduled_at) AS scheduled_at,
       count(*) AS bets,
       count(DISTINCT b.player_id) AS players,
       round(sum(b.stake), max(b.scale)) AS stake,
       round(sum(w.potential_win), max(b.scale)) AS potential_win,
       round(coalesce(sum(w.potential_win) FILTER (WHERE b.legs = 1), 0), max(b.scale))
           AS potential_win_singles,
       count(*) FILTER (WHERE w.potential_win IS NULL) AS bets_unknown
FROM public.sport_bets b
JOIN public.sport_legs l ON l.player_id = b.player_id AND l.position = b.position
    AND l.leg <= b.legs
CROSS JOIN LATERAL (
    SELECT coalesce(b.potential_win, trunc(b.stake * b.total_odds, b.scale)) AS potential_win
) AS w
WHERE b.status = 'open' AND NOT EXISTS (
    SELECT FROM ops.simulated_players s WHERE s.player_id = b.player_id)
GROUP BY b.currency, l.event_id, l.market, l.outcome;

COMMENT ON VIEW ops.sport_liability IS
    'What open bets may win, by match and outcome. A combo counts with all that it may win under each of its outcomes, so the rows are not to be added up';
COMMENT ON COLUMN ops.sport_liability.currency IS 'The currency';
COMMENT ON COLUMN ops.sport_liability.event_id IS 'The sportsbook''s number of the match';
COMMENT ON COLUMN ops.sport_liability.competitors IS 'Who plays';
COMMENT ON COLUMN ops.sport_liability.sport IS 'The sport';
COMMENT ON COLUMN ops.sport_liability.tournament IS 'The tournament';
COMMENT ON COLUMN ops.sport_liability.market IS 'What is bet on';
COMMENT ON COLUMN ops.sport_liability.outcome IS 'The outcome';
COMMENT ON COLUMN ops.sport_liability.scheduled_at IS 'When the match begins';
COMMENT ON COLUMN ops.sport_liability.bets IS 'How many open bets have it';
COMMENT ON COLUMN ops.sport_liability.players IS 'Of how many players';
COMMENT ON COLUMN ops.sport_liability.stake IS 'Their stakes';
COMMENT ON COLUMN ops.sport_liability.potential_win IS
    'What they may win: as the slips say, or stake times odds where they do not';
COMMENT ON COLUMN ops.sport_liability.potential_win_singles IS 'Of that, by singles, which need nothing else';
COMMENT ON COLUMN ops.sport_liability.bets_unknown IS 'Bets of which nobody knows what they may win, such as systems without a potential win';

CREATE VIEW ops.slip_mismatches AS
SELECT s.happened_at,
       (s.happened_at AT TIME ZONE 'UTC')::date AS day,
       s.kind,
       p.user_id,
       s.event_id,
       b.slip_id,
       s.expected,
       s.told,
       round(m.amount, m.scale) AS amount,
       m.currency,
       m.transaction_id,
       b.status,
       s.position,
       s.player_id
FROM (
    SELECT player_id, position, kind, event_id, bet_position, expected, told, happened_at
    FROM public.slip_mismatches
    UNION ALL
    SELECT player_id, position, 'unsettled', event_id, position, NULL, NULL, last_leg_at
    FROM public.sport_bets
    WHERE status = 'open' AND last_leg_at < now() - interval '3 days'
) AS s
JOIN public.sport_bets b ON b.player_id = s.player_id AND b.position = s.bet_position
JOIN public.movements m ON m.player_id = s.player_id AND m.position = s.position
JOIN public.players p ON p.player_id = s.player_id;

COMMENT ON VIEW ops.slip_mismatches IS
    'Where a bet slip and the journal do not agree, and open bets three days after their last leg';
COMMENT ON COLUMN ops.slip_mismatches.happened_at IS 'When the movement came that does not fit; of an unsettled bet, its last leg';
COMMENT ON COLUMN ops.slip_mismatches.day IS 'The UTC day of happened_at';
COMMENT ON COLUMN ops.slip_mismatches.kind IS
    'other_slip: a settlement names another slip; double_cash_out: the same cash-out twice; sum_differs: the slip names another stake; paid_above_potential: more than it could win; cancel_beyond_paid: a SportBetCancel took more than was paid; says_otherwise: the result in words is not what was paid; unsettled: open long after its last leg';
COMMENT ON COLUMN ops.slip_mismatches.user_id IS 'The player';
COMMENT ON COLUMN ops.slip_mismatches.event_id IS 'The round';
COMMENT ON COLUMN ops.slip_mismatches.slip_id IS 'The slip of the bet';
COMMENT ON COLUMN ops.slip_mismatches.expected IS 'What the other side of the disagreement has: a slip, a transaction, or an amount in minor units';
COMMENT ON COLUMN ops.slip_mismatches.told IS 'What was said or paid instead';
COMMENT ON COLUMN ops.slip_mismatches.amount IS 'The amount of the movement';
COMMENT ON COLUMN ops.slip_mismatches.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.slip_mismatches.transaction_id IS 'The id of the movement';
COMMENT ON COLUMN ops.slip_mismatches.status IS 'How the bet stands';
COMMENT ON COLUMN ops.slip_mismatches.position IS 'The place of the movement in the player''s chain';
COMMENT ON COLUMN ops.slip_mismatches.player_id IS 'Our own number for the player';

CREATE VIEW ops.slip_faults AS
SELECT f.happened_at,
       (f.happened_at AT TIME ZONE 'UTC')::date AS day,
       f.reason,
       p.user_id,
       f.event_id,
       m.transaction_id,
       m.event_type,
       left(m.extra_data, 200) AS beginning,
       f.position,
       f.player_id
FROM public.slip_faults f
JOIN public.movements m ON m.player_id = f.player_id AND m.position = f.position
JOIN public.players p ON p.player_id = f.player_id;

COMMENT ON VIEW ops.slip_faults IS 'Texts that look like a bet slip and could not be read';
COMMENT ON COLUMN ops.slip_faults.happened_at IS 'When it came';
COMMENT ON COLUMN ops.slip_faults.day IS 'The UTC day of happened_at';
COMMENT ON COLUMN ops.slip_faults.reason IS
    'not_json, too_deep, wrong_type, bad_number, bad_text, bad_time, too_many_legs; too_many_movements: its round is longer than any bet''s, and is left out as a whole';
COMMENT ON COLUMN ops.slip_faults.user_id IS 'The player';
COMMENT ON COLUMN ops.slip_faults.event_id IS 'The round';
COMMENT ON COLUMN ops.slip_faults.transaction_id IS 'The movement that brought it';
COMMENT ON COLUMN ops.slip_faults.event_type IS 'What that was';
COMMENT ON COLUMN ops.slip_faults.beginning IS 'How the text begins, as sent';
COMMENT ON COLUMN ops.slip_faults.position IS 'The place of the movement in the player''s chain';
COMMENT ON COLUMN ops.slip_faults.player_id IS 'Our own number for the player';

CREATE VIEW ops.sport_bonus_cost AS
SELECT (b.placed_at AT TIME ZONE 'UTC')::date AS day,
       b.currency,
       b.free_bet,
       b.bonus_id,
       count(*) AS bets,
       round(sum(b.stake), max(b.scale)) AS stake,
       round(sum(b.told_stake), max(b.scale)) AS told_stake,
       count(*) FILTER (WHERE b.bonus_cost > 0) AS bets_with_cost,
       round(sum(b.bonus_cost), max(b.scale)) AS bonus_cost
FROM public.sport_bets b
WHERE (b.free_bet IS NOT NULL OR b.bonus_cost > 0) AND NOT EXISTS (
    SELECT FROM ops.simulated_players s WHERE s.player_id = b.player_id)
GROUP BY (b.placed_at AT TIME ZONE 'UTC')::date, b.currency, b.free_bet, b.bonus_id;

COMMENT ON VIEW ops.sport_bonus_cost IS 'What free bets and no-risk bets cost, by bonus';
COMMENT ON COLUMN ops.sport_bonus_cost.day IS 'The UTC day on which the bets were placed';
COMMENT ON COLUMN ops.sport_bonus_cost.currency IS 'The currency';
COMMENT ON COLUMN ops.sport_bonus_cost.free_bet IS 'The kind, in the sportsbook''s words';
COMMENT ON COLUMN ops.sport_bonus_cost.bonus_id IS 'The bonus';
COMMENT ON COLUMN ops.sport_bonus_cost.bets IS 'How many bets';
COMMENT ON COLUMN ops.sport_bonus_cost.stake IS 'What players staked of their own';
COMMENT ON COLUMN ops.sport_bonus_cost.told_stake IS 'The stakes that the slips name';
COMMENT ON COLUMN ops.sport_bonus_cost.bets_with_cost IS 'Of how many something was paid that is a bonus';
COMMENT ON COLUMN ops.sport_bonus_cost.bonus_cost IS 'How much';

CREATE VIEW ops.sport_settlement_delay AS
SELECT (b.settled_at AT TIME ZONE 'UTC')::date AS day,
       l.sport,
       count(*) AS bets,
       date_trunc('second', percentile_cont(0.5) WITHIN GROUP (ORDER BY b.settled_at - b.last_leg_at))
           AS median,
       date_trunc('second', percentile_cont(0.95) WITHIN GROUP (ORDER BY b.settled_at - b.last_leg_at))
           AS p95,
       date_trunc('second', max(b.settled_at - b.last_leg_at)) AS longest
FROM public.sport_bets b
CROSS JOIN LATERAL (
    SELECT sport FROM public.sport_legs
    WHERE player_id = b.player_id AND position = b.position AND leg <= b.legs
    ORDER BY scheduled_at DESC NULLS LAST, leg LIMIT 1
) AS l
WHERE b.status IN ('won', 'lost', 'refunded') AND b.settled_at >= b.last_leg_at AND NOT EXISTS (
    SELECT FROM ops.simulated_players s WHERE s.player_id = b.player_id)
GROUP BY (b.settled_at AT TIME ZONE 'UTC')::date, l.sport;

COMMENT ON VIEW ops.sport_settlement_delay IS
    'How long after the beginning of their last match bets were settled; cash-outs, and bets that were lost before it, left out';
COMMENT ON COLUMN ops.sport_settlement_delay.day IS 'The UTC day on which they were settled';
COMMENT ON COLUMN ops.sport_settlement_delay.sport IS 'The sport of the last match';
COMMENT ON COLUMN ops.sport_settlement_delay.bets IS 'How many bets';
COMMENT ON COLUMN ops.sport_settlement_delay.median IS 'Half of them were settled within this';
COMMENT ON COLUMN ops.sport_settlement_delay.p95 IS 'Nineteen of twenty within this';
COMMENT ON COLUMN ops.sport_settlement_delay.longest IS 'The longest';

CREATE VIEW ops.slip_progress AS
SELECT p.agent,
       p.number AS read_to,
       coalesce(h.last_number, 0) AS last_event,
       p.movements,
       p.without_slip,
       p.reached_at
FROM public.slip_progress p
LEFT JOIN public.event_log_heads h ON h.agent = p.agent;

COMMENT ON VIEW ops.slip_progress IS 'How far the journal was read for bet slips';
COMMENT ON COLUMN ops.slip_progress.agent IS 'The operator''s platform; *: movements from before the event log';
COMMENT ON COLUMN ops.slip_progress.read_to IS 'The number of the last event that was read';
COMMENT ON COLUMN ops.slip_progress.last_event IS 'The number of the last event that there is';
COMMENT ON COLUMN ops.slip_progress.movements IS 'How many movements were read';
COMMENT ON COLUMN ops.slip_progress.without_slip IS 'How many of them told of no slip';
COMMENT ON COLUMN ops.slip_progress.reached_at IS 'When the latest of them was decided';
