"""Imports from another wallet: three event types, one decision, and the files that came in.

Revision: 20261214_import
Follows: 20261213_slips

1. The event types `Import`, `ImportedBet` and `ImportedPayment`, their house account and their
   figure: opening balances, which no figure of play contains.
2. The decision DECIDED_ELSEWHERE: an id that another wallet had accepted. It moves nothing here.
3. `imports` has each file that came in, once; `shadow_marks` a row in a ledger that compares
   another wallet's answers, and answers nobody. Both are append-only.
4. `keep_opening_v1` leaves out the number of the transaction for accounts that an import opens, as
   the import does for its movements: the platform knows them, and no event tells of them.

None of it is written before `wallet migrate --finish`: processes of the release before cannot read
it. The wider checks of `movements` are looked at afterwards, while movements go on.
"""

from alembic import op

revision = "20261214_import"
down_revision = "20261213_slips"
branch_labels = None
depends_on = None

# The scan that squawk warns of: `event_types` has a row for each type, some thirty.
EVENT_TYPE_CHECKS = """
ALTER TABLE event_types
    DROP CONSTRAINT ck_event_types_contra,
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT ck_event_types_contra CHECK (contra IN ('house:games', 'house:streamers',
        'house:tips', 'house:promotions', 'house:corrections', 'house:cashier', 'house:pending',
        'house:bonuses', 'house:adjustments'{contra})),
    DROP CONSTRAINT ck_event_types_counts_as,
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT ck_event_types_counts_as CHECK (counts_as IN ('turnover', 'payments',
        'bonuses', 'promotions', 'tips', 'corrections', 'deposits', 'withdrawals',
        'pending', 'streamer_turnover', 'streamer_payments', 'adjustments'{figure}))
"""

EVENT_TYPES = """
INSERT INTO event_types (event_type, words, part, contra, counts_as, debit, credit,
    may_overdraw, is_play, is_streamer, is_cashier) VALUES
    ('Import', 'balance brought in', 'none', 'house:imports', 'imports',
        'any', 'any', true, false, false, false),
    ('ImportedBet', 'open bet brought in', 'bet', 'house:imports', 'imports',
        'any', 'never', true, false, false, false),
    ('ImportedPayment', 'payment brought in', 'payment', 'house:imports', 'imports',
        'never', 'any', false, false, false, false)
ON CONFLICT DO NOTHING
"""

# Each is wider than the one it replaces, so every row that is there fulfils it.
MOVEMENTS_CHECKS = """
ALTER TABLE movements
    DROP CONSTRAINT ck_movements_event_type_and_direction,
    ADD CONSTRAINT ck_movements_event_type_and_direction CHECK (
        CASE direction WHEN 'debit' THEN event_type IN ('BetPlacing', 'BetPayedAbort',
            'SportBetCancel', 'Tip', 'technicalFix', 'PromoStreamersDebit',
            'PromoStreamersBetPayedAbort', 'Withdrawal', 'BonusRevoke', 'WithdrawalHold',
            'WithdrawalSettle', 'Adjustment'{debits})
            OR (amount = 0 AND event_type IN ('Lose', 'PromoWin', 'DropAndWin'))
        ELSE event_type IN ('Win', 'Lose', 'BetPlacingAbort', 'PromoWin', 'technicalFix',
            'DropAndWin', 'PromoStreamersCredit', 'PromoStreamersBetPlacingAbort', 'Deposit',
            'BonusGrant', 'WithdrawalRelease', 'Adjustment'{credits}) END) NOT VALID,
    DROP CONSTRAINT ck_movements_no_overdraft,
    ADD CONSTRAINT ck_movements_no_overdraft CHECK (real_after >= least(real_before, 0)
        OR event_type IN ('SportBetCancel'{overdrawing})) NOT VALID,
    DROP CONSTRAINT ck_movements_decision,
    ADD CONSTRAINT ck_movements_decision CHECK (decision IN ('ACCEPTED'{decision},
        'PLAYER_BLOCKED', 'ALREADY_GIVEN_BACK', 'BET_OVERTAKEN', 'DEPOSIT_CHECK',
        'LIMIT_EXCEEDED', 'DEPOSIT_LIMIT', 'INSUFFICIENT_FUNDS')) NOT VALID
"""

