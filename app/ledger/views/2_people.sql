CREATE VIEW ops.players AS
SELECT p.user_id,
       w.agent,
       p.nickname,
       p.language,
       w.currency,
       round(w.real, w.scale) AS real,
       round(w.bonus, w.scale) AS bonus,
       round(w.real + w.bonus, w.scale) AS balance,
       w.blocked,
       w.excluded_until,
       NOT w.blocked AND coalesce(w.excluded_until <= now(), true) AS may_play,
       w.version AS movements,
       p.created_at AS opened_at,
       p.player_id
FROM public.players p
JOIN public.wallets w ON w.player_id = p.player_id;

COMMENT ON VIEW ops.players IS
    'Every player with their current balance. Names and addresses of people are left out: ask the operator''s platform for them';
COMMENT ON COLUMN ops.players.user_id IS 'The player''s id, as the operator and the game side know it';
COMMENT ON COLUMN ops.players.agent IS 'The operator''s platform that opened the account';
COMMENT ON COLUMN ops.players.nickname IS 'What other players see; fixed at the first game';
COMMENT ON COLUMN ops.players.language IS 'The language games are shown in';
COMMENT ON COLUMN ops.players.currency IS 'The player''s one currency, for ever';
COMMENT ON COLUMN ops.players.real IS
    'The real pocket now; negative after a SportBetCancel that found too little';
COMMENT ON COLUMN ops.players.bonus IS 'The bonus pocket now; never negative';
COMMENT ON COLUMN ops.players.balance IS 'Both pockets together: the balance that the game side is told';
COMMENT ON COLUMN ops.players.blocked IS 'Whether the operator blocked them: debits of play are refused';
COMMENT ON COLUMN ops.players.excluded_until IS 'The end of their self-exclusion; null: there is none';
COMMENT ON COLUMN ops.players.may_play IS 'Neither blocked nor excluded at this moment';
COMMENT ON COLUMN ops.players.movements IS 'How many of their movements were ever accepted';
COMMENT ON COLUMN ops.players.opened_at IS 'When the account was opened';
COMMENT ON COLUMN ops.players.player_id IS 'Our own number for the player, which leads every key of their data';

CREATE VIEW ops.sessions AS
SELECT p.user_id,
       s.origin,
       count(*) AS issued,
       count(*) FILTER (WHERE s.expires_at > now()) AS live,
       min(s.issued_at) AS first_issued_at,
       max(s.issued_at) AS last_issued_at,
       max(s.expires_at) AS last_expires_at
FROM public.sessions s
JOIN public.players p ON p.player_id = s.player_id
GROUP BY p.user_id, s.origin;

COMMENT ON VIEW ops.sessions IS
    'Session tokens of a player, counted; neither a token nor its hash can be seen here';
COMMENT ON COLUMN ops.sessions.user_id IS 'The player';
COMMENT ON COLUMN ops.sessions.origin IS
    'Who issued the token: transfer (the operator''s platform), callback (getUserToken), platform (its own signed token), console';
COMMENT ON COLUMN ops.sessions.issued IS 'How many tokens, ever';
COMMENT ON COLUMN ops.sessions.live IS 'How many of them have not expired at this moment';
COMMENT ON COLUMN ops.sessions.first_issued_at IS 'When the first was issued';
COMMENT ON COLUMN ops.sessions.last_issued_at IS 'When the latest was issued';
COMMENT ON COLUMN ops.sessions.last_expires_at IS 'When the last of them expires, or expired';

-- What was asked before November 2026 through the transfer API stands there as JSON inside JSON:
-- {"user_id": "\"anna\""}, with a blank that later objects lack. Texts of 300 characters were cut.
CREATE VIEW ops.account_changes AS
SELECT c.ledger_time,
       (c.ledger_time AT TIME ZONE 'UTC')::date AS day,
       p.user_id,
       c.source AS agent,
       c.operation,
       CASE
           WHEN c.source NOT LIKE 'console:%' AND c.asked ~ '^[{]"[a-z_]+": "' THEN (
               SELECT '{' || string_agg(
                   to_json(f.key)::text || ':'
                   || CASE WHEN char_length(f.value) < 300 THEN f.value
                           ELSE to_json(f.value)::text END, ',' ORDER BY f.n) || '}'
               FROM json_each_text(c.asked::json) WITH ORDINALITY AS f (key, value, n))
           ELSE c.asked
       END AS asked,
       c.outcome,
       c.event_time
