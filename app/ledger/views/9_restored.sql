CREATE VIEW ops.time_lines AS
SELECT t.number,
       t.kind,
       t.why,
       t.noticed_at,
       t.noticed_by,
       t.last_movement_at,
       t.kind = 'restored' AND a.number IS NULL AS is_waiting,
       a.answered_at,
       a.by,
       a.is_verified,
       a.came_from,
       a.reason,
       a.money_until,
       t.system_identifier,
       t.timeline_id
FROM public.ledger_timelines t
LEFT JOIN public.ledger_timeline_answers a ON a.number = t.number;

COMMENT ON VIEW ops.time_lines IS
    'The histories of this ledger: the first, those that a standby took over, and those that were restored, with who said yes to them';
COMMENT ON COLUMN ops.time_lines.number IS 'Its number';
COMMENT ON COLUMN ops.time_lines.kind IS
    'first; taken_over: a standby went on; restored: something that was answered may be missing';
COMMENT ON COLUMN ops.time_lines.why IS 'What was seen of it';
COMMENT ON COLUMN ops.time_lines.noticed_at IS 'When it was noticed';
COMMENT ON COLUMN ops.time_lines.noticed_by IS 'The process, or the person, who noticed it';
COMMENT ON COLUMN ops.time_lines.last_movement_at IS
    'When the last movement was decided that it began with: what came after is missing';
COMMENT ON COLUMN ops.time_lines.is_waiting IS 'Whether nobody is served before somebody says yes';
COMMENT ON COLUMN ops.time_lines.answered_at IS 'When somebody said yes';
COMMENT ON COLUMN ops.time_lines.by IS 'Who said yes';
COMMENT ON COLUMN ops.time_lines.is_verified IS 'Whether they had signed in';
COMMENT ON COLUMN ops.time_lines.came_from IS 'Where they were';
COMMENT ON COLUMN ops.time_lines.reason IS 'What they wrote';
COMMENT ON COLUMN ops.time_lines.money_until IS
    'Until when money is taken under tokens that it does not know, and listed for players whom it does not know';
COMMENT ON COLUMN ops.time_lines.system_identifier IS 'The cluster of PostgreSQL';
COMMENT ON COLUMN ops.time_lines.timeline_id IS 'PostgreSQL''s own number for the timeline';

CREATE VIEW ops.unknown_players AS
SELECT a.number AS time_line,
       r.user_id,
       count(DISTINCT r.transaction_id) AS movements,
       min(r.ledger_time) AS first_at,
       max(r.ledger_time) AS last_at,
       array_agg(DISTINCT r.transaction_id ORDER BY r.transaction_id) AS transaction_ids,
       array_agg(DISTINCT r.event_type ORDER BY r.event_type) AS event_types,
       EXISTS (SELECT FROM public.players p WHERE p.user_id = r.user_id) AS is_known_now
FROM public.ledger_timeline_answers a
JOIN public.refusals r ON r.ledger_time >= a.answered_at AND r.ledger_time < a.money_until
JOIN public.event_types e ON e.event_type = r.event_type
WHERE r.operation = 'moveFunds' AND r.refusal = 'PLAYER_UNKNOWN' AND NOT e.is_play
GROUP BY a.number, r.user_id;

COMMENT ON VIEW ops.unknown_players IS
    'Players for whom money came after a restore, and whom the restored ledger does not know: open their accounts, and the aggregator delivers it again';
COMMENT ON COLUMN ops.unknown_players.time_line IS 'The restored time line, by its number';
COMMENT ON COLUMN ops.unknown_players.user_id IS 'The player, as sent';
COMMENT ON COLUMN ops.unknown_players.movements IS 'How many movements came for them';
COMMENT ON COLUMN ops.unknown_players.first_at IS 'When the first one came';
COMMENT ON COLUMN ops.unknown_players.last_at IS 'When the latest one came';
COMMENT ON COLUMN ops.unknown_players.transaction_ids IS 'Their ids: each is one row of ops.refusals or more';
COMMENT ON COLUMN ops.unknown_players.event_types IS 'What they were';
COMMENT ON COLUMN ops.unknown_players.is_known_now IS 'Whether the account was opened again since';
