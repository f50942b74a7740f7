-- The laws of a row of `wallets`: `app/ledger/tables/laws.py` says why they are a function.

CREATE OR REPLACE FUNCTION wallet_is_lawful_v1(
    "real" numeric,
    "bonus" numeric,
    "version" bigint,
    "position" bigint,
    "chain" bytea,
    "stake_day" numeric,
    "stake_week" numeric,
    "stake_month" numeric,
    "loss_day" numeric,
    "loss_week" numeric,
    "loss_month" numeric,
    "scale" smallint
) RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    broken text := CASE
        WHEN NOT (bonus >= 0) THEN 'bonus_never_negative'
        WHEN NOT (octet_length(chain) = 32) THEN 'chain_length'
        WHEN NOT (real <> 'NaN' AND bonus <> 'NaN') THEN 'is_a_number'
        WHEN NOT (scale BETWEEN 0 AND 8) THEN 'scale'
        WHEN NOT (
            stake_day + stake_week + stake_month + loss_day + loss_week + loss_month <> 'NaN'
        ) THEN 'usage_is_a_number'
        WHEN NOT (version >= 0 AND position >= version) THEN 'version'
    END;
BEGIN
    IF broken IS NULL THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION 'new row for relation "wallets" violates check constraint "ck_wallets_%"',
            broken
        USING ERRCODE = 'check_violation', TABLE = 'wallets',
            CONSTRAINT = 'ck_wallets_' || broken;
END
$$;
