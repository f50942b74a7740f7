"""The laws of the journal, rounds and wallets as one function each, which one CHECK calls.

Revision: 20261222_laws
Follows: 20261221_promotion

PostgreSQL reads the text of every CHECK anew in each statement that writes: more than half of what
a lone movement cost it. The laws are the same, and are named the same where a row breaks one.
"""

from pathlib import Path

from alembic import op

revision = "20261222_laws"
down_revision = "20261221_promotion"
branch_labels = None
depends_on = None

FILES = Path(__file__).resolve().parents[1] / "sql" / revision

CALLS = {
    "wallets": (
        "wallet_is_lawful_v1(real, bonus, version, position, chain, stake_day, stake_week,"
        " stake_month, loss_day, loss_week, loss_month, scale)"
    ),
    "movements": (
        "movement_is_lawful_v1(position, version, event_type, direction, decision, scale, amount,"
        " real_before, bonus_before, real_delta, bonus_delta, real_after, bonus_after, chain)"
    ),
    "rounds": (
        "round_is_lawful_v1(event_id, bets_placed, bets_standing, stake_real, stake_bonus, staked,"
        " paid, taken_back, cancels, remainder)"
    ),
}

DEBITS = (
    "'BetPlacing', 'BetPayedAbort', 'SportBetCancel', 'Tip', 'technicalFix', 'PromoStreamersDebit',"
    " 'PromoStreamersBetPayedAbort', 'Withdrawal', 'BonusRevoke', 'WithdrawalHold',"
    " 'WithdrawalSettle', 'Adjustment', 'Import', 'ImportedBet', 'BetbyMake', 'BetbyRollback',"
    " 'BetbyNoRiskRollback'"
)
CREDITS = (
    "'Win', 'Lose', 'BetPlacingAbort', 'PromoWin', 'technicalFix', 'DropAndWin',"
    " 'PromoStreamersCredit', 'PromoStreamersBetPlacingAbort', 'Deposit', 'BonusGrant',"
    " 'WithdrawalRelease', 'Adjustment', 'Import', 'ImportedPayment', 'BetbyWin', 'BetbyNoRisk',"
    " 'BetbyRefund', 'BetbyDiscard', 'BetbyWinAgain', 'BetbyNoRiskAgain', 'BetbyRefundAgain'"
)

BEFORE = {
    "wallets": {
        "is_a_number": "real <> 'NaN' AND bonus <> 'NaN'",
        "usage_is_a_number": (
            "stake_day + stake_week + stake_month + loss_day + loss_week + loss_month <> 'NaN'"
        ),
        "bonus_never_negative": "bonus >= 0",
        "version": "version >= 0 AND position >= version",
        "chain_length": "octet_length(chain) = 32",
        "scale": "scale BETWEEN 0 AND 8",
    },
    "movements": {
        "direction": "direction IN ('debit', 'credit')",
        "version": "position >= 1 AND version BETWEEN 0 AND position",
        "amount_not_negative": "amount >= 0 AND amount <> 'NaN'",
        "scale": (
            "scale BETWEEN 0 AND 8 AND amount = trunc(amount, scale)"
            " AND real_delta = trunc(real_delta, scale)"
            " AND bonus_delta = trunc(bonus_delta, scale)"
        ),
        "is_a_number": (
            "real_before <> 'NaN' AND bonus_before <> 'NaN' AND real_after <> 'NaN'"
            " AND bonus_after <> 'NaN'"
        ),
        "after_is_before_plus_delta": (
            "real_after = real_before + real_delta AND bonus_after = bonus_before + bonus_delta"
        ),
        "delta_is_amount": (
            "CASE WHEN decision <> 'ACCEPTED' THEN real_delta = 0 AND bonus_delta = 0"
            " WHEN event_type IN ('WithdrawalSettle') THEN real_delta = 0 AND bonus_delta = 0"
            " WHEN direction = 'credit' THEN real_delta + bonus_delta = amount"
            " AND real_delta >= 0 AND bonus_delta >= 0"
            " ELSE real_delta + bonus_delta = -amount AND real_delta <= 0 AND bonus_delta <= 0 END"
        ),
        "decision": (
            "decision IN ('ACCEPTED', 'DECIDED_ELSEWHERE', 'PLAYER_BLOCKED', 'ALREADY_GIVEN_BACK',"
            " 'BET_OVERTAKEN', 'BET_DISCARDED', 'DEPOSIT_CHECK', 'LIMIT_EXCEEDED', 'DEPOSIT_LIMIT',"
            " 'INSUFFICIENT_FUNDS')"
        ),
        "event_type_and_direction": (
            f"CASE direction WHEN 'debit' THEN event_type IN ({DEBITS})"
            " OR (amount = 0 AND event_type IN ('Lose', 'PromoWin', 'DropAndWin'))"
            f" ELSE event_type IN ({CREDITS})"
            " OR (amount = 0 AND event_type IN ('BetbyLost', 'BetbyNoEffect')) END"
        ),
        "bonus_never_negative": "bonus_after >= 0",
        "no_overdraft": (
            "real_after >= least(real_before, 0)"
            " OR event_type IN ('SportBetCancel', 'Import', 'ImportedBet', 'BetbyRollback',"
            " 'BetbyNoRiskRollback')"
        ),
        "chain_length": "octet_length(chain) = 32",
    },
    "rounds": {
        "event_id_length": "char_length(event_id) BETWEEN 1 AND 250",
        "bets_standing": "bets_standing BETWEEN 0 AND bets_placed",
        "stakes_never_negative": "stake_real >= 0 AND stake_bonus >= 0",
        "stakes_within_staked": "stake_real + stake_bonus <= staked",
        "taken_back_within_paid": "taken_back BETWEEN 0 AND paid",
        "cancels": "remainder >= 0 AND cancels >= 0",
        "is_a_number": (
            "stake_real + stake_bonus + staked + paid + taken_back + remainder <> 'NaN'"
        ),
    },
}


def upgrade() -> None:
    """Put one CHECK in the place of many; rows that fulfilled those fulfil it.

    Each statement commits by itself, and may be run again: with two tables in one transaction, it
    would meet movements that have locked them in another order.
    """
    with op.get_context().autocommit_block():
        run = op.get_bind().exec_driver_sql
        for file in sorted(FILES.glob("*.sql")):
            run(file.read_text(encoding="utf-8"))
        for table, call in CALLS.items():
            op.execute(
                f"ALTER TABLE {table} {_dropped(table)},"
                f" ADD CONSTRAINT ck_{table}_laws CHECK ({call}) NOT VALID"
            )
        # It may take minutes, and movements go on meanwhile.
        for table in CALLS:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_laws")


def downgrade() -> None:
    """Put the many back, table by table, too."""
    with op.get_context().autocommit_block():
        for table, laws in BEFORE.items():
            added = ", ".join(
                f"ADD CONSTRAINT ck_{table}_{name} CHECK ({condition})"
                for name, condition in laws.items()
            )
            op.execute(f"ALTER TABLE {table} {_dropped(table)}, {added}")
        for call in CALLS.values():
            op.execute(f"DROP FUNCTION IF EXISTS {call.partition('(')[0]}")


def _dropped(table: str) -> str:
    return ", ".join(
        f"DROP CONSTRAINT IF EXISTS ck_{table}_{name}" for name in (*BEFORE[table], "laws")
    )
