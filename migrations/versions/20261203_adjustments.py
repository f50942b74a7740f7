"""Adjustments by two people: an event type of their own, who asked, who decided, and one function.

Revision: 20261203_adjustments
Follows: 20261204_protection

1. The event type `Adjustment`: a row of `event_types`, and the wider checks that name its account,
   its figure and itself. No movement of it is written before `wallet migrate --finish`: processes
   of the release before cannot read one.
2. `adjustments` has what was asked for, `adjustment_decisions` at most one decision of each. Both
   are append-only.
3. `record_adjustment_v1` records the movement, the approval and its note in the list of what people
   did in one transaction. What the cashier
   checked before is checked again: the request is open, the movement is the one that was asked for,
   and two people, or an amount that one person may move, stand behind it.
"""

from alembic import op

revision = "20261203_adjustments"
down_revision = "20261204_protection"
branch_labels = None
depends_on = None

# The scan that squawk warns of: `event_types` has a row for each type, some thirty.
EVENT_TYPE_CHECKS = (
    """
    ALTER TABLE event_types
        DROP CONSTRAINT ck_event_types_contra,
        -- squawk-ignore constraint-missing-not-valid
        ADD CONSTRAINT ck_event_types_contra CHECK (contra IN ('house:games', 'house:streamers',
            'house:tips', 'house:promotions', 'house:corrections', 'house:cashier', 'house:pending',
            'house:bonuses', 'house:adjustments')),
        DROP CONSTRAINT ck_event_types_counts_as,
        -- squawk-ignore constraint-missing-not-valid
        ADD CONSTRAINT ck_event_types_counts_as CHECK (counts_as IN ('turnover', 'payments',
            'bonuses', 'promotions', 'tips', 'corrections', 'deposits', 'withdrawals',
            'pending', 'streamer_turnover', 'streamer_payments', 'adjustments'))
    """,
    """
    INSERT INTO event_types (event_type, words, part, contra, counts_as, debit, credit,
        may_overdraw, is_play, is_streamer, is_cashier) VALUES
        ('Adjustment', 'adjustment', 'none', 'house:adjustments', 'adjustments',
            'any', 'any', false, false, false, false)
    ON CONFLICT DO NOTHING
    """,
)

OLD_EVENT_TYPE_CHECKS = (
    "DELETE FROM event_types WHERE event_type = 'Adjustment'",
    """
    ALTER TABLE event_types
        DROP CONSTRAINT ck_event_types_contra,
        ADD CONSTRAINT ck_event_types_contra CHECK (contra IN ('house:games', 'house:streamers',
            'house:tips', 'house:promotions', 'house:corrections', 'house:cashier',
            'house:pending', 'house:bonuses')),
        DROP CONSTRAINT ck_event_types_counts_as,
        ADD CONSTRAINT ck_event_types_counts_as CHECK (counts_as IN ('turnover', 'payments',
            'bonuses', 'promotions', 'tips', 'corrections', 'deposits', 'withdrawals',
            'pending', 'streamer_turnover', 'streamer_payments'))
    """,
)

# Wider than the one it replaces, so every row that is there fulfils it; they are looked at
# afterwards, while movements go on.
MOVEMENTS_CHECK = """
ALTER TABLE movements
    DROP CONSTRAINT ck_movements_event_type_and_direction,
    ADD CONSTRAINT ck_movements_event_type_and_direction CHECK (
        CASE direction WHEN 'debit' THEN event_type IN ('BetPlacing', 'BetPayedAbort',
            'SportBetCancel', 'Tip', 'technicalFix', 'PromoStreamersDebit',
            'PromoStreamersBetPayedAbort', 'Withdrawal', 'BonusRevoke', 'WithdrawalHold',
            'WithdrawalSettle'{type})
            OR (amount = 0 AND event_type IN ('Lose', 'PromoWin', 'DropAndWin'))
        ELSE event_type IN ('Win', 'Lose', 'BetPlacingAbort', 'PromoWin', 'technicalFix',
            'DropAndWin', 'PromoStreamersCredit', 'PromoStreamersBetPlacingAbort', 'Deposit',
            'BonusGrant', 'WithdrawalRelease'{type}) END) NOT VALID
"""

