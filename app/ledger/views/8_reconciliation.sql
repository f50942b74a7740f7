CREATE VIEW ops.reconciliation_runs AS
SELECT r.run_id,
       r.ran_at,
       r.source,
       r.door,
       r.profile,
       r.file_name,
       r.file_digest,
       r.lines,
       r.skipped,
       r.period_since,
       r.period_until,
       r.grace_seconds,
       r.journal_moment,
       r.journal_movements,
       r.verdicts,
       r.money
FROM public.reconciliation_runs r;

COMMENT ON VIEW ops.reconciliation_runs IS
    'Every report that was held against the journal with `wallet reconcile`, and what came of it';
COMMENT ON COLUMN ops.reconciliation_runs.run_id IS 'The run''s number';
COMMENT ON COLUMN ops.reconciliation_runs.ran_at IS 'When it ran';
COMMENT ON COLUMN ops.reconciliation_runs.source IS 'Who ran it';
COMMENT ON COLUMN ops.reconciliation_runs.door IS 'Whose movements were compared: callback, betby, or an agent';
COMMENT ON COLUMN ops.reconciliation_runs.profile IS 'The profile that the report was read by';
COMMENT ON COLUMN ops.reconciliation_runs.file_name IS 'The report''s name';
COMMENT ON COLUMN ops.reconciliation_runs.file_digest IS 'SHA-256 of the report: the same file is recognised by it';
COMMENT ON COLUMN ops.reconciliation_runs.lines IS 'How many of its lines were compared';
COMMENT ON COLUMN ops.reconciliation_runs.skipped IS 'How many of its lines could not be read, and were left out';
COMMENT ON COLUMN ops.reconciliation_runs.period_since IS 'The beginning of the period compared';
COMMENT ON COLUMN ops.reconciliation_runs.period_until IS 'The end of the period compared, itself not in it';
COMMENT ON COLUMN ops.reconciliation_runs.grace_seconds IS 'How near the period''s ends a movement may still be on its way';
COMMENT ON COLUMN ops.reconciliation_runs.journal_moment IS 'The latest movement of the journal at that moment';
COMMENT ON COLUMN ops.reconciliation_runs.journal_movements IS 'How many movements the journal had at that moment';
COMMENT ON COLUMN ops.reconciliation_runs.verdicts IS 'How many lines there are of each verdict';
COMMENT ON COLUMN ops.reconciliation_runs.money IS 'What differs, by currency and cause';

CREATE VIEW ops.reconciliation_differences AS
SELECT d.run_id,
       d.number,
       d.is_difference,
       d.verdict,
       d.cause,
       d.refusal,
       d.line,
       d.transaction_id,
       d.word AS their_type,
       d.event_type,
       d.user_id AS their_user_id,
       d.ours_user_id AS user_id,
       d.event_id AS their_event_id,
       d.ours_event_id AS event_id,
       d.currency,
       trim_scale(d.theirs) AS theirs,
       trim_scale(d.ours) AS ours,
       trim_scale(d.theirs - d.ours) AS difference,
       d.theirs_at,
       d.ours_at
FROM public.reconciliation_differences d;

COMMENT ON VIEW ops.reconciliation_differences IS
    'What each run of reconciliation found that is not simply the same, what it left open included';
COMMENT ON COLUMN ops.reconciliation_differences.run_id IS 'The run';
COMMENT ON COLUMN ops.reconciliation_differences.number IS 'Its number within the run';
COMMENT ON COLUMN ops.reconciliation_differences.is_difference IS
    'Whether somebody must look at it; false: open, within the grace of a day''s edge, or settled by hand';
COMMENT ON COLUMN ops.reconciliation_differences.verdict IS
    'only_theirs, only_ours, player, currency, type, amount, event, day_edge, open or settled_by_hand';
COMMENT ON COLUMN ops.reconciliation_differences.cause IS 'Why, as far as the wallet knows it';
COMMENT ON COLUMN ops.reconciliation_differences.refusal IS 'The refusal that it met here; null: none';
COMMENT ON COLUMN ops.reconciliation_differences.line IS
    'The report''s line; below zero: carried over from the report before; null: none names it';
COMMENT ON COLUMN ops.reconciliation_differences.transaction_id IS 'The id';
COMMENT ON COLUMN ops.reconciliation_differences.their_type IS 'The report''s word for what it was';
COMMENT ON COLUMN ops.reconciliation_differences.event_type IS 'What it is here';
COMMENT ON COLUMN ops.reconciliation_differences.their_user_id IS 'The player by the report';
COMMENT ON COLUMN ops.reconciliation_differences.user_id IS 'The player here';
COMMENT ON COLUMN ops.reconciliation_differences.their_event_id IS 'The event by the report';
COMMENT ON COLUMN ops.reconciliation_differences.event_id IS 'The event here';
COMMENT ON COLUMN ops.reconciliation_differences.currency IS 'The currency; ?: neither side says';
COMMENT ON COLUMN ops.reconciliation_differences.theirs IS 'What the player gained by the report; below zero: paid';
COMMENT ON COLUMN ops.reconciliation_differences.ours IS 'What the player gained here; below zero: paid';
COMMENT ON COLUMN ops.reconciliation_differences.difference IS
    'theirs less ours: above zero we owe the player, below zero it is owed to us';
COMMENT ON COLUMN ops.reconciliation_differences.theirs_at IS 'When, by the report';
COMMENT ON COLUMN ops.reconciliation_differences.ours_at IS 'When it was decided here';
