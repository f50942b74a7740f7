COMMENT ON SCHEMA ops IS
    'What operations may read: documented views, and nothing but views. Days are UTC days, amounts are major units';

CREATE VIEW ops.event_types AS
SELECT e.event_type,
       e.words,
       e.part,
       e.contra,
       e.counts_as,
       e.debit,
       e.credit,
       e.may_overdraw,
       e.is_play,
       e.is_streamer,
       e.is_cashier,
       e.moves_from
FROM public.event_types e;

COMMENT ON VIEW ops.event_types IS
    'Every kind of movement and what it counts as: the table that all other views look into';
COMMENT ON COLUMN ops.event_types.event_type IS 'Its name, as the contracts spell it';
COMMENT ON COLUMN ops.event_types.words IS 'What a statement calls it';
COMMENT ON COLUMN ops.event_types.part IS
    'bet, payment, abort (gives a bet back), payment_abort (takes a payment back), cancel (re-opens a settled bet), or none: it stands outside rounds';
COMMENT ON COLUMN ops.event_types.contra IS 'The house account on the other side';
COMMENT ON COLUMN ops.event_types.counts_as IS
    'The figure of ops.daily_movements it counts in; those of streamers stand in ops.daily_streamer_revenue';
COMMENT ON COLUMN ops.event_types.debit IS
    'Whether it may take money from a player: any amount, zero only, or never';
COMMENT ON COLUMN ops.event_types.credit IS
    'Whether it may bring money to a player: any amount, zero only, or never';
COMMENT ON COLUMN ops.event_types.may_overdraw IS 'Whether it may take the real pocket below zero';
COMMENT ON COLUMN ops.event_types.is_play IS
    'Whether it is a debit of play: it needs a live token, and limits look at it';
COMMENT ON COLUMN ops.event_types.is_streamer IS
    'Whether it is streamer money, which no figure of revenue contains';
COMMENT ON COLUMN ops.event_types.is_cashier IS
    'Whether the operator''s platform asks for it, through the transfer API';
COMMENT ON COLUMN ops.event_types.moves_from IS
    'The house account that pays instead of the player''s pockets; null: the pockets do';

CREATE VIEW ops.entries AS
SELECT m.player_id, m.position, m.ledger_time, m.event_type, m.currency, e.account, e.amount
FROM public.movements m
JOIN public.event_types t ON t.event_type = m.event_type
CROSS JOIN LATERAL (VALUES
    (format('player:%s:real', m.player_id), m.real_delta),
    (format('player:%s:bonus', m.player_id), m.bonus_delta),
    (m.contra, CASE WHEN t.moves_from IS NULL THEN -(m.real_delta + m.bonus_delta)
                    ELSE m.amount END),
    (t.moves_from, -m.amount)
) AS e (account, amount)
WHERE m.decision = 'ACCEPTED' AND e.account IS NOT NULL;

COMMENT ON VIEW ops.entries IS
    'Double entry: every accepted movement as three entries that sum to zero in its currency, and a fourth where one house account pays another';
COMMENT ON COLUMN ops.entries.player_id IS 'Our own number for the player';
COMMENT ON COLUMN ops.entries.position IS 'The movement''s place in the player''s chain; its three entries share it';
COMMENT ON COLUMN ops.entries.ledger_time IS 'When it was decided, by the ledger''s clock';
COMMENT ON COLUMN ops.entries.event_type IS 'What moved the money';
COMMENT ON COLUMN ops.entries.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.entries.account IS
    'A pocket of the player, player:<player_id>:real or :bonus, or the house account on the other side';
COMMENT ON COLUMN ops.entries.amount IS 'What the account gained, or lost (negative)';

CREATE VIEW ops.house_accounts AS
SELECT h.account, s.currency, sum(h.balance) AS balance, sum(s.movements)::bigint AS movements
FROM (
    SELECT m.contra, m.currency, e.moves_from, count(*) AS movements,
           -sum(m.real_delta + m.bonus_delta) AS gained, sum(m.amount) AS amount
    FROM public.movements m
    JOIN public.event_types e ON e.event_type = m.event_type
    WHERE m.decision = 'ACCEPTED'
    GROUP BY m.contra, m.currency, e.moves_from
) AS s
CROSS JOIN LATERAL (VALUES
    (s.contra, CASE WHEN s.moves_from IS NULL THEN s.gained ELSE s.amount END),
    (s.moves_from, -s.amount)
) AS h (account, balance)
WHERE h.account IS NOT NULL
GROUP BY h.account, s.currency;

COMMENT ON VIEW ops.house_accounts IS
    'What each house account holds: a sum over the journal, never a row that is updated';
COMMENT ON COLUMN ops.house_accounts.account IS
    'games, streamers, tips, promotions, corrections, cashier, pending (withdrawals under way), bonuses, adjustments or imports, behind house:';
COMMENT ON COLUMN ops.house_accounts.currency IS 'The currency';
COMMENT ON COLUMN ops.house_accounts.balance IS 'What the house gained on it, or lost (negative)';
COMMENT ON COLUMN ops.house_accounts.movements IS 'How many accepted movements it is the sum of';
