CREATE VIEW ops.movements AS
SELECT m.ledger_time,
       (m.ledger_time AT TIME ZONE 'UTC')::date AS day,
       p.user_id,
       m.position,
       m.event_type,
       m.direction,
       round(m.amount, m.scale) AS amount,
       m.currency,
       CASE m.decision WHEN 'ACCEPTED' THEN 'accepted' WHEN 'DECIDED_ELSEWHERE' THEN 'elsewhere'
                       ELSE 'refused' END AS decision,
       CASE m.decision
           WHEN 'DECIDED_ELSEWHERE' THEN 'another wallet had accepted it before the players moved here'
           WHEN 'PLAYER_BLOCKED' THEN 'the player is blocked'
           WHEN 'ALREADY_GIVEN_BACK' THEN 'every bet of this event was given back already'
           WHEN 'BET_OVERTAKEN' THEN 'an abort of the bet came before it'
           WHEN 'BET_DISCARDED' THEN 'the bet was discarded before it came'
           WHEN 'DEPOSIT_CHECK' THEN 'the deposit was not allowed by a check'
           WHEN 'LIMIT_EXCEEDED' THEN 'a limit of the player would be exceeded'
           WHEN 'DEPOSIT_LIMIT' THEN 'a deposit limit of the player would be exceeded'
           WHEN 'INSUFFICIENT_FUNDS' THEN 'not enough money'
           WHEN 'ACCEPTED' THEN NULL
           ELSE m.decision
       END AS reason,
       nullif(concat_ws('; ',
           CASE WHEN m.flags LIKE '%event_unknown%' THEN 'the event has no bet' END,
           CASE WHEN m.flags LIKE '%remainder%' THEN 'more than the payments that stood' END,
           CASE WHEN m.flags LIKE '%other_game%' THEN 'not the sportsbook''s game id' END,
           CASE WHEN m.flags LIKE '%abort_overtook%' THEN 'an abort had come before it' END,
           CASE WHEN m.flags LIKE '%abort_beside_payment%' THEN 'another bet of the event was paid' END,
           CASE WHEN m.flags LIKE '%token_unknown%' THEN 'the restored ledger did not know its token' END,
           CASE WHEN m.flags LIKE '%paid_bet_given_back%' THEN 'a payment of the bet stands' END,
           CASE WHEN m.flags LIKE '%overdrawn%' THEN 'the player owes what was missing' END
       ), '') AS remarks,
       round(m.real_delta, m.scale) AS real_delta,
       round(m.bonus_delta, m.scale) AS bonus_delta,
       round(m.real_before + m.bonus_before, m.scale) AS balance_before,
       round(m.real_after + m.bonus_after, m.scale) AS balance_after,
       m.source,
       m.transaction_id,
       m.event_id,
       m.game_id,
       m.bonus_code,
       m.extra_data,
       m.reverses,
       m.event_time,
       m.delivery,
       m.player_id
FROM public.movements m
JOIN public.players p ON p.player_id = m.player_id;

COMMENT ON VIEW ops.movements IS
    'The journal in words: every movement that was decided for ever, accepted or refused. What was refused without a lasting outcome is in ops.refusals only';
COMMENT ON COLUMN ops.movements.ledger_time IS 'When it was decided, by the ledger''s clock';
COMMENT ON COLUMN ops.movements.day IS
    'The UTC day of ledger_time: the day on which it counts in every report';
COMMENT ON COLUMN ops.movements.user_id IS 'The player';
COMMENT ON COLUMN ops.movements.position IS 'Its place in the player''s chain, from 1, without gaps';
COMMENT ON COLUMN ops.movements.event_type IS 'What it was, as the contracts spell it';
COMMENT ON COLUMN ops.movements.direction IS 'debit: from the player; credit: to the player';
COMMENT ON COLUMN ops.movements.amount IS 'How much was asked for, in major units';
COMMENT ON COLUMN ops.movements.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.movements.decision IS
    'accepted or refused; a refusal here is the outcome of its transaction id for ever. elsewhere: another wallet had accepted it, and it moved nothing here';
COMMENT ON COLUMN ops.movements.reason IS 'Why it was refused; null: it was accepted';
COMMENT ON COLUMN ops.movements.remarks IS 'What ops should know about an accepted movement; null: nothing';
COMMENT ON COLUMN ops.movements.real_delta IS 'What the real pocket gained, or lost (negative)';
COMMENT ON COLUMN ops.movements.bonus_delta IS 'What the bonus pocket gained, or lost (negative)';
COMMENT ON COLUMN ops.movements.balance_before IS 'Both pockets before it';
COMMENT ON COLUMN ops.movements.balance_after IS 'Both pockets after it';
COMMENT ON COLUMN ops.movements.source IS
    'callback: the aggregator; betby: Betby itself; else the agent that asked through the transfer API';
COMMENT ON COLUMN ops.movements.transaction_id IS 'The id under which it was asked for';
COMMENT ON COLUMN ops.movements.event_id IS 'The round, or the sports bet; null for the cashier''s movements';
COMMENT ON COLUMN ops.movements.game_id IS
    'The game; one and the same for all sports bets; null for the cashier''s movements';
COMMENT ON COLUMN ops.movements.bonus_code IS 'The free spins or promotion it belongs to';
COMMENT ON COLUMN ops.movements.extra_data IS
    'What the game side sent along, as sent; unsigned, so never more than a hint';
COMMENT ON COLUMN ops.movements.reverses IS
    'What it gave or took back: position/real/bonus of earlier movements, in minor units';
