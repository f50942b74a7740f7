-- What was asked before November 2026 through the transfer API stands there as JSON inside JSON:
-- {"user_id": "\"anna\""}, with a blank that later objects lack. Texts of 300 characters were cut.
CREATE VIEW ops.refusals AS
SELECT r.ledger_time,
       (r.ledger_time AT TIME ZONE 'UTC')::date AS day,
       r.user_id,
       r.operation,
       r.event_type,
       r.direction,
       r.amount,
       r.refusal,
       r.reason,
       false AS is_final,
       r.differs,
       r.source,
       r.transaction_id,
       r.event_id,
       CASE
           WHEN r.source <> 'callback' AND r.operation LIKE '%/%' AND r.asked ~ '^[{]"[a-z_]+": "' THEN (
               SELECT '{' || string_agg(
                   to_json(f.key)::text || ':'
                   || CASE WHEN char_length(f.value) < 300 THEN f.value
                           ELSE to_json(f.value)::text END, ',' ORDER BY f.n) || '}'
               FROM json_each_text(r.asked::json) WITH ORDINALITY AS f (key, value, n))
           ELSE r.asked
       END AS asked,
       r.event_time,
       r.delivery
FROM public.refusals r
UNION ALL
SELECT m.ledger_time,
       (m.ledger_time AT TIME ZONE 'UTC')::date,
       p.user_id,
       'moveFunds',
       m.event_type,
       m.direction,
       round(m.amount, m.scale)::text,
       m.decision,
       CASE m.decision
           WHEN 'PLAYER_BLOCKED' THEN 'the player is blocked'
           WHEN 'ALREADY_GIVEN_BACK' THEN 'every bet of this event was given back already'
           WHEN 'BET_OVERTAKEN' THEN 'an abort of the bet came before it'
           WHEN 'BET_DISCARDED' THEN 'the bet was discarded before it came'
           WHEN 'DEPOSIT_CHECK' THEN 'the deposit was not allowed by a check'
           WHEN 'LIMIT_EXCEEDED' THEN 'a limit of the player would be exceeded'
           WHEN 'DEPOSIT_LIMIT' THEN 'a deposit limit of the player would be exceeded'
           WHEN 'INSUFFICIENT_FUNDS' THEN 'not enough money'
           ELSE m.decision
       END,
       true,
       NULL,
       m.source,
       m.transaction_id,
       m.event_id,
       jsonb_strip_nulls(jsonb_build_object('gameId', m.game_id, 'bonusCode', m.bonus_code,
                                            'extraData', m.extra_data))::text,
       m.event_time,
       m.delivery
FROM public.movements m
JOIN public.players p ON p.player_id = m.player_id
WHERE m.decision NOT IN ('ACCEPTED', 'DECIDED_ELSEWHERE');

COMMENT ON VIEW ops.refusals IS
    'Everything that was refused, with the reason: for ever (the transaction id hears the same code again) or for now. Repeats with other content are among them';
COMMENT ON COLUMN ops.refusals.ledger_time IS 'When it was refused, by the ledger''s clock';
COMMENT ON COLUMN ops.refusals.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.refusals.user_id IS 'The player it was asked for, as sent, whether they exist or not';
COMMENT ON COLUMN ops.refusals.operation IS 'What was asked: moveFunds, or another method''s name';
COMMENT ON COLUMN ops.refusals.event_type IS 'The kind of movement, as sent';
COMMENT ON COLUMN ops.refusals.direction IS 'debit or credit, as sent';
COMMENT ON COLUMN ops.refusals.amount IS 'The amount, as sent';
COMMENT ON COLUMN ops.refusals.refusal IS 'The reason''s name';
COMMENT ON COLUMN ops.refusals.reason IS 'The reason in words';
COMMENT ON COLUMN ops.refusals.is_final IS
    'Whether the transaction id hears this for ever; false: a later attempt may be decided otherwise';
COMMENT ON COLUMN ops.refusals.differs IS
    'The field in which a repeat differs from the movement that has its id; null: no such repeat';
COMMENT ON COLUMN ops.refusals.source IS
    'callback: the aggregator; betby: Betby itself; else the agent that asked through the transfer API';
COMMENT ON COLUMN ops.refusals.transaction_id IS 'The id under which it was asked for';
COMMENT ON COLUMN ops.refusals.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.refusals.asked IS 'What else was asked, as one JSON object, without the token';
COMMENT ON COLUMN ops.refusals.event_time IS 'When the request arrived here';
COMMENT ON COLUMN ops.refusals.delivery IS 'The delivery that brought it';

