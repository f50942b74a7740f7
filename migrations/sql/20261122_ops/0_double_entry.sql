COMMENT ON SCHEMA ops IS
    'What operations may read: documented views, and nothing but views. Days are UTC days, amounts are major units';

COMMENT ON COLUMN ops.entries.player_id IS 'Our own number for the player';
COMMENT ON COLUMN ops.entries.position IS 'The movement''s place in the player''s chain; its three entries share it';
COMMENT ON COLUMN ops.entries.ledger_time IS 'When it was decided, by the ledger''s clock';
COMMENT ON COLUMN ops.entries.event_type IS 'What moved the money';
COMMENT ON COLUMN ops.entries.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.entries.account IS
    'A pocket of the player, player:<player_id>:real or :bonus, or the house account on the other side';
COMMENT ON COLUMN ops.entries.amount IS 'What the account gained, or lost (negative)';
COMMENT ON COLUMN ops.house_accounts.account IS
    'games, streamers, tips, promotions, corrections, cashier or bonuses, behind house:';
COMMENT ON COLUMN ops.house_accounts.currency IS 'The currency';
COMMENT ON COLUMN ops.house_accounts.balance IS 'What the house gained on it, or lost (negative)';
COMMENT ON COLUMN ops.house_accounts.movements IS 'How many accepted movements it is the sum of';
