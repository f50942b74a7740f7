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

CREATE VIEW ops.simulated_players AS
SELECT p.player_id,
       p.user_id,
       p.currency
FROM public.players p
WHERE p.agent = 'simulator';

COMMENT ON VIEW ops.simulated_players IS
    'Players of `wallet simulate`, who have an agent of their own. What they play is in the journal and in the books, and in no figure of revenue or play';
COMMENT ON COLUMN ops.simulated_players.player_id IS 'Our own number for the player';
COMMENT ON COLUMN ops.simulated_players.user_id IS 'The player';
COMMENT ON COLUMN ops.simulated_players.currency IS 'The player''s currency';

CREATE VIEW ops.tokens AS
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

COMMENT ON VIEW ops.tokens IS
    'Session tokens of a player, counted; neither a token nor its hash can be seen here';
COMMENT ON COLUMN ops.tokens.user_id IS 'The player';
COMMENT ON COLUMN ops.tokens.origin IS
    'Who issued the token: transfer (the operator''s platform), callback (getUserToken), platform (its own signed token), console';
COMMENT ON COLUMN ops.tokens.issued IS 'How many tokens, ever';
COMMENT ON COLUMN ops.tokens.live IS 'How many of them have not expired at this moment';
COMMENT ON COLUMN ops.tokens.first_issued_at IS 'When the first was issued';
COMMENT ON COLUMN ops.tokens.last_issued_at IS 'When the latest was issued';
COMMENT ON COLUMN ops.tokens.last_expires_at IS 'When the last of them expires, or expired';

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
