"""Betby's own contract: its event types, the outcome of a discarded bet, and notes beside bets.

Revision: 20261212_betby
Follows: 20261211_restored

1. Twelve event types: rows of `event_types`, and the wider checks of `movements` that name them.
   Nothing of theirs is written before `wallet migrate --finish`: processes of the release before
   cannot read it.
2. `betby_notes`: what Betby says about a bet without moving money, append-only.
3. The inbox knows a settlement that differs from what was done.
"""

from alembic import op

revision = "20261212_betby"
down_revision = "20261211_restored"
branch_labels = None
depends_on = None

EVENT_TYPES = """
    INSERT INTO event_types (event_type, words, part, contra, counts_as, debit, credit,
        may_overdraw, is_play, is_streamer, is_cashier) VALUES
        ('BetbyMake', 'Betby bet', 'bet', 'house:games', 'turnover',
            'any', 'never', false, true, false, false),
        ('BetbyWin', 'Betby win', 'payment', 'house:games', 'payments',
            'never', 'any', false, false, false, false),
        ('BetbyLost', 'Betby bet lost', 'payment', 'house:games', 'payments',
            'never', 'zero', false, false, false, false),
        ('BetbyNoRisk', 'Betby no-risk bet given back', 'payment', 'house:bonuses',
            'bonuses', 'never', 'any', false, false, false, false),
        ('BetbyRefund', 'Betby bet given back', 'abort', 'house:games', 'turnover',
            'never', 'any', false, false, false, false),
        ('BetbyDiscard', 'Betby bet discarded', 'abort', 'house:games', 'turnover',
            'never', 'any', false, false, false, false),
        ('BetbyRollback', 'Betby settlement rolled back', 'cancel', 'house:games', 'payments',
            'any', 'never', true, false, false, false),
        ('BetbyNoRiskRollback', 'Betby no-risk bet rolled back', 'cancel', 'house:bonuses',
            'bonuses', 'any', 'never', true, false, false, false),
        ('BetbyWinAgain', 'Betby settlement stands again', 'payment', 'house:games', 'payments',
            'never', 'any', false, false, false, false),
        ('BetbyNoRiskAgain', 'Betby no-risk bet given back again', 'payment', 'house:bonuses',
            'bonuses', 'never', 'any', false, false, false, false),
        ('BetbyRefundAgain', 'Betby bet given back again', 'abort', 'house:games', 'turnover',
            'never', 'any', false, false, false, false),
        ('BetbyNoEffect', 'Betby: nothing left to undo', 'none', 'house:games', 'payments',
            'never', 'zero', false, false, false, false)
    ON CONFLICT DO NOTHING
"""

NOTES = (
    """
    CREATE TABLE betby_notes (
        player_id bigint NOT NULL,
        position bigint NOT NULL,
        note text NOT NULL,
        status text NOT NULL,
        differs text,
        delivery uuid NOT NULL,
        noted_at timestamptz NOT NULL,
        CONSTRAINT pk_betby_notes PRIMARY KEY (player_id, position, note, status),
        CONSTRAINT ck_betby_notes_note CHECK (note IN ('commit', 'settlement')),
        CONSTRAINT ck_betby_notes_status CHECK ((note = 'commit') = (status = ''))
    )
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON betby_notes
        FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()
    """,
    "GRANT SELECT, INSERT ON betby_notes TO wallet_service",
)

KINDS = (
    "'expected_credit', 'other_content', 'overtaken_bet', 'unknown_outcome', 'uncovered_cancel',"
    " 'negative_balance', 'reconciliation_difference', 'slip_mismatch', 'large_liability',"
    " 'unknown_token', 'unknown_player'"
)