VALIDATE = "ALTER TABLE movements VALIDATE CONSTRAINT ck_movements_event_type_and_direction"

TABLES = (
    """
    CREATE TABLE adjustments (
        adjustment_id bigint GENERATED ALWAYS AS IDENTITY,
        player_id bigint NOT NULL,
        direction text NOT NULL,
        pocket text NOT NULL,
        currency text NOT NULL,
        scale smallint NOT NULL,
        amount numeric(26, 8) NOT NULL,
        reason text NOT NULL,
        ticket text NOT NULL,
        note text,
        source text,
        transaction_id text,
        facet text,
        event_id text,
        proposed_by text NOT NULL,
        proposed_is_verified boolean NOT NULL,
        proposed_via text NOT NULL,
        proposed_from text NOT NULL,
        proposed_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        CONSTRAINT pk_adjustments PRIMARY KEY (adjustment_id),
        CONSTRAINT ck_adjustments_direction CHECK (direction IN ('debit', 'credit')),
        CONSTRAINT ck_adjustments_pocket CHECK (pocket IN ('real', 'bonus')),
        CONSTRAINT ck_adjustments_amount CHECK (
            amount > 0 AND amount <> 'NaN' AND amount = trunc(amount, scale)),
        CONSTRAINT ck_adjustments_reason CHECK (reason IN ('refused_movement', 'wrong_settlement',
            'paid_twice', 'debt_forgiven', 'goodwill', 'chargeback', 'reconciliation',
            'mistaken_adjustment')),
        CONSTRAINT ck_adjustments_ticket_length CHECK (char_length(ticket) BETWEEN 1 AND 250),
        CONSTRAINT ck_adjustments_settles CHECK (
            num_nulls(source, transaction_id, facet) IN (0, 3) AND facet <> ''),
        CONSTRAINT ck_adjustments_expires_at CHECK (expires_at > proposed_at)
    )
    """,
    "CREATE INDEX ix_adjustments_player_id ON adjustments (player_id)",
    "CREATE INDEX ix_adjustments_expires_at ON adjustments (expires_at)",
    """
    CREATE INDEX ix_adjustments_source_transaction_id ON adjustments (source, transaction_id)
        WHERE transaction_id IS NOT NULL
    """,
    """
    CREATE TABLE adjustment_decisions (
        adjustment_id bigint NOT NULL,
        decision text NOT NULL,
        decided_by text NOT NULL,
        decided_is_verified boolean NOT NULL,
        decided_via text NOT NULL,
        decided_from text NOT NULL,
        decided_at timestamptz NOT NULL,
        note text,
        solo_max numeric(26, 8) NOT NULL,
        player_id bigint,
        position bigint,
        CONSTRAINT pk_adjustment_decisions PRIMARY KEY (adjustment_id),
        CONSTRAINT ck_adjustment_decisions_decision CHECK (decision IN ('approved', 'rejected')),
        CONSTRAINT ck_adjustment_decisions_solo_max CHECK (solo_max >= 0 AND solo_max <> 'NaN'),
        CONSTRAINT ck_adjustment_decisions_movement CHECK (num_nonnulls(player_id, position)
            = CASE decision WHEN 'approved' THEN 2 ELSE 0 END)
    )
    """,
    """
    CREATE UNIQUE INDEX uq_adjustment_decisions_player_id_position
        ON adjustment_decisions (player_id, position) WHERE position IS NOT NULL
    """,
    """
    CREATE TYPE adjustment_approval_v1 AS (
        adjustment_id bigint, decided_by text, is_verified boolean, via text, came_from text,
        note text, solo_max numeric
    )
    """,
)

