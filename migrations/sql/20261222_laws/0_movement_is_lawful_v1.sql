-- The laws of a row of `movements`: `app/ledger/tables/laws.py` says why they are a function.

CREATE OR REPLACE FUNCTION movement_is_lawful_v1(
    "position" bigint,
    "version" bigint,
    "event_type" text,
    "direction" text,
    "decision" text,
    "scale" smallint,
    "amount" numeric,
    "real_before" numeric,
    "bonus_before" numeric,
    "real_delta" numeric,
    "bonus_delta" numeric,
    "real_after" numeric,
    "bonus_after" numeric,
    "chain" bytea
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    broken text := CASE
        WHEN NOT (
            real_after = real_before + real_delta AND bonus_after = bonus_before + bonus_delta
        ) THEN 'after_is_before_plus_delta'
        WHEN NOT (amount >= 0 AND amount <> 'NaN') THEN 'amount_not_negative'
        WHEN NOT (bonus_after >= 0) THEN 'bonus_never_negative'
        WHEN NOT (octet_length(chain) = 32) THEN 'chain_length'
        WHEN NOT (
            decision IN ('ACCEPTED', 'DECIDED_ELSEWHERE', 'PLAYER_BLOCKED', 'ALREADY_GIVEN_BACK',
                'BET_OVERTAKEN', 'BET_DISCARDED', 'DEPOSIT_CHECK', 'LIMIT_EXCEEDED',
                'DEPOSIT_LIMIT', 'INSUFFICIENT_FUNDS')
        ) THEN 'decision'
        WHEN NOT (
            CASE
            WHEN decision <> 'ACCEPTED' THEN real_delta = 0 AND bonus_delta = 0
            WHEN event_type IN ('WithdrawalSettle') THEN real_delta = 0 AND bonus_delta = 0
            WHEN direction = 'credit' THEN real_delta + bonus_delta = amount AND real_delta >= 0 AND
                bonus_delta >= 0
            ELSE real_delta + bonus_delta = -amount AND real_delta <= 0 AND bonus_delta <= 0 END
        ) THEN 'delta_is_amount'
        WHEN NOT (direction IN ('debit', 'credit')) THEN 'direction'
        WHEN NOT (
            CASE direction WHEN 'debit' THEN
            event_type IN ('BetPlacing', 'BetPayedAbort', 'SportBetCancel', 'Tip', 'technicalFix',
                'PromoStreamersDebit', 'PromoStreamersBetPayedAbort', 'Withdrawal', 'BonusRevoke',
                'WithdrawalHold', 'WithdrawalSettle', 'Adjustment', 'Import', 'ImportedBet',
                'BetbyMake', 'BetbyRollback', 'BetbyNoRiskRollback')
            OR (amount = 0 AND event_type IN ('Lose', 'PromoWin', 'DropAndWin'))
            ELSE event_type IN ('Win', 'Lose', 'BetPlacingAbort', 'PromoWin', 'technicalFix',
                'DropAndWin', 'PromoStreamersCredit', 'PromoStreamersBetPlacingAbort', 'Deposit',
                'BonusGrant', 'WithdrawalRelease', 'Adjustment', 'Import', 'ImportedPayment',
                'BetbyWin', 'BetbyNoRisk', 'BetbyRefund', 'BetbyDiscard', 'BetbyWinAgain',
                'BetbyNoRiskAgain', 'BetbyRefundAgain')
            OR (amount = 0 AND event_type IN ('BetbyLost', 'BetbyNoEffect')) END
        ) THEN 'event_type_and_direction'
        WHEN NOT (
            real_before <> 'NaN' AND bonus_before <> 'NaN'
            AND real_after <> 'NaN' AND bonus_after <> 'NaN'
        ) THEN 'is_a_number'
        WHEN NOT (
            real_after >= least(real_before, 0)
            OR event_type IN ('SportBetCancel', 'Import', 'ImportedBet', 'BetbyRollback',
                'BetbyNoRiskRollback')
        ) THEN 'no_overdraft'
        WHEN NOT (
            scale BETWEEN 0 AND 8 AND amount = trunc(amount, scale)
            AND real_delta = trunc(real_delta, scale) AND bonus_delta = trunc(bonus_delta, scale)
        ) THEN 'scale'
        WHEN NOT (position >= 1 AND version BETWEEN 0 AND position) THEN 'version'
    END;
BEGIN
    IF broken IS NULL THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'new row for relation "movements" violates check constraint "ck_movements_%"',
            broken
        USING ERRCODE = 'check_violation', TABLE = 'movements',
            CONSTRAINT = 'ck_movements_' || broken;
END
$$;
