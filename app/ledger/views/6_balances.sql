CREATE VIEW ops.negative_balances AS
SELECT p.user_id,
       p.currency,
       round(w.real, p.scale) AS real,
       round(w.bonus, p.scale) AS bonus,
       round(w.real + w.bonus, p.scale) AS balance,
       fell.ledger_time AS since,
       fell.event_type AS fell_by,
       fell.transaction_id,
       fell.event_id,
       p.player_id
FROM public.wallets w
JOIN public.players p ON p.player_id = w.player_id
LEFT JOIN LATERAL (
    SELECT m.ledger_time, m.event_type, m.transaction_id, m.event_id
    FROM public.movements m
    WHERE m.player_id = w.player_id AND m.real_before >= 0 AND m.real_after < 0
    ORDER BY m.position DESC
    LIMIT 1
) AS fell ON true
WHERE w.real < 0;

COMMENT ON VIEW ops.negative_balances IS 'Players who owe money, and since when';
COMMENT ON COLUMN ops.negative_balances.user_id IS 'The player';
COMMENT ON COLUMN ops.negative_balances.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.negative_balances.real IS 'The real pocket: what they owe, negative';
COMMENT ON COLUMN ops.negative_balances.bonus IS 'The bonus pocket, which pays no debt';
COMMENT ON COLUMN ops.negative_balances.balance IS 'Both together, as the game side is told';
COMMENT ON COLUMN ops.negative_balances.since IS 'When the real pocket last fell below zero';
COMMENT ON COLUMN ops.negative_balances.fell_by IS 'The kind of movement that made it fall';
COMMENT ON COLUMN ops.negative_balances.transaction_id IS 'The transaction id of that movement';
COMMENT ON COLUMN ops.negative_balances.event_id IS 'The sports bet of that movement';
COMMENT ON COLUMN ops.negative_balances.player_id IS 'Our own number for the player';

CREATE VIEW ops.daily_balances AS
SELECT days.day,
       p.user_id,
       p.currency,
       round(coalesce(m.real_after, 0), p.scale) AS real,
       round(coalesce(m.bonus_after, 0), p.scale) AS bonus,
       round(coalesce(m.real_after + m.bonus_after, 0), p.scale) AS balance,
       m.ledger_time AS last_moved_at,
       closing.position,
       p.player_id
FROM (
    SELECT first.day + n AS day
    FROM (SELECT min((created_at AT TIME ZONE 'UTC')::date) AS day FROM public.players) AS first
    CROSS JOIN LATERAL generate_series(0, (now() AT TIME ZONE 'UTC')::date - first.day) AS n
) AS days
JOIN public.players p ON (p.created_at AT TIME ZONE 'UTC')::date <= days.day
JOIN public.wallets w ON w.player_id = p.player_id
CROSS JOIN LATERAL (SELECT (days.day + 1)::timestamp AT TIME ZONE 'UTC' AS moment) AS midnight
LEFT JOIN LATERAL (
    WITH RECURSIVE search (low, high) AS (
        SELECT CASE WHEN last.ledger_time < midnight.moment THEN last.position ELSE 0 END,
               CASE WHEN last.ledger_time < midnight.moment THEN last.position
                    ELSE last.position - 1 END
        FROM public.movements last
        WHERE last.player_id = w.player_id AND last.position = w.position
        UNION ALL
        SELECT CASE WHEN probe.ledger_time < midnight.moment THEN probe.position ELSE s.low END,
               CASE WHEN probe.ledger_time < midnight.moment THEN s.high
                    ELSE probe.position - 1 END
        FROM search s
        JOIN public.movements probe
            ON probe.player_id = w.player_id AND probe.position = (s.low + s.high + 1) / 2
        WHERE s.low < s.high
    )
    SELECT low AS position FROM search WHERE low = high
) AS closing ON true
LEFT JOIN public.movements m ON m.player_id = p.player_id AND m.position = closing.position;

COMMENT ON VIEW ops.daily_balances IS
    'What each player had when each UTC day ended, since their account was opened, today so far included. Name a day or a user_id: the closing movement is found by halving the player''s chain, a dozen look-ups a player and day, however long the journal is';
