-- Limits count in the days of the ledger's time zone, everything else here in UTC days.
CREATE VIEW ops.limits AS
SELECT p.user_id,
       terms.name AS limit_name,
       w.currency,
       round(terms.in_force, w.scale) AS in_force,
       round(u.used, w.scale) AS used,
       round(CASE WHEN u.used IS NOT NULL
                  THEN greatest(terms.in_force - greatest(u.used, 0), 0) END, w.scale) AS remaining,
       round(terms.later, w.scale) AS changes_to,
       terms.changes_at,
       terms.needs_confirmation,
       terms.asked_at,
       terms.asked_by,
       terms.set_at,
       terms.set_by
FROM public.players p
JOIN public.wallets w ON w.player_id = p.player_id
CROSS JOIN LATERAL (
    SELECT (now() AT TIME ZONE (
               SELECT coalesce(d.limit_zone, 'UTC') FROM public.decision_settings d))::date AS today,
           date '0001-01-01' + (w.usage_day - 1) AS used_on
) AS days
CROSS JOIN LATERAL (
    SELECT t.name, split_part(t.name, ':', 1) AS base, split_part(t.name, ':', 2) AS product,
           split_part(t.name, '_', 1) AS kind, split_part(split_part(t.name, ':', 1), '_', 2) AS span,
           t.changes_at, t.later, t.needs_confirmation, t.asked_at, t.asked_by, t.set_at, t.set_by,
           CASE WHEN t.has_come THEN t.later ELSE t.amount END AS in_force
    FROM (
        SELECT term.key AS name,
               (term.value ->> 'amount')::numeric / 10::numeric ^ w.scale AS amount,
               (term.value ->> 'later')::numeric / 10::numeric ^ w.scale AS later,
               coalesce((term.value ->> 'confirm')::boolean, false) AS needs_confirmation,
               moment.changes_at,
               coalesce(moment.changes_at <= now(), false)
                   AND NOT coalesce((term.value ->> 'confirm')::boolean, false) AS has_come,
               term.value -> 'by' ->> 0 AS asked_by,
               moment.asked_at,
               term.value -> 'set' ->> 0 AS set_by,
               moment.set_at
        FROM jsonb_each(w.limits) AS term (key, value)
        CROSS JOIN LATERAL (
            SELECT timestamptz 'epoch' + (term.value ->> 'from')::bigint * interval '1 microsecond'
                       AS changes_at,
                   timestamptz 'epoch' + (term.value -> 'by' ->> 1)::bigint * interval '1 microsecond'
                       AS asked_at,
                   timestamptz 'epoch' + (term.value -> 'set' ->> 1)::bigint * interval '1 microsecond'
                       AS set_at
        ) AS moment
    ) AS t
) AS terms
CROSS JOIN LATERAL (
    SELECT CASE terms.span
               WHEN 'day' THEN days.used_on >= days.today
               WHEN 'week' THEN date_trunc('week', days.used_on) >= date_trunc('week', days.today)
               WHEN 'month' THEN date_trunc('month', days.used_on) >= date_trunc('month', days.today)
           END AS is_current
) AS usage_window
-- A game without a name counts against each product, but its winnings lower no product's loss.
LEFT JOIN LATERAL (
    SELECT sum(CASE c.counter WHEN 'loss:' THEN greatest(v.amount, 0) ELSE v.amount END) AS used
    FROM public.limit_counters c
    CROSS JOIN LATERAL (SELECT date '0001-01-01' + (c.counted_on - 1) AS counted_on) AS d
    CROSS JOIN LATERAL (
        SELECT CASE terms.span
                   WHEN 'day' THEN CASE WHEN d.counted_on >= days.today THEN c.day END
                   WHEN 'week' THEN CASE WHEN date_trunc('week', d.counted_on)
                                              >= date_trunc('week', days.today) THEN c.week END
                   WHEN 'month' THEN CASE WHEN date_trunc('month', d.counted_on)
                                               >= date_trunc('month', days.today) THEN c.month END
               END AS amount
    ) AS v
    WHERE c.player_id = w.player_id
      AND c.counter = ANY (CASE terms.kind
          WHEN 'deposit' THEN ARRAY['deposit']
          ELSE ARRAY[terms.kind || ':' || terms.product, terms.kind || ':'] END)
) AS further ON terms.product <> '' OR terms.kind = 'deposit'
CROSS JOIN LATERAL (
    SELECT CASE WHEN terms.span = 'bet' THEN NULL
           WHEN terms.product <> '' OR terms.kind = 'deposit' THEN coalesce(further.used, 0)
           WHEN usage_window.is_current THEN
               CASE terms.base
                   WHEN 'stake_day' THEN w.stake_day
                   WHEN 'stake_week' THEN w.stake_week
                   WHEN 'stake_month' THEN w.stake_month
                   WHEN 'loss_day' THEN w.loss_day
                   WHEN 'loss_week' THEN w.loss_week
                   WHEN 'loss_month' THEN w.loss_month
               END
           ELSE 0
           END AS used
) AS u
WHERE w.limits IS NOT NULL;

