"""Holds: withdrawals under way, with their three event types and the account they wait on.

Revision: 20261204_holds
Follows: 20261206_reports

The checks of `movements` bind new rows from here on; `20261204_protection` looks at the rows that
are there. Processes of the release before write no row that the new checks refuse.
"""

from alembic import op

revision = "20261204_holds"
down_revision = "20261206_reports"
branch_labels = None
depends_on = None

HOLDS = (
    """
    CREATE TABLE holds (
        player_id bigint NOT NULL,
        position bigint NOT NULL,
        source text NOT NULL,
        transaction_id text NOT NULL,
        amount numeric(26, 8) NOT NULL,
        state text NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_position bigint,
        closed_at timestamptz,
        CONSTRAINT pk_holds PRIMARY KEY (player_id, position),
        CONSTRAINT ck_holds_amount CHECK (amount > 0 AND amount <> 'NaN'),
        CONSTRAINT ck_holds_state CHECK (state IN ('pending', 'settled', 'released')),
        CONSTRAINT ck_holds_closed CHECK (
            (state = 'pending') = (closed_position IS NULL)
            AND (state = 'pending') = (closed_at IS NULL))
    )
    """,
    # What operations ask for: of millions of holds, few are pending.
    "CREATE INDEX ix_holds_pending ON holds (opened_at) WHERE state = 'pending'",
    """
    CREATE FUNCTION holds_only_close() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.state = 'pending' AND (NEW.player_id, NEW.position, NEW.source, NEW.transaction_id,
                NEW.amount, NEW.opened_at) IS NOT DISTINCT FROM (OLD.player_id, OLD.position,
                OLD.source, OLD.transaction_id, OLD.amount, OLD.opened_at) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'a hold is closed once, and nothing else of it changes'
            USING ERRCODE = 'restrict_violation';
    END
    $$
    """,
    """
    CREATE TRIGGER only_close BEFORE UPDATE ON holds
        FOR EACH ROW EXECUTE FUNCTION holds_only_close()
    """,
    """
    CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON holds
        FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()
    """,
    "GRANT SELECT, INSERT, UPDATE (state, closed_position, closed_at) ON holds TO wallet_service",
)

# The scan that squawk warns of: `event_types` has a row for each type, some thirty.
EVENT_TYPES = (
    "ALTER TABLE event_types ADD COLUMN moves_from text",
    "ALTER TABLE event_types DROP CONSTRAINT ck_event_types_contra",
    """
    -- squawk-ignore constraint-missing-not-valid
    ALTER TABLE event_types ADD CONSTRAINT ck_event_types_contra CHECK (
        contra IN ('house:games', 'house:streamers', 'house:tips', 'house:promotions',
        'house:corrections', 'house:cashier', 'house:pending', 'house:bonuses'))
    """,
    "ALTER TABLE event_types DROP CONSTRAINT ck_event_types_counts_as",
    """
    -- squawk-ignore constraint-missing-not-valid
    ALTER TABLE event_types ADD CONSTRAINT ck_event_types_counts_as CHECK (
        counts_as IN ('turnover', 'payments', 'bonuses', 'promotions', 'tips', 'corrections',
        'deposits', 'withdrawals', 'pending', 'streamer_turnover', 'streamer_payments'))
    """,
    """
    -- squawk-ignore constraint-missing-not-valid
    ALTER TABLE event_types ADD CONSTRAINT ck_event_types_moves_from CHECK (
        moves_from IN ('house:pending'))
    """,
    """
    INSERT INTO event_types (event_type, words, part, contra, counts_as, debit, credit,
        may_overdraw, is_play, is_streamer, is_cashier, moves_from) VALUES
        ('WithdrawalHold', 'withdrawal under way', 'none', 'house:pending', 'pending',
            'any', 'never', false, false, false, true, NULL),
        ('WithdrawalSettle', 'withdrawal paid out', 'none', 'house:cashier', 'withdrawals',
            'any', 'never', false, false, false, true, 'house:pending'),
        ('WithdrawalRelease', 'withdrawal given back', 'none', 'house:pending', 'pending',
            'never', 'any', false, false, false, true, NULL)
    """,
)