WIDE = {
    "debits": ", 'Import', 'ImportedBet'",
    "credits": ", 'Import', 'ImportedPayment'",
    "overdrawing": ", 'Import', 'ImportedBet'",
    "decision": ", 'DECIDED_ELSEWHERE'",
}

VALIDATED = ("event_type_and_direction", "no_overdraft", "decision")

IMPORTS = (
    """
    CREATE TABLE imports (
        import_id bigint NOT NULL,
        digest text NOT NULL,
        file_name text NOT NULL,
        format_version integer NOT NULL,
        agent text NOT NULL,
        imported_at timestamptz NOT NULL,
        by text NOT NULL,
        lines bigint NOT NULL,
        players bigint NOT NULL,
        bets bigint NOT NULL,
        payments bigint NOT NULL,
        decided bigint NOT NULL,
        tokens bigint NOT NULL,
        totals jsonb NOT NULL,
        CONSTRAINT pk_imports PRIMARY KEY (import_id),
        CONSTRAINT uq_imports_digest UNIQUE (digest),
        CONSTRAINT ck_imports_digest_length CHECK (char_length(digest) = 64),
        CONSTRAINT ck_imports_counts CHECK (lines > 0 AND players >= 0 AND bets >= 0
            AND payments >= 0 AND decided >= 0 AND tokens >= 0)
    )
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON imports
        FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()
    """,
    "GRANT SELECT, INSERT ON imports TO wallet_service",
    """
    CREATE TABLE shadow_marks (
        is_the_only_row boolean NOT NULL DEFAULT true,
        begun_at timestamptz NOT NULL,
        by text NOT NULL,
        CONSTRAINT pk_shadow_marks PRIMARY KEY (is_the_only_row),
        CONSTRAINT ck_shadow_marks_is_the_only_row CHECK (is_the_only_row)
    )
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON shadow_marks
        FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()
    """,
    "GRANT SELECT, INSERT ON shadow_marks TO wallet_service",
)

KEEP_OPENING = """
CREATE OR REPLACE FUNCTION keep_opening_v1() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO account_openings (player_id, user_id, agent, currency, scale, chain_start{columns})
    SELECT player_id, user_id, agent, currency, scale,
           CASE WHEN NEW.position = 0 THEN NEW.chain
                ELSE decode(repeat('00', 32), 'hex') END{values}
    FROM players WHERE player_id = NEW.player_id;
    RETURN NULL;
END
$$
"""

# `FROM CURRENT` need not name temporary tables last, and what runs with the owner's rights has to.
TEMPORARY_LAST = """
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION keep_opening_v1() SET search_path = %I, pg_temp',
                   current_schema());
END
$$
"""

WITHOUT_EVENT = """,
           CASE current_setting('wallet.is_import', true)
               WHEN 'on' THEN NULL ELSE pg_current_xact_id() END"""


def upgrade() -> None:
    """Make all of it; the checks are looked at last."""
    op.execute(EVENT_TYPE_CHECKS.format(contra=", 'house:imports'", figure=", 'imports'"))
    op.execute(EVENT_TYPES)
    for statement in IMPORTS:
        op.execute(statement)
    _keep_opening(columns=", xid", values=WITHOUT_EVENT)
    op.execute(MOVEMENTS_CHECKS.format_map(WIDE))
    with op.get_context().autocommit_block():
        for name in VALIDATED:
            op.execute(f"ALTER TABLE movements VALIDATE CONSTRAINT ck_movements_{name}")


def downgrade() -> None:
    """Forget all of it; nothing may have been imported."""
    op.execute(MOVEMENTS_CHECKS.format_map(dict.fromkeys(WIDE, "")))
    for name in VALIDATED:
        op.execute(f"ALTER TABLE movements VALIDATE CONSTRAINT ck_movements_{name}")
    _keep_opening(columns="", values="")
    op.execute("DROP TABLE imports, shadow_marks")
    op.execute("DELETE FROM event_types WHERE contra = 'house:imports'")
    op.execute(EVENT_TYPE_CHECKS.format(contra="", figure=""))


def _keep_opening(*, columns: str, values: str) -> None:
    run = op.get_bind().exec_driver_sql
    run(KEEP_OPENING.format(columns=columns, values=values))
    run(TEMPORARY_LAST)
