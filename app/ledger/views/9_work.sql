CREATE VIEW ops.adjustments AS
SELECT a.adjustment_id,
       coalesce(d.decision, CASE WHEN now() >= a.expires_at THEN 'expired' ELSE 'open' END) AS state,
       p.user_id,
       a.direction,
       a.pocket,
       round(a.amount, a.scale) AS amount,
       a.currency,
       a.reason,
       a.ticket,
       a.note,
       a.source AS settles_source,
       a.transaction_id AS settles_transaction_id,
       a.facet AS settles_facet,
       a.proposed_by,
       a.proposed_is_verified,
       a.proposed_at,
       a.expires_at,
       d.decided_by,
       d.decided_is_verified,
       d.decided_at,
       d.note AS decision_note,
       a.amount <= d.solo_max AS one_person_was_enough,
       m.transaction_id,
       round(m.real_after + m.bonus_after, m.scale) AS balance_after,
       d.position,
       a.player_id
FROM public.adjustments a
JOIN public.players p ON p.player_id = a.player_id
LEFT JOIN public.adjustment_decisions d ON d.adjustment_id = a.adjustment_id
LEFT JOIN public.movements m ON m.player_id = d.player_id AND m.position = d.position;

COMMENT ON VIEW ops.adjustments IS
    'Money that people moved by hand: who asked, who decided, and the movement that came of it';
COMMENT ON COLUMN ops.adjustments.adjustment_id IS 'The number of the request';
COMMENT ON COLUMN ops.adjustments.state IS
    'open: it waits for a second person; approved: it was moved; rejected; expired: nobody decided in time';
COMMENT ON COLUMN ops.adjustments.user_id IS 'The player';
COMMENT ON COLUMN ops.adjustments.direction IS 'credit: to the player; debit: from the player';
COMMENT ON COLUMN ops.adjustments.pocket IS 'The pocket that it moves, and no other';
COMMENT ON COLUMN ops.adjustments.amount IS 'How much';
COMMENT ON COLUMN ops.adjustments.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.adjustments.reason IS 'Why, as one of a list';
COMMENT ON COLUMN ops.adjustments.ticket IS 'Where it is explained';
COMMENT ON COLUMN ops.adjustments.note IS 'What who asked wrote for who decides';
COMMENT ON COLUMN ops.adjustments.settles_source IS
    'Who had sent the refused movement that it settles; null: it settles none';
COMMENT ON COLUMN ops.adjustments.settles_transaction_id IS
    'The id of that movement, which the adjustment takes: its later delivery hears 409';
COMMENT ON COLUMN ops.adjustments.settles_facet IS 'The event type and direction of that movement';
COMMENT ON COLUMN ops.adjustments.proposed_by IS 'Who asked';
COMMENT ON COLUMN ops.adjustments.proposed_is_verified IS 'Whether they had signed in';
COMMENT ON COLUMN ops.adjustments.proposed_at IS 'When they asked';
COMMENT ON COLUMN ops.adjustments.expires_at IS 'Until when it can be decided';
COMMENT ON COLUMN ops.adjustments.decided_by IS 'Who approved or rejected it; null: nobody';
COMMENT ON COLUMN ops.adjustments.decided_is_verified IS 'Whether they had signed in';
COMMENT ON COLUMN ops.adjustments.decided_at IS 'When they decided';
COMMENT ON COLUMN ops.adjustments.decision_note IS 'What they wrote about it';
COMMENT ON COLUMN ops.adjustments.one_person_was_enough IS
    'Whether one person alone could move this amount when it was decided';
COMMENT ON COLUMN ops.adjustments.transaction_id IS 'The id of its movement; null: nothing was moved';
COMMENT ON COLUMN ops.adjustments.balance_after IS 'Both pockets after its movement';
COMMENT ON COLUMN ops.adjustments.position IS 'The place of its movement in the player''s chain';
COMMENT ON COLUMN ops.adjustments.player_id IS 'Our own number for the player';

CREATE VIEW ops.inbox AS
SELECT e.exception_id,
       e.kind,
       e.summary,
       e.user_id,
       e.source,
       e.transaction_id,
       e.event_type,
       e.direction,
       e.event_id,
       e.amount,
       e.currency,
       e.happened_at,
       date_trunc('second', coalesce(e.closed_at, now()) - e.happened_at) AS age,
       e.opened_at,
       e.state,
       e.state IN ('open', 'taken') AS is_open,
       e.taken_by,
       e.closed_at,
       e.closed_by,
       (SELECT s.note FROM public.exception_steps s
        WHERE s.exception_id = e.exception_id AND s.note IS NOT NULL
        ORDER BY s.step_id DESC LIMIT 1) AS last_note