CREATE VIEW ops.expected_credits AS
SELECT r.ledger_time,
       (r.ledger_time AT TIME ZONE 'UTC')::date AS day,
       r.user_id,
       r.event_type,
       r.amount,
       r.event_id,
       r.transaction_id,
       later.ledger_time AS accepted_later_at
FROM public.refusals r
LEFT JOIN LATERAL (
    SELECT m.ledger_time
    FROM public.transaction_keys k
    JOIN public.movements m ON m.player_id = k.player_id AND m.position = k.position
    WHERE k.source = r.source AND k.transaction_id = r.transaction_id
        AND k.facet IN ('', r.event_type || ':' || r.direction) AND m.decision = 'ACCEPTED'
    LIMIT 1
) AS later ON true
WHERE r.refusal = 'NO_MATCHING_MOVEMENT' AND r.direction = 'credit';

COMMENT ON VIEW ops.expected_credits IS
    'Credits that were refused because nothing in their event matched: money that somebody expects. Each raised an alarm';
COMMENT ON COLUMN ops.expected_credits.ledger_time IS 'When it was refused';
COMMENT ON COLUMN ops.expected_credits.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.expected_credits.user_id IS 'The player who expects it';
COMMENT ON COLUMN ops.expected_credits.event_type IS 'What it would have been: a payment, or an abort';
COMMENT ON COLUMN ops.expected_credits.amount IS 'The amount, as sent';
COMMENT ON COLUMN ops.expected_credits.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.expected_credits.transaction_id IS 'The id under which it was asked for';
COMMENT ON COLUMN ops.expected_credits.accepted_later_at IS
    'When a later attempt under the same id was accepted; null: it still is not';

CREATE VIEW ops.duplicates_with_other_content AS
SELECT r.ledger_time,
       (r.ledger_time AT TIME ZONE 'UTC')::date AS day,
       r.differs,
       r.transaction_id,
       r.source,
       r.user_id,
       p.user_id AS first_user_id,
       r.event_type,
       m.event_type AS first_event_type,
       r.direction,
       m.direction AS first_direction,
       r.amount,
       round(m.amount, m.scale)::text AS first_amount,
       r.event_id,
       m.event_id AS first_event_id,
       m.ledger_time AS first_ledger_time,
       CASE m.decision WHEN 'ACCEPTED' THEN 'accepted' ELSE 'refused' END AS first_decision
FROM public.refusals r
LEFT JOIN LATERAL (
    SELECT f.*
    FROM public.transaction_keys k
    JOIN public.movements f ON f.player_id = k.player_id AND f.position = k.position
    WHERE k.source = r.source AND k.transaction_id = r.transaction_id
        AND k.facet IN ('', r.event_type || ':' || r.direction)
    ORDER BY k.facet DESC
    LIMIT 1
) AS m ON true
LEFT JOIN public.players p ON p.player_id = m.player_id
WHERE r.differs IS NOT NULL;

COMMENT ON VIEW ops.duplicates_with_other_content IS
    'Repeats of a transaction id that say something else than the first time: nothing moved, and each raised an alarm';
COMMENT ON COLUMN ops.duplicates_with_other_content.ledger_time IS 'When the repeat came';
COMMENT ON COLUMN ops.duplicates_with_other_content.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.duplicates_with_other_content.differs IS
    'The first field that differs, as the contract calls it';
COMMENT ON COLUMN ops.duplicates_with_other_content.transaction_id IS 'The id that both bear';
COMMENT ON COLUMN ops.duplicates_with_other_content.source IS 'Whose id it is: callback, or an agent';
COMMENT ON COLUMN ops.duplicates_with_other_content.user_id IS 'The player the repeat named';
COMMENT ON COLUMN ops.duplicates_with_other_content.first_user_id IS
    'The player of the movement that has the id';
COMMENT ON COLUMN ops.duplicates_with_other_content.event_type IS 'What the repeat asked for';
COMMENT ON COLUMN ops.duplicates_with_other_content.first_event_type IS 'What the movement is';
COMMENT ON COLUMN ops.duplicates_with_other_content.direction IS 'Which way the repeat asked for';
COMMENT ON COLUMN ops.duplicates_with_other_content.first_direction IS 'Which way the movement went';
COMMENT ON COLUMN ops.duplicates_with_other_content.amount IS 'The amount of the repeat, as sent';
COMMENT ON COLUMN ops.duplicates_with_other_content.first_amount IS 'The amount of the movement';
COMMENT ON COLUMN ops.duplicates_with_other_content.event_id IS 'The event the repeat named';
COMMENT ON COLUMN ops.duplicates_with_other_content.first_event_id IS 'The event of the movement';
COMMENT ON COLUMN ops.duplicates_with_other_content.first_ledger_time IS 'When the movement was decided';
COMMENT ON COLUMN ops.duplicates_with_other_content.first_decision IS
    'How it was decided: accepted or refused';

