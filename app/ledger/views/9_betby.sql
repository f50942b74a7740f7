CREATE VIEW ops.betby_notes AS
SELECT n.noted_at,
       p.user_id,
       m.transaction_id,
       m.event_id,
       n.note,
       nullif(n.status, '') AS status,
       n.differs,
       round(m.amount, m.scale) AS stake,
       m.currency,
       n.position,
       n.player_id
FROM public.betby_notes n
JOIN public.movements m ON m.player_id = n.player_id AND m.position = n.position
JOIN public.players p ON p.player_id = n.player_id;

COMMENT ON VIEW ops.betby_notes IS
    'What Betby said about its bets without moving money: that a slip was accepted, and its last word about it, some thirty days later';
COMMENT ON COLUMN ops.betby_notes.noted_at IS 'When Betby said so for the first time';
COMMENT ON COLUMN ops.betby_notes.user_id IS 'The player';
COMMENT ON COLUMN ops.betby_notes.transaction_id IS 'Betby''s id of the bet';
COMMENT ON COLUMN ops.betby_notes.event_id IS 'The bet''s round';
COMMENT ON COLUMN ops.betby_notes.note IS 'commit: the slip was accepted; settlement: the last word';
COMMENT ON COLUMN ops.betby_notes.status IS 'How Betby settled the bet; null: the note is a commit';
COMMENT ON COLUMN ops.betby_notes.differs IS
    'How that differed from what had been done; null: it did not';
COMMENT ON COLUMN ops.betby_notes.stake IS 'The bet''s stake';
COMMENT ON COLUMN ops.betby_notes.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.betby_notes.position IS 'The bet''s place in the player''s chain';
COMMENT ON COLUMN ops.betby_notes.player_id IS 'Our own number for the player';