FROM public.exceptions e;

COMMENT ON VIEW ops.inbox IS
    'Money that is not where somebody expects it. Ask for is_open: those are found by an index, however many are closed. A look at the ledger brings it up to date every 15 seconds while a server runs';
COMMENT ON COLUMN ops.inbox.exception_id IS 'Its number';
COMMENT ON COLUMN ops.inbox.kind IS
    'expected_credit, other_content, overtaken_bet, unknown_outcome, uncovered_cancel, negative_balance, reconciliation_difference, slip_mismatch, large_liability, unknown_token, unknown_player or settlement_differs: docs/runbook.md says what to do about each';
COMMENT ON COLUMN ops.inbox.summary IS 'What is not as expected, in words';
COMMENT ON COLUMN ops.inbox.user_id IS 'The player, as sent, whether they exist or not';
COMMENT ON COLUMN ops.inbox.source IS 'callback: the aggregator; betby: Betby itself; else the agent that asked';
COMMENT ON COLUMN ops.inbox.transaction_id IS 'The id under which it was asked for';
COMMENT ON COLUMN ops.inbox.event_type IS 'The kind of movement, as sent';
COMMENT ON COLUMN ops.inbox.direction IS 'debit or credit';
COMMENT ON COLUMN ops.inbox.event_id IS 'The round, or the sports bet';
COMMENT ON COLUMN ops.inbox.amount IS 'The amount, as sent';
COMMENT ON COLUMN ops.inbox.currency IS 'The player''s currency';
COMMENT ON COLUMN ops.inbox.happened_at IS 'When the money went astray';
COMMENT ON COLUMN ops.inbox.age IS 'How long ago the money went astray, or had when it was closed';
COMMENT ON COLUMN ops.inbox.opened_at IS 'When it was listed: since then it waits for somebody';
COMMENT ON COLUMN ops.inbox.state IS
    'open; taken by somebody; resolved by a person, with a note; settled by the ledger itself';
COMMENT ON COLUMN ops.inbox.is_open IS 'Whether it still waits: open or taken';
COMMENT ON COLUMN ops.inbox.taken_by IS 'Who looks after it';
COMMENT ON COLUMN ops.inbox.closed_at IS 'When it was closed';
COMMENT ON COLUMN ops.inbox.closed_by IS 'Who closed it; ledger: it settled it itself';
COMMENT ON COLUMN ops.inbox.last_note IS 'What was last written about it';

CREATE VIEW ops.audit_runs AS
SELECT r.ran_at, r.since, r.invariants, r.players, r.movements, r.breaches, r.milliseconds, r.by
FROM public.audit_runs r;

COMMENT ON VIEW ops.audit_runs IS 'Every run of wallet audit, and what it found';
COMMENT ON COLUMN ops.audit_runs.ran_at IS 'When it began';
COMMENT ON COLUMN ops.audit_runs.since IS 'From when on it looked; null: at everything';
COMMENT ON COLUMN ops.audit_runs.invariants IS 'How many laws it checked';
COMMENT ON COLUMN ops.audit_runs.players IS 'How many players there were';
COMMENT ON COLUMN ops.audit_runs.movements IS 'How many movements it looked at';
COMMENT ON COLUMN ops.audit_runs.breaches IS 'How many offenders it found: anything but 0 is an alarm';
COMMENT ON COLUMN ops.audit_runs.milliseconds IS 'How long it took';
COMMENT ON COLUMN ops.audit_runs.by IS 'Who ran it';

CREATE VIEW ops.backup_notes AS
SELECT b.finished_at, b.note, b.by, b.noted_at
FROM public.backup_notes b;

COMMENT ON VIEW ops.backup_notes IS 'Every backup that wallet backup note was told of';
COMMENT ON COLUMN ops.backup_notes.finished_at IS 'When the backup ended';
COMMENT ON COLUMN ops.backup_notes.note IS 'Which one, and where';
COMMENT ON COLUMN ops.backup_notes.by IS 'Who told';
COMMENT ON COLUMN ops.backup_notes.noted_at IS 'When they told';