COMMENT ON VIEW ops.limits IS
    'Limits in force and what is used of them, in calendar windows of the ledger''s time zone (weeks begin on Monday); a player without limits has no row';
COMMENT ON COLUMN ops.limits.user_id IS 'The player';
COMMENT ON COLUMN ops.limits.limit_name IS
    'stake_bet, or stake, loss or deposit with _day, _week or _month; behind a colon the product, if it is of one only';
COMMENT ON COLUMN ops.limits.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.limits.in_force IS 'The most that is allowed at this moment; null: no limit any more';
COMMENT ON COLUMN ops.limits.used IS
    'What the current window has used of it; negative: they won more than they lost. Null for stake_bet, which looks at one bet at a time';
COMMENT ON COLUMN ops.limits.remaining IS
    'What is left of it; null for stake_bet and where there is no limit';
COMMENT ON COLUMN ops.limits.changes_to IS
    'What was asked for, or has come into force by itself; null: no limit then, or nothing was asked for (see changes_at)';
COMMENT ON COLUMN ops.limits.changes_at IS
    'From when that holds, or can be confirmed; null: nothing was asked for';
COMMENT ON COLUMN ops.limits.needs_confirmation IS
    'Whether what was asked for holds only once the player confirms it';
COMMENT ON COLUMN ops.limits.asked_at IS 'When it was asked for';
COMMENT ON COLUMN ops.limits.asked_by IS 'Who asked: the agent, or who sat at the console';
COMMENT ON COLUMN ops.limits.set_at IS 'When the amount in force was set; null: by an earlier release';
COMMENT ON COLUMN ops.limits.set_by IS 'Who set it';

CREATE VIEW ops.raises_waiting AS
SELECT l.user_id, l.limit_name, l.currency, l.in_force, l.changes_to AS asked_for, l.asked_at,
       l.asked_by, l.changes_at AS ready_at, l.needs_confirmation,
       l.needs_confirmation AND l.changes_at <= now() AS may_be_confirmed
FROM ops.limits l
WHERE l.changes_at IS NOT NULL AND (l.needs_confirmation OR l.changes_at > now());

COMMENT ON VIEW ops.raises_waiting IS 'Raised or lifted limits that are not in force yet';
COMMENT ON COLUMN ops.raises_waiting.user_id IS 'The player';
COMMENT ON COLUMN ops.raises_waiting.limit_name IS 'The limit';
COMMENT ON COLUMN ops.raises_waiting.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.raises_waiting.in_force IS 'What is allowed until then';
COMMENT ON COLUMN ops.raises_waiting.asked_for IS 'What was asked for; null: no limit';
COMMENT ON COLUMN ops.raises_waiting.asked_at IS 'When it was asked for';
COMMENT ON COLUMN ops.raises_waiting.asked_by IS 'Who asked: the agent, or who sat at the console';
COMMENT ON COLUMN ops.raises_waiting.ready_at IS 'From when it can be confirmed, or holds by itself';
COMMENT ON COLUMN ops.raises_waiting.needs_confirmation IS 'Whether the player must confirm it then';
COMMENT ON COLUMN ops.raises_waiting.may_be_confirmed IS 'Whether it waits for nothing but that';

CREATE VIEW ops.limits_hit AS
SELECT m.ledger_time,
       (m.ledger_time AT TIME ZONE 'UTC')::date AS day,
       p.user_id,
       h.limit_name,
       round(h.limit_amount, m.scale) AS limit_amount,
       round(h.used, m.scale) AS used,
       round(greatest(h.limit_amount - h.used, 0), m.scale) AS remaining,
       round(m.amount, m.scale) AS asked,
       m.currency,
       m.event_type,
       m.game_id,
       m.source,
       m.transaction_id,
       m.player_id