COMMENT ON COLUMN ops.movements.event_time IS 'When the request arrived here';
COMMENT ON COLUMN ops.movements.delivery IS
    'The delivery that brought it: a repeat of the same transaction id is another one';
COMMENT ON COLUMN ops.movements.player_id IS 'Our own number for the player';

CREATE VIEW ops.transactions AS
SELECT k.source,
       k.transaction_id,
       m.ledger_time,
       p.user_id,
       m.event_type,
       m.direction,
       round(m.amount, m.scale) AS amount,
       m.currency,
       CASE m.decision
           WHEN 'ACCEPTED' THEN 'accepted'
           WHEN 'DECIDED_ELSEWHERE' THEN 'accepted by another wallet before the players moved here'
           WHEN 'PLAYER_BLOCKED' THEN 'refused: the player is blocked'
           WHEN 'ALREADY_GIVEN_BACK' THEN 'refused: every bet of this event was given back already'
           WHEN 'BET_OVERTAKEN' THEN 'refused: an abort of the bet came before it'
           WHEN 'BET_DISCARDED' THEN 'refused: the bet was discarded before it came'
           WHEN 'DEPOSIT_CHECK' THEN 'refused: the deposit was not allowed by a check'
           WHEN 'LIMIT_EXCEEDED' THEN 'refused: a limit of the player would be exceeded'
           WHEN 'DEPOSIT_LIMIT' THEN 'refused: a deposit limit of the player would be exceeded'
           WHEN 'INSUFFICIENT_FUNDS' THEN 'refused: not enough money'
           ELSE m.decision
       END AS outcome,
       round(m.real_after + m.bonus_after, m.scale) AS balance_after,
       m.event_id,
       m.game_id,
       m.position,
       m.player_id
FROM public.transaction_keys k
JOIN public.movements m ON m.player_id = k.player_id AND m.position = k.position
JOIN public.players p ON p.player_id = m.player_id;

COMMENT ON VIEW ops.transactions IS
    'What became of a transaction id. Name the source and the transaction_id: this view finds them by key, however long the journal is';
COMMENT ON COLUMN ops.transactions.source IS
    'callback: the aggregator; betby: Betby itself; else the agent that asked through the transfer API';
COMMENT ON COLUMN ops.transactions.transaction_id IS 'The id';
COMMENT ON COLUMN ops.transactions.ledger_time IS 'When it was decided';
COMMENT ON COLUMN ops.transactions.user_id IS 'The player';
COMMENT ON COLUMN ops.transactions.event_type IS 'What it was';
COMMENT ON COLUMN ops.transactions.direction IS 'debit or credit';
COMMENT ON COLUMN ops.transactions.amount IS 'How much';
COMMENT ON COLUMN ops.transactions.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.transactions.outcome IS 'accepted, or refused for ever and why';
COMMENT ON COLUMN ops.transactions.balance_after IS 'Both pockets after it';
COMMENT ON COLUMN ops.transactions.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.transactions.game_id IS 'The game';
COMMENT ON COLUMN ops.transactions.position IS 'Its place in the player''s chain';
COMMENT ON COLUMN ops.transactions.player_id IS 'Our own number for the player';

CREATE VIEW ops.statement AS
SELECT p.user_id,
       m.version AS line,
       m.ledger_time,
       (m.ledger_time AT TIME ZONE 'UTC')::date AS day,
       e.words AS what,
       round(CASE m.direction WHEN 'credit' THEN m.amount END, m.scale) AS money_in,
       round(CASE WHEN m.direction = 'debit' AND e.moves_from IS NULL THEN m.amount END,
             m.scale) AS money_out,
       round(m.real_after, m.scale) AS real,
       round(m.bonus_after, m.scale) AS bonus,
       round(m.real_after + m.bonus_after, m.scale) AS balance,
       m.currency,
       m.transaction_id,
       m.event_id,
       m.game_id,
       m.position,
       m.player_id
FROM public.movements m
JOIN public.players p ON p.player_id = m.player_id
JOIN public.event_types e ON e.event_type = m.event_type
WHERE m.decision = 'ACCEPTED';

COMMENT ON VIEW ops.statement IS
    'A player''s statement: every accepted movement with what it did and left. Ask for one user_id, in the order of line';
COMMENT ON COLUMN ops.statement.user_id IS 'The player';
COMMENT ON COLUMN ops.statement.line IS 'The line of the statement, from 1, without gaps';
COMMENT ON COLUMN ops.statement.ledger_time IS 'When it happened, by the ledger''s clock';
COMMENT ON COLUMN ops.statement.day IS 'The UTC day of ledger_time';
COMMENT ON COLUMN ops.statement.what IS 'What happened, in words';
COMMENT ON COLUMN ops.statement.money_in IS 'What the player received; null: they paid';
COMMENT ON COLUMN ops.statement.money_out IS 'What left the balance; null: they received, or it had left before';
COMMENT ON COLUMN ops.statement.real IS 'The real pocket after it';
COMMENT ON COLUMN ops.statement.bonus IS 'The bonus pocket after it';
COMMENT ON COLUMN ops.statement.balance IS 'Both pockets after it';
COMMENT ON COLUMN ops.statement.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.statement.transaction_id IS 'The id under which it was asked for';
COMMENT ON COLUMN ops.statement.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.statement.game_id IS 'The game';
COMMENT ON COLUMN ops.statement.position IS 'Its place in the player''s chain, refusals counted too';
COMMENT ON COLUMN ops.statement.player_id IS 'Our own number for the player';