DEBITS = (
    "'BetPlacing', 'BetPayedAbort', 'SportBetCancel', 'Tip', 'technicalFix', 'PromoStreamersDebit',"
    " 'PromoStreamersBetPayedAbort', 'Withdrawal', 'BonusRevoke'"
)
ZERO_DEBITS = "'Lose', 'PromoWin', 'DropAndWin'"
CREDITS = (
    "'Win', 'Lose', 'BetPlacingAbort', 'PromoWin', 'technicalFix', 'DropAndWin',"
    " 'PromoStreamersCredit', 'PromoStreamersBetPlacingAbort', 'Deposit', 'BonusGrant'"
)
FINAL = "'ACCEPTED', 'PLAYER_BLOCKED', 'ALREADY_GIVEN_BACK', 'BET_OVERTAKEN'"
DELTA = (
    " WHEN direction = 'credit' THEN real_delta + bonus_delta = amount"
    " AND real_delta >= 0 AND bonus_delta >= 0"
    " ELSE real_delta + bonus_delta = -amount AND real_delta <= 0 AND bonus_delta <= 0 END"
)
NO_DELTA = "THEN real_delta = 0 AND bonus_delta = 0"


def _type_and_direction(debits: str, credits_: str) -> str:
    return (
        f"CASE direction WHEN 'debit' THEN event_type IN ({debits})"
        f" OR (amount = 0 AND event_type IN ({ZERO_DEBITS})) ELSE event_type IN ({credits_}) END"
    )


CHECKS = {
    "event_type_and_direction": _type_and_direction(
        f"{DEBITS}, 'WithdrawalHold', 'WithdrawalSettle'", f"{CREDITS}, 'WithdrawalRelease'"
    ),
    "delta_is_amount": (
        f"CASE WHEN decision <> 'ACCEPTED' {NO_DELTA}"
        f" WHEN event_type IN ('WithdrawalSettle') {NO_DELTA}{DELTA}"
    ),
    "decision": (
        f"decision IN ({FINAL}, 'DEPOSIT_CHECK', 'LIMIT_EXCEEDED', 'DEPOSIT_LIMIT',"
        " 'INSUFFICIENT_FUNDS')"
    ),
}
"""The checks of `movements` that change, by name."""

CHECKS_BEFORE = {
    "event_type_and_direction": _type_and_direction(DEBITS, CREDITS),
    "delta_is_amount": f"CASE WHEN decision <> 'ACCEPTED' {NO_DELTA}{DELTA}",
    "decision": f"decision IN ({FINAL}, 'LIMIT_EXCEEDED', 'INSUFFICIENT_FUNDS')",
}


def upgrade() -> None:
    """Make the table and the event types, and let the journal hold them."""
    run = op.get_bind().exec_driver_sql
    for statement in (*HOLDS, *EVENT_TYPES):
        run(statement)
    _replace_checks(CHECKS, "NOT VALID")


def downgrade() -> None:
    """Remove them; a ledger that has a movement of these types keeps the checks, and fails here."""
    run = op.get_bind().exec_driver_sql
    _replace_checks(CHECKS_BEFORE, "")
    run("DELETE FROM event_types WHERE counts_as = 'pending' OR moves_from IS NOT NULL")
    run("ALTER TABLE event_types DROP COLUMN moves_from")
    run("ALTER TABLE event_types DROP CONSTRAINT ck_event_types_contra")
    run("ALTER TABLE event_types DROP CONSTRAINT ck_event_types_counts_as")
    run(
        "ALTER TABLE event_types ADD CONSTRAINT ck_event_types_contra CHECK ("
        "contra IN ('house:games', 'house:streamers', 'house:tips', 'house:promotions',"
        " 'house:corrections', 'house:cashier', 'house:bonuses'))"
    )
    run(
        "ALTER TABLE event_types ADD CONSTRAINT ck_event_types_counts_as CHECK ("
        "counts_as IN ('turnover', 'payments', 'bonuses', 'promotions', 'tips', 'corrections',"
        " 'deposits', 'withdrawals', 'streamer_turnover', 'streamer_payments'))"
    )
    run("DROP TABLE holds")
    run("DROP FUNCTION holds_only_close()")


def _replace_checks(checks: dict[str, str], validity: str) -> None:
    run = op.get_bind().exec_driver_sql
    for name, condition in checks.items():
        run(f"ALTER TABLE movements DROP CONSTRAINT ck_movements_{name}")
        run(
            f"ALTER TABLE movements ADD CONSTRAINT ck_movements_{name} CHECK ({condition})"
            f" {validity}"
        )