FROM public.limit_hits h
JOIN public.movements m ON m.player_id = h.player_id AND m.position = h.position
JOIN public.players p ON p.player_id = m.player_id;

COMMENT ON VIEW ops.limits_hit IS
    'Movements that a limit refused, with the limit as it was at that moment; refusals of earlier releases did not keep it';
COMMENT ON COLUMN ops.limits_hit.ledger_time IS 'When it was refused, by the ledger''s clock';
COMMENT ON COLUMN ops.limits_hit.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.limits_hit.user_id IS 'The player';
COMMENT ON COLUMN ops.limits_hit.limit_name IS 'The limit that refused; others might have, too';
COMMENT ON COLUMN ops.limits_hit.limit_amount IS 'Its value';
COMMENT ON COLUMN ops.limits_hit.used IS 'What was used of it';
COMMENT ON COLUMN ops.limits_hit.remaining IS 'What was left of it';
COMMENT ON COLUMN ops.limits_hit.asked IS 'The amount that was refused';
COMMENT ON COLUMN ops.limits_hit.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.limits_hit.event_type IS 'What was refused: a bet, a tip or a deposit';
COMMENT ON COLUMN ops.limits_hit.game_id IS 'The game; null for a deposit';
COMMENT ON COLUMN ops.limits_hit.source IS 'callback, or the agent that asked';
COMMENT ON COLUMN ops.limits_hit.transaction_id IS 'The id under which it was asked for';
COMMENT ON COLUMN ops.limits_hit.player_id IS 'Our own number for the player';

CREATE VIEW ops.exclusions AS
SELECT p.user_id,
       w.agent,
       nullif(w.excluded_until, 'infinity') AS excluded_until,
       w.excluded_until = 'infinity' AS is_forever,
       CASE WHEN w.excluded_until < 'infinity'
            THEN date_trunc('second', w.excluded_until - now()) END AS ends_in,
       p.player_id
FROM public.wallets w
JOIN public.players p ON p.player_id = w.player_id
WHERE w.excluded_until > now();

COMMENT ON VIEW ops.exclusions IS 'Players who are excluded at this moment';
COMMENT ON COLUMN ops.exclusions.user_id IS 'The player';
COMMENT ON COLUMN ops.exclusions.agent IS 'The operator''s platform';
COMMENT ON COLUMN ops.exclusions.excluded_until IS 'The end of the exclusion; null: it has none';
COMMENT ON COLUMN ops.exclusions.is_forever IS 'Whether it has no end';
COMMENT ON COLUMN ops.exclusions.ends_in IS 'How long it lasts from now on';
COMMENT ON COLUMN ops.exclusions.player_id IS 'Our own number for the player';

CREATE VIEW ops.holds AS
SELECT p.user_id,
       w.agent,
       w.currency,
       round(h.amount, w.scale) AS amount,
       h.state,
       h.transaction_id AS hold_id,
       h.opened_at,
       h.closed_at,
       closing.transaction_id AS closed_by,
       h.player_id
FROM public.holds h
JOIN public.players p ON p.player_id = h.player_id
JOIN public.wallets w ON w.player_id = h.player_id
LEFT JOIN public.movements closing
    ON closing.player_id = h.player_id AND closing.position = h.closed_position;

COMMENT ON VIEW ops.holds IS 'Withdrawals that began with a hold, and what became of them';
COMMENT ON COLUMN ops.holds.user_id IS 'The player';
COMMENT ON COLUMN ops.holds.agent IS 'The operator''s platform';
COMMENT ON COLUMN ops.holds.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.holds.amount IS 'The amount, which left the balance at once';
COMMENT ON COLUMN ops.holds.state IS 'pending, settled (paid out) or released (given back)';
COMMENT ON COLUMN ops.holds.hold_id IS 'The transaction id of the hold';
COMMENT ON COLUMN ops.holds.opened_at IS 'When it began';
COMMENT ON COLUMN ops.holds.closed_at IS 'When it was settled or released; null: it is pending';
COMMENT ON COLUMN ops.holds.closed_by IS 'The transaction id that settled or released it';
COMMENT ON COLUMN ops.holds.player_id IS 'Our own number for the player';

CREATE VIEW ops.pending_withdrawals AS
SELECT h.user_id, h.agent, h.currency, h.amount, h.hold_id, h.opened_at,
       date_trunc('second', now() - h.opened_at) AS waiting, h.player_id