DEBITS = (
    "'BetPlacing', 'BetPayedAbort', 'SportBetCancel', 'Tip', 'technicalFix', 'PromoStreamersDebit',"
    " 'PromoStreamersBetPayedAbort', 'Withdrawal', 'BonusRevoke', 'WithdrawalHold',"
    " 'WithdrawalSettle', 'Adjustment', 'Import', 'ImportedBet'"
)
ZERO_DEBITS = "'Lose', 'PromoWin', 'DropAndWin'"
CREDITS = (
    "'Win', 'Lose', 'BetPlacingAbort', 'PromoWin', 'technicalFix', 'DropAndWin',"
    " 'PromoStreamersCredit', 'PromoStreamersBetPlacingAbort', 'Deposit', 'BonusGrant',"
    " 'WithdrawalRelease', 'Adjustment', 'Import', 'ImportedPayment'"
)
FINAL = "'ACCEPTED', 'DECIDED_ELSEWHERE', 'PLAYER_BLOCKED', 'ALREADY_GIVEN_BACK', 'BET_OVERTAKEN'"
LIMITED = "'DEPOSIT_CHECK', 'LIMIT_EXCEEDED', 'DEPOSIT_LIMIT', 'INSUFFICIENT_FUNDS'"
OVERDRAFT = (
    "real_after >= least(real_before, 0)"
    " OR event_type IN ('SportBetCancel', 'Import', 'ImportedBet'"
)

CHECKS = {
    "event_type_and_direction": (
        f"CASE direction WHEN 'debit' THEN event_type IN ({DEBITS}, 'BetbyMake',"
        " 'BetbyRollback', 'BetbyNoRiskRollback')"
        f" OR (amount = 0 AND event_type IN ({ZERO_DEBITS}))"
        f" ELSE event_type IN ({CREDITS}, 'BetbyWin', 'BetbyNoRisk', 'BetbyRefund',"
        " 'BetbyDiscard', 'BetbyWinAgain', 'BetbyNoRiskAgain', 'BetbyRefundAgain')"
        " OR (amount = 0 AND event_type IN ('BetbyLost', 'BetbyNoEffect')) END"
    ),
    "no_overdraft": f"{OVERDRAFT}, 'BetbyRollback', 'BetbyNoRiskRollback')",
    "decision": f"decision IN ({FINAL}, 'BET_DISCARDED', {LIMITED})",
}
"""The checks of `movements` that change, by name.

Each is wider than the one it replaces, so every row that is there fulfils it; they are looked at
afterwards, while movements go on."""

CHECKS_BEFORE = {
    "event_type_and_direction": (
        f"CASE direction WHEN 'debit' THEN event_type IN ({DEBITS})"
        f" OR (amount = 0 AND event_type IN ({ZERO_DEBITS}))"
        f" ELSE event_type IN ({CREDITS}) END"
    ),
    "no_overdraft": f"{OVERDRAFT})",
    "decision": f"decision IN ({FINAL}, {LIMITED})",
}


def upgrade() -> None:
    """Make the types and the table, and let the journal hold what they decide."""
    op.execute(EVENT_TYPES)
    for statement in NOTES:
        op.execute(statement)
    _replace_kinds(f"{KINDS}, 'settlement_differs'")
    _replace_checks(CHECKS)
    with op.get_context().autocommit_block():
        _validate()


def downgrade() -> None:
    """Forget all of it; a ledger that has a movement of these types keeps the checks, and fails."""
    _replace_checks(CHECKS_BEFORE)
    _replace_kinds(KINDS)
    _validate()
    op.execute("DROP TABLE betby_notes")
    op.execute("DELETE FROM event_types WHERE starts_with(event_type, 'Betby')")


def _replace_checks(checks: dict[str, str]) -> None:
    for name, condition in checks.items():
        op.execute(
            f"ALTER TABLE movements DROP CONSTRAINT ck_movements_{name},"
            f" ADD CONSTRAINT ck_movements_{name} CHECK ({condition}) NOT VALID"
        )


def _replace_kinds(kinds: str) -> None:
    op.execute(
        "ALTER TABLE exceptions DROP CONSTRAINT ck_exceptions_kind,"
        f" ADD CONSTRAINT ck_exceptions_kind CHECK (kind IN ({kinds})) NOT VALID"
    )


def _validate() -> None:
    for name in CHECKS:
        op.execute(f"ALTER TABLE movements VALIDATE CONSTRAINT ck_movements_{name}")
    op.execute("ALTER TABLE exceptions VALIDATE CONSTRAINT ck_exceptions_kind")