CREATE VIEW ops.bets_after_abort AS
SELECT m.ledger_time,
       (m.ledger_time AT TIME ZONE 'UTC')::date AS day,
       p.user_id,
       m.event_id,
       m.game_id,
       round(m.amount, m.scale) AS amount,
       m.currency,
       m.transaction_id,
       abort.ledger_time AS aborted_at,
       abort.transaction_id AS abort_transaction_id,
       EXISTS (
           SELECT FROM public.movements later
           WHERE later.player_id = m.player_id AND later.event_id = m.event_id
               AND later.position > m.position AND later.decision = 'ACCEPTED'
               AND later.event_type IN (SELECT a.event_type FROM public.event_types a
                                        WHERE a.part = 'abort')
               AND later.reverses LIKE m.position || '/%'
       ) AS is_given_back
FROM public.movements m
JOIN public.players p ON p.player_id = m.player_id
LEFT JOIN LATERAL (
    SELECT refused.ledger_time, refused.transaction_id
    FROM (
        SELECT r.ledger_time, r.transaction_id
        FROM public.refusals r
        WHERE r.user_id = p.user_id AND r.event_id = m.event_id
            AND r.refusal = 'NO_MATCHING_MOVEMENT'
            AND r.event_type IN (SELECT a.event_type FROM public.event_types a
                                 WHERE a.part = 'abort')
            AND CASE WHEN r.amount ~ '^[0-9]+([.][0-9]+)?$'
                     THEN r.amount::numeric = m.amount ELSE false END
        UNION ALL
        SELECT e.ledger_time, e.transaction_id
        FROM public.movements e
        WHERE e.player_id = m.player_id AND e.event_id = m.event_id
            AND e.decision = 'ALREADY_GIVEN_BACK' AND e.amount = m.amount
    ) AS refused
    WHERE refused.ledger_time <= m.ledger_time
    ORDER BY refused.ledger_time DESC
    LIMIT 1
) AS abort ON true
WHERE m.flags <> '' AND m.flags LIKE '%abort_overtook%';

COMMENT ON VIEW ops.bets_after_abort IS
    'Bets that were accepted although an abort of their amount had come first and found nothing: the abort overtook its bet, and nobody may abort it again';
COMMENT ON COLUMN ops.bets_after_abort.ledger_time IS 'When the bet was accepted';
COMMENT ON COLUMN ops.bets_after_abort.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.bets_after_abort.user_id IS 'The player';
COMMENT ON COLUMN ops.bets_after_abort.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.bets_after_abort.game_id IS 'The game';
COMMENT ON COLUMN ops.bets_after_abort.amount IS 'The stake';
COMMENT ON COLUMN ops.bets_after_abort.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.bets_after_abort.transaction_id IS 'The bet''s transaction id';
COMMENT ON COLUMN ops.bets_after_abort.aborted_at IS 'When the abort had been refused';
COMMENT ON COLUMN ops.bets_after_abort.abort_transaction_id IS 'The abort''s transaction id';
COMMENT ON COLUMN ops.bets_after_abort.is_given_back IS
    'Whether a later abort gave the stake back after all; false: look into it';

-- This view is about one event type, which it names: the index of remarkable movements does, too.
CREATE VIEW ops.sport_bet_cancels AS
SELECT m.ledger_time,
       (m.ledger_time AT TIME ZONE 'UTC')::date AS day,
       p.user_id,
       m.event_id,
       m.game_id,
       round(m.amount, m.scale) AS amount,
       m.currency,
       CASE
           WHEN undone.only_aborts IS NULL THEN 'nothing that stood'
           WHEN undone.only_aborts THEN 'an abort: the bet stands again'
           ELSE 'payments'
       END AS took_back,
       undone.transaction_ids,
       round(m.amount - coalesce(undone.amount, 0), m.scale) AS uncovered,
       nullif(concat_ws('; ',
           CASE WHEN m.flags LIKE '%event_unknown%' THEN 'the event has no bet' END,
           CASE WHEN m.flags LIKE '%remainder%' THEN 'more than the payments that stood' END,
           CASE WHEN m.flags LIKE '%other_game%' THEN 'not the sportsbook''s game id' END,
           CASE WHEN m.flags LIKE '%abort_overtook%' THEN 'an abort had come before it' END,
           CASE WHEN m.flags LIKE '%token_unknown%' THEN 'the restored ledger did not know its token' END
       ), '') AS remarks,
       round(m.real_before + m.bonus_before, m.scale) AS balance_before,
       round(m.real_after + m.bonus_after, m.scale) AS balance_after,
       m.real_after < 0 AS in_debt,
       m.transaction_id