FROM ops.holds h
WHERE h.state = 'pending';

COMMENT ON VIEW ops.pending_withdrawals IS
    'Withdrawals under way: money that is no longer in the balance and not paid out yet. Their sum in a currency is the account house:pending';
COMMENT ON COLUMN ops.pending_withdrawals.user_id IS 'The player';
COMMENT ON COLUMN ops.pending_withdrawals.agent IS 'The operator''s platform';
COMMENT ON COLUMN ops.pending_withdrawals.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.pending_withdrawals.amount IS 'The amount';
COMMENT ON COLUMN ops.pending_withdrawals.hold_id IS 'The transaction id of the hold';
COMMENT ON COLUMN ops.pending_withdrawals.opened_at IS 'When it began';
COMMENT ON COLUMN ops.pending_withdrawals.waiting IS 'How long it has waited';
COMMENT ON COLUMN ops.pending_withdrawals.player_id IS 'Our own number for the player';

CREATE VIEW ops.deposit_checks AS
SELECT m.ledger_time,
       (m.ledger_time AT TIME ZONE 'UTC')::date AS day,
       p.user_id,
       round(m.amount, m.scale) AS amount,
       m.currency,
       CASE m.decision WHEN 'ACCEPTED' THEN 'accepted' ELSE 'refused' END AS decision,
       said.is_checked,
       said.provider,
       said.reference,
       said.allowed,
       said.checked_at,
       m.transaction_id,
       m.player_id
FROM public.movements m
JOIN public.event_types e ON e.event_type = m.event_type AND e.counts_as = 'deposits'
JOIN public.players p ON p.player_id = m.player_id
CROSS JOIN LATERAL (
    SELECT c.said IS NOT NULL AS is_checked, c.said ->> 'provider' AS provider,
           c.said ->> 'reference' AS reference,
           CASE c.said ->> 'allowed' WHEN 'true' THEN true WHEN 'false' THEN false END AS allowed,
           public.moment_or_null(c.said ->> 'checked_at') AS checked_at
    FROM (SELECT public.json_or_null(m.extra_data) -> 'check' AS said) AS c
) AS said;

COMMENT ON VIEW ops.deposit_checks IS 'Deposits, and what an external check said of each';
COMMENT ON COLUMN ops.deposit_checks.ledger_time IS 'When the deposit was decided';
COMMENT ON COLUMN ops.deposit_checks.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.deposit_checks.user_id IS 'The player';
COMMENT ON COLUMN ops.deposit_checks.amount IS 'The amount';
COMMENT ON COLUMN ops.deposit_checks.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.deposit_checks.decision IS 'accepted or refused';
COMMENT ON COLUMN ops.deposit_checks.is_checked IS 'Whether a check came with it';
COMMENT ON COLUMN ops.deposit_checks.provider IS 'Who checked';
COMMENT ON COLUMN ops.deposit_checks.reference IS 'The provider''s own reference';
COMMENT ON COLUMN ops.deposit_checks.allowed IS 'What the check said';
COMMENT ON COLUMN ops.deposit_checks.checked_at IS 'When it was made';
COMMENT ON COLUMN ops.deposit_checks.transaction_id IS 'The deposit''s transaction id';
COMMENT ON COLUMN ops.deposit_checks.player_id IS 'Our own number for the player';

CREATE VIEW ops.games AS
SELECT g.game_id, g.product, g.since, g.source AS named_by,
       g.since = max(g.since) OVER (PARTITION BY g.game_id) AS is_current
FROM public.game_names g;

COMMENT ON VIEW ops.games IS
    'Which product a game belongs to, from when on. A bet counts towards the limits of the product that its game had then';
COMMENT ON COLUMN ops.games.game_id IS 'The game';
COMMENT ON COLUMN ops.games.product IS 'sport, casino, live or another word of the operator';
COMMENT ON COLUMN ops.games.since IS 'From when on';
COMMENT ON COLUMN ops.games.named_by IS 'setting, or who sat at the console';
COMMENT ON COLUMN ops.games.is_current IS 'Whether this is its name now';

CREATE VIEW ops.daily_products AS
SELECT d.day,
       d.currency,
       coalesce(g.product, 'unnamed') AS product,
       sum(d.bets) AS bets,
       sum(d.turnover) AS turnover,
       sum(d.payments) AS payments,
       sum(d.ggr) AS ggr,
       CASE WHEN sum(d.turnover) > 0
            THEN round(100 * sum(d.ggr) / sum(d.turnover), 2) END AS hold_percent