# The early abort that the adjustment settles is changed by its key: like every fact about a player
# it rides on their wallet's revision, which this transaction has raised.
FUNCTION = """
CREATE FUNCTION record_adjustment_v1(
    given decision_settings_v2,
    wallets_after wallet_row_v1[],
    journal journal_row_v1[],
    rounds_after round_row_v1[],
    aborts_after early_abort_row_v1[],
    refused refusal_row_v1[],
    renewed session_row_v1[],
    returned position_row_v1[],
    counters_after counter_row_v1[],
    hits limit_hit_row_v1[],
    holds_after hold_row_v1[],
    decided_at timestamptz,
    approval adjustment_approval_v1
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    asked adjustments;
    moved journal_row_v1 := journal[1];
    signed numeric;
BEGIN
    PERFORM record_movements_v2(given, wallets_after, journal, rounds_after, aborts_after, refused,
                                renewed, returned, counters_after, hits, holds_after, decided_at);

    SELECT * INTO asked FROM adjustments WHERE adjustment_id = approval.adjustment_id;
    IF asked.adjustment_id IS NULL OR asked.expires_at <= decided_at THEN
        RAISE EXCEPTION 'the adjustment is not open' USING ERRCODE = 'WF004';
    END IF;
    signed := CASE asked.direction WHEN 'credit' THEN asked.amount ELSE -asked.amount END;
    IF cardinality(journal) <> 1
       OR (moved.event_type, moved.decision, moved.player_id, moved.direction)
          <> ('Adjustment', 'ACCEPTED', asked.player_id, asked.direction)
       OR (moved.real_delta, moved.bonus_delta) <> (
              CASE asked.pocket WHEN 'real' THEN signed ELSE 0 END,
              CASE asked.pocket WHEN 'bonus' THEN signed ELSE 0 END)
    THEN
        RAISE EXCEPTION 'the movement is not the adjustment that was asked for'
            USING ERRCODE = 'check_violation';
    END IF;
    IF asked.amount > approval.solo_max
       AND (asked.proposed_by = approval.decided_by
            OR NOT (asked.proposed_is_verified AND approval.is_verified))
    THEN
        RAISE EXCEPTION 'an adjustment is approved by another person than who asked for it'
            USING ERRCODE = 'check_violation';
    END IF;

    INSERT INTO adjustment_decisions (adjustment_id, decision, decided_by, decided_is_verified,
        decided_via, decided_from, decided_at, note, solo_max, player_id, position)
    VALUES (approval.adjustment_id, 'approved', approval.decided_by, approval.is_verified,
        approval.via, approval.came_from, decided_at, approval.note, approval.solo_max,
        moved.player_id, moved.position)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the adjustment is not open' USING ERRCODE = 'WF004';
    END IF;

    INSERT INTO operator_actions (ledger_time, actor, is_verified, via, source, action,
        subject_kind, subject, reason, outcome, details, delivery)
    VALUES (decided_at, approval.decided_by, approval.is_verified, approval.via,
        approval.came_from, 'adjustment.approve', 'adjustment', approval.adjustment_id,
        approval.note, 'done', '{}', moved.delivery);

    IF asked.event_id IS NOT NULL THEN
        UPDATE early_aborts SET state = 'settled'
        WHERE player_id = asked.player_id AND event_id = asked.event_id
          AND is_streamer = starts_with(asked.facet, 'PromoStreamers')
          AND transaction_id = asked.transaction_id AND state IN ('waiting', 'used');
    END IF;
END
$$
"""

OWNED = ("adjustments", "adjustment_decisions")


def upgrade() -> None:
    """Make the type, the tables and the function."""
    for statement in (*EVENT_TYPE_CHECKS, *TABLES, FUNCTION):
        op.execute(statement)
    for table in OWNED:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION forbid_change()"
        )
    op.execute(f"GRANT SELECT, INSERT ON {', '.join(OWNED)} TO wallet_service")
    op.execute(MOVEMENTS_CHECK.format(type=", 'Adjustment'"))
    with op.get_context().autocommit_block():
        op.execute(VALIDATE)


def downgrade() -> None:
    """Forget all of it; no adjustment may have been made."""
    op.execute(MOVEMENTS_CHECK.format(type=""))
    op.execute(VALIDATE)
    op.execute("DROP FUNCTION record_adjustment_v1")
    op.execute("DROP TYPE adjustment_approval_v1")
    op.execute("DROP TABLE adjustment_decisions, adjustments")
    for statement in OLD_EVENT_TYPE_CHECKS:
        op.execute(statement)