FROM public.movements m
JOIN public.players p ON p.player_id = m.player_id
LEFT JOIN LATERAL (
    SELECT bool_and(e.part = 'abort') AS only_aborts,
           array_agg(u.transaction_id ORDER BY u.position DESC) AS transaction_ids,
           sum((split_part(undo, '/', 2)::numeric + split_part(undo, '/', 3)::numeric)
               / 10::numeric ^ m.scale) AS amount
    FROM string_to_table(m.reverses, ',') AS undo
    JOIN public.movements u
        ON u.player_id = m.player_id AND u.position = split_part(undo, '/', 1)::bigint
    JOIN public.event_types e ON e.event_type = u.event_type
    WHERE m.reverses <> ''
) AS undone ON true
WHERE m.event_type = 'SportBetCancel';

COMMENT ON VIEW ops.sport_bet_cancels IS
    'The history of SportBetCancel: what each one took back, and whether it left the player in debt';
COMMENT ON COLUMN ops.sport_bet_cancels.ledger_time IS
    'When it was accepted; it is never refused for what it does';
COMMENT ON COLUMN ops.sport_bet_cancels.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.sport_bet_cancels.user_id IS 'The player';
COMMENT ON COLUMN ops.sport_bet_cancels.event_id IS 'The sports bet it re-opens';
COMMENT ON COLUMN ops.sport_bet_cancels.game_id IS 'The game it came under';
COMMENT ON COLUMN ops.sport_bet_cancels.amount IS 'What it debited';
COMMENT ON COLUMN ops.sport_bet_cancels.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.sport_bet_cancels.took_back IS
    'What it undid: payments, an abort, or nothing that stood';
COMMENT ON COLUMN ops.sport_bet_cancels.transaction_ids IS
    'The transaction ids of what it undid, latest first';
COMMENT ON COLUMN ops.sport_bet_cancels.uncovered IS 'What it debited beyond all that';
COMMENT ON COLUMN ops.sport_bet_cancels.remarks IS 'What ops should know about it; null: nothing';
COMMENT ON COLUMN ops.sport_bet_cancels.balance_before IS 'Both pockets before it';
COMMENT ON COLUMN ops.sport_bet_cancels.balance_after IS 'Both pockets after it';
COMMENT ON COLUMN ops.sport_bet_cancels.in_debt IS 'Whether it left the real pocket below zero';
COMMENT ON COLUMN ops.sport_bet_cancels.transaction_id IS 'Its own transaction id';

CREATE VIEW ops.unanswered AS
SELECT u.told_at,
       u.came_back_at,
       p.user_id,
       m.event_type,
       m.direction,
       round(m.amount, m.scale) AS amount,
       m.currency,
       CASE m.decision WHEN 'ACCEPTED' THEN 'accepted' ELSE 'refused' END AS decision,
       m.source,
       m.transaction_id,
       m.event_id,
       m.ledger_time
FROM public.unanswered u
JOIN public.movements m ON m.player_id = u.player_id AND m.position = u.position
JOIN public.players p ON p.player_id = u.player_id;

COMMENT ON VIEW ops.unanswered IS
    'Movements that were decided although their caller had been told 503, until the caller repeats them';
COMMENT ON COLUMN ops.unanswered.told_at IS 'When it was listed: its caller had heard that nobody knows';
COMMENT ON COLUMN ops.unanswered.came_back_at IS
    'When the caller repeated it and was answered; null: not yet';
COMMENT ON COLUMN ops.unanswered.user_id IS 'The player';
COMMENT ON COLUMN ops.unanswered.event_type IS 'What it was';
COMMENT ON COLUMN ops.unanswered.direction IS 'debit or credit';
COMMENT ON COLUMN ops.unanswered.amount IS 'How much';
COMMENT ON COLUMN ops.unanswered.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.unanswered.decision IS 'accepted or refused';
COMMENT ON COLUMN ops.unanswered.source IS 'callback, or the agent that asked';
COMMENT ON COLUMN ops.unanswered.transaction_id IS 'The id under which it was asked for';
COMMENT ON COLUMN ops.unanswered.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.unanswered.ledger_time IS 'When it was decided';