FROM ops.daily_movements d
LEFT JOIN ops.games g ON g.game_id = d.game_id AND g.is_current
WHERE NOT d.is_streamer AND d.counts_as IN ('turnover', 'payments')
GROUP BY d.day, d.currency, coalesce(g.product, 'unnamed');

COMMENT ON VIEW ops.daily_products IS
    'Turnover and GGR by day, currency and product, by the name that each game has now; the terms are those of ops.daily_movements';
COMMENT ON COLUMN ops.daily_products.day IS 'The UTC day on which the ledger decided';
COMMENT ON COLUMN ops.daily_products.currency IS 'The currency';
COMMENT ON COLUMN ops.daily_products.product IS 'The product; unnamed: games that nobody has named';
COMMENT ON COLUMN ops.daily_products.bets IS 'How many bets were placed';
COMMENT ON COLUMN ops.daily_products.turnover IS 'Stakes placed, less given back';
COMMENT ON COLUMN ops.daily_products.payments IS 'Payments, less taken back';
COMMENT ON COLUMN ops.daily_products.ggr IS 'Turnover less payments';
COMMENT ON COLUMN ops.daily_products.hold_percent IS
    'What part of the turnover stayed with the house, in percent; null without turnover';

CREATE VIEW ops.hourly_play AS
SELECT p.user_id,
       t.hour,
       t.hour::date AS day,
       extract(hour FROM t.hour)::integer AS hour_of_day,
       p.currency,
       t.bets,
       round(t.wagered, p.scale) AS wagered,
       round(t.paid, p.scale) AS paid,
       round(t.wagered - t.paid, p.scale) AS lost,
       t.player_id
FROM (
    SELECT m.player_id,
           date_trunc('hour', m.ledger_time AT TIME ZONE (
               SELECT coalesce(d.limit_zone, 'UTC') FROM public.decision_settings d)) AS hour,
           count(*) FILTER (WHERE e.part = 'bet') AS bets,
           coalesce(-sum(m.real_delta + m.bonus_delta)
               FILTER (WHERE e.counts_as IN ('turnover', 'tips')), 0) AS wagered,
           coalesce(sum(m.real_delta + m.bonus_delta)
               FILTER (WHERE e.counts_as = 'payments'), 0) AS paid
    FROM public.movements m
    JOIN public.event_types e ON e.event_type = m.event_type
        AND e.counts_as IN ('turnover', 'payments', 'tips')
    WHERE m.decision = 'ACCEPTED'
    GROUP BY 1, 2
) AS t
JOIN public.players p ON p.player_id = t.player_id AND p.agent <> 'simulator';

COMMENT ON VIEW ops.hourly_play IS
    'What each player wagered and was paid in each hour, by the clock of the limits'' time zone; streamer money left out';
COMMENT ON COLUMN ops.hourly_play.user_id IS 'The player';
COMMENT ON COLUMN ops.hourly_play.hour IS 'The hour, by the clock of the limits'' time zone';
COMMENT ON COLUMN ops.hourly_play.day IS 'The day of that hour';
COMMENT ON COLUMN ops.hourly_play.hour_of_day IS '0 to 23';
COMMENT ON COLUMN ops.hourly_play.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.hourly_play.bets IS 'How many bets they placed';
COMMENT ON COLUMN ops.hourly_play.wagered IS 'Stakes and tips, less stakes given back';
COMMENT ON COLUMN ops.hourly_play.paid IS 'What they were paid, less reversals';
COMMENT ON COLUMN ops.hourly_play.lost IS 'wagered less paid; negative: they won';
COMMENT ON COLUMN ops.hourly_play.player_id IS 'Our own number for the player';

-- One pass over a player's play and revocations, in order. A session begins with a debit of play
-- after a silence, or after a revocation of tokens; what is paid within the silence belongs to it.
CREATE VIEW ops.sessions AS
SELECT s.user_id,
       s.number,
       s.currency,
       s.began_at,
       s.last_used_at,
       CASE WHEN s.revoked_at IS NOT NULL THEN s.revoked_at
            WHEN s.last_used_at + interval '30 minutes' <= now()
                THEN s.last_used_at + interval '30 minutes' END AS ended_at,
       CASE WHEN s.revoked_at IS NOT NULL THEN 'revoked'
            WHEN s.last_used_at + interval '30 minutes' <= now() THEN 'silence' END AS ended_by,
       date_trunc('second', s.last_used_at - s.began_at) AS time_played,
       s.bets,
       round(s.wagered, s.scale) AS wagered,
       round(s.won, s.scale) AS won,
       round(s.won - s.wagered, s.scale) AS result,
       s.player_id
