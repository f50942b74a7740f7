-- The laws of a row of `rounds`: `app/ledger/tables/laws.py` says why they are a function.

CREATE OR REPLACE FUNCTION round_is_lawful_v1(
    "event_id" text,
    "bets_placed" integer,
    "bets_standing" integer,
    "stake_real" numeric,
    "stake_bonus" numeric,
    "staked" numeric,
    "paid" numeric,
    "taken_back" numeric,
    "cancels" integer,
    "remainder" numeric
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    broken text := CASE
        WHEN NOT (bets_standing BETWEEN 0 AND bets_placed) THEN 'bets_standing'
        WHEN NOT (remainder >= 0 AND cancels >= 0) THEN 'cancels'
        WHEN NOT (char_length(event_id) BETWEEN 1 AND 250) THEN 'event_id_length'
        WHEN NOT (
            stake_real + stake_bonus + staked + paid + taken_back + remainder <> 'NaN'
        ) THEN 'is_a_number'
        WHEN NOT (stake_real >= 0 AND stake_bonus >= 0) THEN 'stakes_never_negative'
        WHEN NOT (stake_real + stake_bonus <= staked) THEN 'stakes_within_staked'
        WHEN NOT (taken_back BETWEEN 0 AND paid) THEN 'taken_back_within_paid'
    END;
BEGIN
    IF broken IS NULL THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'new row for relation "rounds" violates check constraint "ck_rounds_%"',
            broken
        USING ERRCODE = 'check_violation', TABLE = 'rounds',
            CONSTRAINT = 'ck_rounds_' || broken;
END
$$;