CREATE VIEW ops.maintenance_notices AS
SELECT n.received_at,
       n.status,
       n.batch_id,
       n.game_ids,
       n.provider_ids,
       n.countries,
       n.currencies,
       n.brand_name,
       n.additions,
       n.body,
       n.notice_id
FROM public.maintenance_notices n;

COMMENT ON VIEW ops.maintenance_notices IS 'What the game side announced about its maintenance, as sent';
COMMENT ON COLUMN ops.maintenance_notices.received_at IS 'When the notice arrived';
COMMENT ON COLUMN ops.maintenance_notices.status IS 'started, test, created, finished, failed or canceled';
COMMENT ON COLUMN ops.maintenance_notices.batch_id IS 'The notices of one maintenance share it';
COMMENT ON COLUMN ops.maintenance_notices.game_ids IS 'The games concerned; null: not said';
COMMENT ON COLUMN ops.maintenance_notices.provider_ids IS 'The providers concerned';
COMMENT ON COLUMN ops.maintenance_notices.countries IS 'The countries concerned';
COMMENT ON COLUMN ops.maintenance_notices.currencies IS 'The currencies concerned';
COMMENT ON COLUMN ops.maintenance_notices.brand_name IS 'The brand concerned';
COMMENT ON COLUMN ops.maintenance_notices.additions IS 'Whatever else was said';
COMMENT ON COLUMN ops.maintenance_notices.body IS 'The notice as sent';
COMMENT ON COLUMN ops.maintenance_notices.notice_id IS 'The order of arrival';

CREATE VIEW ops.ledger_settings AS
SELECT s.name,
       s.value
FROM public.decision_settings d
CROSS JOIN LATERAL (VALUES
    ('rule_version', d.rule_version::text),
    ('key_scope', d.key_scope),
    ('stake_order', d.stake_order),
    ('overtaken_bet', d.overtaken_bet),
    ('overtaken_seconds', d.overtaken_seconds::text),
    ('limit_zone', d.limit_zone)
) AS s (name, value);

COMMENT ON VIEW ops.ledger_settings IS
    'The settings that decide money, as this ledger remembers them; a server that differs records nothing';
COMMENT ON COLUMN ops.ledger_settings.name IS 'The setting';
COMMENT ON COLUMN ops.ledger_settings.value IS 'Its value; null: no server has started on this ledger yet';

CREATE VIEW ops.ledger_setting_changes AS
SELECT c.changed_at,
       c.source,
       c.name,
       c.value_before,
       c.value_after
FROM public.decision_setting_changes c;

COMMENT ON VIEW ops.ledger_setting_changes IS
    'Every change of the settings that decide money after the first start';
COMMENT ON COLUMN ops.ledger_setting_changes.changed_at IS 'When it was changed';
COMMENT ON COLUMN ops.ledger_setting_changes.source IS 'Who changed it';
COMMENT ON COLUMN ops.ledger_setting_changes.name IS 'The setting';
COMMENT ON COLUMN ops.ledger_setting_changes.value_before IS 'What it was; null: nothing was remembered';
COMMENT ON COLUMN ops.ledger_setting_changes.value_after IS 'What it is since then';

CREATE VIEW ops.early_aborts AS
SELECT p.user_id,
       a.event_id,
       a.is_streamer,
       a.transaction_id,
       round(a.amount, w.scale) AS amount,
       w.currency,
       a.first_at,
       a.state
FROM public.early_aborts a
JOIN public.wallets w ON w.player_id = a.player_id
JOIN public.players p ON p.player_id = a.player_id;

COMMENT ON VIEW ops.early_aborts IS
    'Aborts that came before the bet they give back: each waits for its bet, which is refused if it comes soon';
COMMENT ON COLUMN ops.early_aborts.user_id IS 'The player';
COMMENT ON COLUMN ops.early_aborts.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.early_aborts.is_streamer IS 'Whether it is about streamer money';
COMMENT ON COLUMN ops.early_aborts.transaction_id IS 'The abort''s transaction id';
COMMENT ON COLUMN ops.early_aborts.amount IS 'The amount of the bet it wants to give back';
COMMENT ON COLUMN ops.early_aborts.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.early_aborts.first_at IS 'When it came for the first time';
COMMENT ON COLUMN ops.early_aborts.state IS
    'waiting: no bet has come; used: it refused its bet; absorbed: its bet had been refused before it came; settled: its id has an outcome';