FROM (
    SELECT x.user_id, x.player_id, x.currency, x.scale, x.number,
           min(x.moment) FILTER (WHERE x.is_play) AS began_at,
           max(x.moment) FILTER (WHERE x.is_play) AS last_used_at,
           min(x.moment) FILTER (WHERE x.is_revocation) AS revoked_at,
           count(*) FILTER (WHERE x.part = 'bet') AS bets,
           -coalesce(sum(x.gained) FILTER (WHERE x.counts_as IN ('turnover', 'tips')), 0) AS wagered,
           coalesce(sum(x.gained) FILTER (WHERE x.counts_as = 'payments'), 0) AS won
    FROM (
        SELECT y.*,
               count(*) FILTER (WHERE y.begins) OVER (
                   PARTITION BY y.user_id, y.player_id ORDER BY y.moment, y.position) AS number
        FROM (
            SELECT z.*,
                   z.is_play AND (z.last_at IS NULL
                       OR z.moment - z.last_at > interval '30 minutes'
                       OR z.revoked_before >= z.last_at) AS begins
            FROM (
                SELECT u.*,
                       max(u.moment) FILTER (WHERE u.is_play) OVER before AS last_at,
                       max(u.moment) FILTER (WHERE u.is_revocation) OVER before AS revoked_before
                FROM (
                    SELECT p.user_id, p.player_id, p.currency, p.scale, m.ledger_time AS moment,
                           m.position, e.is_play, false AS is_revocation, e.part, e.counts_as,
                           m.real_delta + m.bonus_delta AS gained
                    FROM public.movements m
                    JOIN public.event_types e ON e.event_type = m.event_type
                        AND e.counts_as IN ('turnover', 'payments', 'tips')
                    JOIN public.players p ON p.player_id = m.player_id
                    WHERE m.decision = 'ACCEPTED'
                    UNION ALL
                    SELECT p.user_id, p.player_id, p.currency, p.scale, c.ledger_time, 0, false,
                           true, NULL, NULL, 0
                    FROM public.account_changes c
                    JOIN public.players p ON p.player_id = c.player_id
                    WHERE c.outcome LIKE '{"revoked"%' AND c.outcome <> '{"revoked": 0}'
                ) AS u
                WINDOW before AS (PARTITION BY u.user_id, u.player_id ORDER BY u.moment, u.position
                                  ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
            ) AS z
        ) AS y
    ) AS x
    WHERE x.number > 0
      AND (x.begins OR x.moment - x.last_at <= interval '30 minutes')
      AND NOT coalesce(x.revoked_before >= x.last_at AND NOT x.begins, false)
    GROUP BY x.user_id, x.player_id, x.currency, x.scale, x.number
) AS s;

COMMENT ON VIEW ops.sessions IS
    'A player''s sessions: from a bet or tip to the last one before 30 minutes of silence, or before their tokens were revoked. Name a user_id; no token can be seen here';
COMMENT ON COLUMN ops.sessions.user_id IS 'The player';
COMMENT ON COLUMN ops.sessions.number IS 'The session''s number among the player''s, from 1';
COMMENT ON COLUMN ops.sessions.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.sessions.began_at IS 'The first bet or tip';
COMMENT ON COLUMN ops.sessions.last_used_at IS 'The last one';
COMMENT ON COLUMN ops.sessions.ended_at IS
    'When it was revoked, or the silence had lasted 30 minutes; null: it goes on';
COMMENT ON COLUMN ops.sessions.ended_by IS 'revoked or silence; null: it goes on';
COMMENT ON COLUMN ops.sessions.time_played IS 'From the first bet or tip to the last';
COMMENT ON COLUMN ops.sessions.bets IS 'How many bets they placed';
COMMENT ON COLUMN ops.sessions.wagered IS 'Stakes and tips, less stakes given back';
COMMENT ON COLUMN ops.sessions.won IS 'What they were paid until 30 minutes after the last one';
COMMENT ON COLUMN ops.sessions.result IS 'won less wagered';
COMMENT ON COLUMN ops.sessions.player_id IS 'Our own number for the player';
