CREATE VIEW ops.rounds AS
SELECT p.user_id,
       r.event_id,
       r.is_streamer,
       r.game_id,
       r.currency,
       CASE
           WHEN r.bets_placed = 0 THEN 'no bet'
           WHEN r.settled THEN 'settled'
           WHEN r.bets_standing > 0 AND r.cancels > 0 THEN 're-opened'
           WHEN r.bets_standing > 0 THEN 'open'
           ELSE 'given back'
       END AS status,
       r.opened_at,
       r.last_at,
       r.bets_placed,
       r.bets_standing AS bets_open,
       round(r.staked, r.scale) AS staked,
       round(r.stake_real + r.stake_bonus, r.scale) AS stake_open,
       round(r.paid - r.taken_back, r.scale) AS paid_net,
       round(r.taken_back, r.scale) AS taken_back,
       round(r.remainder, r.scale) AS uncovered,
       r.cancels,
       r.player_id
FROM public.rounds r
JOIN public.players p ON p.player_id = r.player_id;

COMMENT ON VIEW ops.rounds IS
    'Every event with a bet: what was staked, paid and taken back, and how it stands. Streamer bets have a round of their own beside the ordinary one of the same event';
COMMENT ON COLUMN ops.rounds.user_id IS 'The player';
COMMENT ON COLUMN ops.rounds.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.rounds.is_streamer IS 'Whether it is played with streamer money';
COMMENT ON COLUMN ops.rounds.game_id IS 'The game of the first movement';
COMMENT ON COLUMN ops.rounds.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.rounds.status IS
    'open: a bet waits for its result; re-opened: it waits again, after a SportBetCancel; settled: a payment (a Lose of 0 too) came after the latest bet and SportBetCancel; given back: no bet stands; no bet: only refused aborts or SportBetCancels so far';
COMMENT ON COLUMN ops.rounds.opened_at IS 'When its first movement came';
COMMENT ON COLUMN ops.rounds.last_at IS 'When its latest movement came';
COMMENT ON COLUMN ops.rounds.bets_placed IS 'How many bets, ever';
COMMENT ON COLUMN ops.rounds.bets_open IS 'How many of them were not given back';
COMMENT ON COLUMN ops.rounds.staked IS 'All stakes ever placed';
COMMENT ON COLUMN ops.rounds.stake_open IS 'The stakes of open bets';
COMMENT ON COLUMN ops.rounds.paid_net IS 'What was paid and not taken back';
COMMENT ON COLUMN ops.rounds.taken_back IS 'What was taken back of payments';
COMMENT ON COLUMN ops.rounds.uncovered IS 'What SportBetCancels took beyond the payments there were';
COMMENT ON COLUMN ops.rounds.cancels IS 'How many SportBetCancels were accepted';
COMMENT ON COLUMN ops.rounds.player_id IS 'Our own number for the player';

CREATE VIEW ops.open_rounds AS
SELECT p.user_id,
       r.event_id,
       r.is_streamer,
       r.game_id,
       r.currency,
       CASE WHEN r.cancels > 0 THEN 're-opened' ELSE 'open' END AS status,
       round(r.stake_real + r.stake_bonus, r.scale) AS stake_open,
       r.bets_standing AS bets_open,
       r.opened_at,
       r.last_at,
       date_trunc('second', now() - r.last_at) AS waiting,
       r.player_id
FROM public.rounds r
JOIN public.players p ON p.player_id = r.player_id
WHERE NOT r.settled AND r.bets_standing > 0;

COMMENT ON VIEW ops.open_rounds IS
    'Rounds whose bets wait for their result, re-opened ones included: the exposure, bet by bet';
COMMENT ON COLUMN ops.open_rounds.user_id IS 'The player';
COMMENT ON COLUMN ops.open_rounds.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.open_rounds.is_streamer IS 'Whether it is played with streamer money';
COMMENT ON COLUMN ops.open_rounds.game_id IS 'The game';
COMMENT ON COLUMN ops.open_rounds.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.open_rounds.status IS 'open, or re-opened by a SportBetCancel';
COMMENT ON COLUMN ops.open_rounds.stake_open IS 'What the player has at stake';
COMMENT ON COLUMN ops.open_rounds.bets_open IS 'How many bets wait';
COMMENT ON COLUMN ops.open_rounds.opened_at IS 'When the round was opened';
COMMENT ON COLUMN ops.open_rounds.last_at IS 'When its latest movement came';
COMMENT ON COLUMN ops.open_rounds.waiting IS 'How long nothing has happened in it';
COMMENT ON COLUMN ops.open_rounds.player_id IS 'Our own number for the player';

CREATE VIEW ops.exposure AS
SELECT o.currency,
       o.game_id,
       o.is_streamer,
       count(*) AS open_rounds,
       sum(o.bets_open) AS bets_open,
       sum(o.stake_open) AS stake_open,
       min(o.last_at) AS oldest
FROM ops.open_rounds o
WHERE NOT EXISTS (SELECT FROM ops.simulated_players s WHERE s.user_id = o.user_id)
GROUP BY o.currency, o.game_id, o.is_streamer;

COMMENT ON VIEW ops.exposure IS
    'Stakes that wait for their result, by currency and game. What the house may have to pay on sports bets is in ops.sport_liability';
COMMENT ON COLUMN ops.exposure.currency IS 'The currency';
COMMENT ON COLUMN ops.exposure.game_id IS 'The game; one and the same for all sports bets';
COMMENT ON COLUMN ops.exposure.is_streamer IS 'Whether it is streamer money';
COMMENT ON COLUMN ops.exposure.open_rounds IS 'How many rounds wait';
COMMENT ON COLUMN ops.exposure.bets_open IS 'How many bets wait in them';
COMMENT ON COLUMN ops.exposure.stake_open IS 'What the players have at stake';
COMMENT ON COLUMN ops.exposure.oldest IS 'The latest movement of the round that has waited longest';
