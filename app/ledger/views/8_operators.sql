CREATE VIEW ops.operators AS
SELECT o.name,
       o.roles,
       o.created_at,
       o.disabled_at,
       (SELECT max(s.started_at) FROM public.operator_sessions s WHERE s.name = o.name) AS last_sign_in_at,
       (SELECT count(*) FROM public.operator_sessions s
        WHERE s.name = o.name AND s.ended_at IS NULL AND s.ends_at > now()
            AND s.used_at > now() - s.idle_seconds * interval '1 second') AS live_sessions
FROM public.operators o;

COMMENT ON VIEW ops.operators IS
    'The operator''s own people who may sign in to the back office and at the console; what they sign in with cannot be seen';
COMMENT ON COLUMN ops.operators.name IS 'What they sign in as';
COMMENT ON COLUMN ops.operators.roles IS
    'Their roles: support, risk, finance, approver, auditor, admin';
COMMENT ON COLUMN ops.operators.created_at IS 'When they were added';
COMMENT ON COLUMN ops.operators.disabled_at IS 'Since when they may not sign in any more; null: they may';
COMMENT ON COLUMN ops.operators.last_sign_in_at IS 'When they signed in last; null: never yet';
COMMENT ON COLUMN ops.operators.live_sessions IS 'How many of their sessions have not ended';

CREATE VIEW ops.operator_actions AS
SELECT a.action_id,
       a.ledger_time,
       (a.ledger_time AT TIME ZONE 'UTC')::date AS day,
       a.actor,
       a.is_verified,
       a.via,
       a.source,
       a.action,
       a.subject_kind,
       a.subject,
       a.reason,
       a.outcome,
       a.details,
       a.delivery
FROM public.operator_actions a;

COMMENT ON VIEW ops.operator_actions IS
    'What the operator''s people looked at and did: append-only, numbered without gaps, each row chained to the one before it';
COMMENT ON COLUMN ops.operator_actions.action_id IS 'Its number in the chain, from 1';
COMMENT ON COLUMN ops.operator_actions.ledger_time IS 'When, by the ledger''s clock';
COMMENT ON COLUMN ops.operator_actions.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.operator_actions.actor IS
    'Who: the name they signed in with; empty: somebody tried a name that nobody has';
COMMENT ON COLUMN ops.operator_actions.is_verified IS
    'Whether they had signed in; false: at the console, named by the operating system alone';
COMMENT ON COLUMN ops.operator_actions.via IS 'page: the back office; console: `wallet …`';
COMMENT ON COLUMN ops.operator_actions.source IS 'Where they acted from: an address, or a terminal';
COMMENT ON COLUMN ops.operator_actions.action IS 'What they did, such as player.look or player.block';
COMMENT ON COLUMN ops.operator_actions.subject_kind IS
    'What it was done to: player, movement, round, user, search, …';
COMMENT ON COLUMN ops.operator_actions.subject IS 'The id of that';
COMMENT ON COLUMN ops.operator_actions.reason IS 'Why, as they wrote it; null: none was asked for';
COMMENT ON COLUMN ops.operator_actions.outcome IS 'done or refused';
COMMENT ON COLUMN ops.operator_actions.details IS 'What else is to be known, as JSON';
COMMENT ON COLUMN ops.operator_actions.delivery IS
    'The request it came with: log lines and ops.account_changes of the same request name it too';
