CREATE VIEW ops.events AS
SELECT e.agent,
       e.number,
       e.type,
       p.user_id,
       e.occurred_at,
       (e.occurred_at AT TIME ZONE 'UTC')::date AS day,
       m.transaction_id,
       m.event_type,
       e.place,
       e.player_id
FROM public.event_log e
JOIN public.players p ON p.player_id = e.player_id
LEFT JOIN public.movements m ON m.player_id = e.player_id AND m.position = e.place
    AND e.type IN ('movement.posted', 'movement.declined', 'limit.hit', 'round.settled');

COMMENT ON VIEW ops.events IS
    'What the operators'' platforms are told, by the transfer API''s events and by webhooks, in the order of each agent';
COMMENT ON COLUMN ops.events.agent IS 'The operator''s platform that hears it';
COMMENT ON COLUMN ops.events.number IS 'Its place among the events of this agent, as in cursors';
COMMENT ON COLUMN ops.events.type IS 'What it tells';
COMMENT ON COLUMN ops.events.user_id IS 'The player';
COMMENT ON COLUMN ops.events.occurred_at IS 'When it was decided, by the ledger''s clock';
COMMENT ON COLUMN ops.events.day IS 'The UTC day of occurred_at';
COMMENT ON COLUMN ops.events.transaction_id IS 'The movement that it tells of; null: of something else';
COMMENT ON COLUMN ops.events.event_type IS 'The kind of that movement';
COMMENT ON COLUMN ops.events.place IS
    'Which row it tells of: the movement''s position, the change''s or the exception''s number; 0: the account';
COMMENT ON COLUMN ops.events.player_id IS 'The player''s number here';

CREATE VIEW ops.deliveries AS
SELECT d.agent,
       d.state,
       d.failures,
       d.failing_since,
       d.last_outcome,
       d.next_attempt_at,
       d.delivered_at,
       coalesce(h.last_number, 0) AS last_number,
       s.delivered_to,
       r.waiting,
       r.parked
FROM public.webhook_endpoints d
LEFT JOIN public.event_log_heads h ON h.agent = d.agent
CROSS JOIN LATERAL (
    SELECT min(w.delivered_to) AS delivered_to FROM public.webhook_shards w WHERE w.agent = d.agent
) s
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE w.state = 'waiting') AS waiting,
           count(*) FILTER (WHERE w.state = 'parked') AS parked
    FROM public.webhook_retries w WHERE w.agent = d.agent AND w.state <> 'delivered'
) r;

COMMENT ON VIEW ops.deliveries IS
    'How webhooks stand: each endpoint, how far it has heard, and what it has not taken';
COMMENT ON COLUMN ops.deliveries.agent IS 'The operator''s platform whose endpoint it is';
COMMENT ON COLUMN ops.deliveries.state IS
    'active, or parked: nothing is sent until somebody says `wallet deliveries retry`';
COMMENT ON COLUMN ops.deliveries.failures IS 'Failed attempts one after the other';
COMMENT ON COLUMN ops.deliveries.failing_since IS 'Since when; null: the last attempt went well';
COMMENT ON COLUMN ops.deliveries.last_outcome IS 'The HTTP status of the last answer, or why there was none';
COMMENT ON COLUMN ops.deliveries.next_attempt_at IS 'When it is tried again; null: at once';
COMMENT ON COLUMN ops.deliveries.delivered_at IS 'When it last took an event, to some seconds';
COMMENT ON COLUMN ops.deliveries.last_number IS 'The number of the agent''s last event';
COMMENT ON COLUMN ops.deliveries.delivered_to IS 'Up to which number everything was delivered, or set aside to be tried again';
COMMENT ON COLUMN ops.deliveries.waiting IS 'Events that were set aside and are tried again';
COMMENT ON COLUMN ops.deliveries.parked IS 'Events that were given up after three days';