COMMENT ON COLUMN ops.daily_balances.day IS 'The UTC day that ended';
COMMENT ON COLUMN ops.daily_balances.user_id IS 'The player';
COMMENT ON COLUMN ops.daily_balances.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.daily_balances.real IS 'The real pocket at the end of the day';
COMMENT ON COLUMN ops.daily_balances.bonus IS 'The bonus pocket at the end of the day';
COMMENT ON COLUMN ops.daily_balances.balance IS 'Both together: what the operator owed them';
COMMENT ON COLUMN ops.daily_balances.last_moved_at IS
    'When their latest movement until then was decided; null: none yet';
COMMENT ON COLUMN ops.daily_balances.position IS 'That movement''s place in their chain; null or 0: none yet';
COMMENT ON COLUMN ops.daily_balances.player_id IS 'Our own number for the player';

CREATE VIEW ops.trial_balance AS
SELECT a.currency,
       a.account,
       round(a.credits, a.scale) AS credits,
       round(a.debits, a.scale) AS debits,
       round(a.credits - a.debits, a.scale) AS balance,
       round(CASE a.account WHEN 'players:real' THEN held.real
                            WHEN 'players:bonus' THEN held.bonus END, a.scale) AS held,
       round(CASE a.account WHEN 'players:real' THEN held.real
                            WHEN 'players:bonus' THEN held.bonus END
             - (a.credits - a.debits), a.scale) AS difference
FROM (
    SELECT s.currency, e.account, max(s.scale) AS scale, sum(e.credits) AS credits,
           sum(e.debits) AS debits
    FROM (
        SELECT m.currency, m.contra, e.moves_from, max(m.scale) AS scale,
               sum(m.amount) FILTER (WHERE e.moves_from IS NOT NULL) AS moved,
               sum(m.real_delta) FILTER (WHERE m.direction = 'credit') AS real_in,
               sum(m.bonus_delta) FILTER (WHERE m.direction = 'credit') AS bonus_in,
               -sum(m.real_delta) FILTER (WHERE m.direction = 'debit') AS real_out,
               -sum(m.bonus_delta) FILTER (WHERE m.direction = 'debit') AS bonus_out
        FROM public.movements m
        JOIN public.event_types e ON e.event_type = m.event_type
        WHERE m.decision = 'ACCEPTED'
        GROUP BY m.currency, m.contra, e.moves_from
    ) AS s
    CROSS JOIN LATERAL (VALUES
        ('players:real', coalesce(s.real_in, 0), coalesce(s.real_out, 0)),
        ('players:bonus', coalesce(s.bonus_in, 0), coalesce(s.bonus_out, 0)),
        (s.contra, coalesce(s.moved, s.real_out + s.bonus_out, 0),
         coalesce(s.real_in + s.bonus_in, 0)),
        (s.moves_from, 0, coalesce(s.moved, 0))
    ) AS e (account, credits, debits)
    WHERE e.account IS NOT NULL
    GROUP BY s.currency, e.account
) AS a
LEFT JOIN (
    SELECT p.currency, sum(w.real) AS real, sum(w.bonus) AS bonus
    FROM public.wallets w
    JOIN public.players p ON p.player_id = w.player_id
    GROUP BY p.currency
) AS held ON held.currency = a.currency;

COMMENT ON VIEW ops.trial_balance IS
    'The whole journal by account and currency. Players'' accounts are what the house owes them; credits and debits of a currency are equal, and what the wallets hold is what the journal says';
COMMENT ON COLUMN ops.trial_balance.currency IS 'The currency';
COMMENT ON COLUMN ops.trial_balance.account IS
    'players:real, players:bonus, or the house account on the other side';
COMMENT ON COLUMN ops.trial_balance.credits IS 'All that was ever credited to it';
COMMENT ON COLUMN ops.trial_balance.debits IS 'All that was ever debited from it';
COMMENT ON COLUMN ops.trial_balance.balance IS
    'Credits less debits: what is owed to players, or what the house account holds';
COMMENT ON COLUMN ops.trial_balance.held IS 'For players: what all wallets hold now; null for house accounts';
COMMENT ON COLUMN ops.trial_balance.difference IS 'held less balance: anything but 0 is an alarm';