FROM public.account_changes c
JOIN public.players p ON p.player_id = c.player_id;

COMMENT ON VIEW ops.account_changes IS
    'What the operator''s platform changed about a player, and what it was answered';
COMMENT ON COLUMN ops.account_changes.ledger_time IS 'When it was decided, by the ledger''s clock';
COMMENT ON COLUMN ops.account_changes.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.account_changes.user_id IS 'The player';
COMMENT ON COLUMN ops.account_changes.agent IS 'The operator''s platform that asked';
COMMENT ON COLUMN ops.account_changes.operation IS 'The transfer API''s operation';
COMMENT ON COLUMN ops.account_changes.asked IS
    'What was asked, as one JSON object: each field as it was sent';
COMMENT ON COLUMN ops.account_changes.outcome IS 'What came of it';
COMMENT ON COLUMN ops.account_changes.event_time IS 'When the request arrived here';

CREATE VIEW ops.limits AS
SELECT p.user_id,
       terms.name AS limit_name,
       w.currency,
       round(terms.in_force, w.scale) AS in_force,
       round(u.used, w.scale) AS used,
       round(CASE WHEN u.used IS NOT NULL
                  THEN greatest(terms.in_force - greatest(u.used, 0), 0) END, w.scale) AS remaining,
       round(terms.later, w.scale) AS changes_to,
       terms.changes_at
FROM public.players p
JOIN public.wallets w ON w.player_id = p.player_id
CROSS JOIN LATERAL (
    SELECT (now() AT TIME ZONE 'UTC')::date AS today, date '0001-01-01' + (w.usage_day - 1) AS used_on
) AS days
CROSS JOIN LATERAL (
    SELECT t.name, t.changes_at,
           t.later,
           CASE WHEN t.has_come THEN t.later ELSE t.amount END AS in_force
    FROM (
        SELECT term.key AS name,
               (term.value ->> 'amount')::numeric / 10::numeric ^ w.scale AS amount,
               (term.value ->> 'later')::numeric / 10::numeric ^ w.scale AS later,
               moment.changes_at,
               coalesce(moment.changes_at <= now(), false) AS has_come
        FROM jsonb_each(w.limits) AS term (key, value)
        CROSS JOIN LATERAL (
            SELECT timestamptz 'epoch' + (term.value ->> 'from')::bigint * interval '1 microsecond'
        ) AS moment (changes_at)
    ) AS t
) AS terms
CROSS JOIN LATERAL (
    SELECT CASE split_part(terms.name, '_', 2)
               WHEN 'day' THEN days.used_on >= days.today
               WHEN 'week' THEN date_trunc('week', days.used_on) >= date_trunc('week', days.today)
               WHEN 'month' THEN date_trunc('month', days.used_on) >= date_trunc('month', days.today)
           END AS is_current
) AS usage_window
CROSS JOIN LATERAL (
    SELECT CASE WHEN usage_window.is_current THEN
               CASE terms.name
                   WHEN 'stake_day' THEN w.stake_day
                   WHEN 'stake_week' THEN w.stake_week
                   WHEN 'stake_month' THEN w.stake_month
                   WHEN 'loss_day' THEN w.loss_day
                   WHEN 'loss_week' THEN w.loss_week
                   WHEN 'loss_month' THEN w.loss_month
               END
           WHEN terms.name <> 'stake_bet' THEN 0
           END AS used
) AS u
WHERE w.limits IS NOT NULL;

COMMENT ON VIEW ops.limits IS
    'Limits in force and what is used of them, in UTC calendar windows (weeks begin on Monday); a player without limits has no row';
COMMENT ON COLUMN ops.limits.user_id IS 'The player';
COMMENT ON COLUMN ops.limits.limit_name IS
    'stake_bet, stake_day, stake_week, stake_month, loss_day, loss_week or loss_month';
COMMENT ON COLUMN ops.limits.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.limits.in_force IS 'The most that is allowed at this moment; null: no limit any more';
COMMENT ON COLUMN ops.limits.used IS
    'What the current window has used of it; negative: they won more than they lost. Null for stake_bet, which looks at one bet at a time';
COMMENT ON COLUMN ops.limits.remaining IS
    'What is left of it; null for stake_bet and where there is no limit';
COMMENT ON COLUMN ops.limits.changes_to IS
    'What a raise that cools off will bring, or has brought; null: no limit then, or nothing waits (see changes_at)';
COMMENT ON COLUMN ops.limits.changes_at IS 'From when the raise holds; null: nothing waits';
