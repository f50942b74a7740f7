"""Buckets: which schemas hold the players, and by which hash.

Revision: 20261216_buckets
Follows: 20261212_betby

1. `buckets` names the schemas of a ledger that has several; with one, it is empty, and nothing else
   changes. The schemas are made by `wallet migrate` on a ledger without players, and by `wallet
   buckets split`.
2. `bucket_of_v1` is the hash of `app/wallet/buckets.py`, for the CHECK of each bucket's players.
3. `analyze_above_buckets_v1` lets the service keep the statistics of the tables above the buckets,
   which are their owner's to analyse.
"""

from alembic import op

revision = "20261216_buckets"
down_revision = "20261212_betby"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE buckets (
    bucket smallint NOT NULL,
    schema_name text NOT NULL,
    made_at timestamptz NOT NULL,
    CONSTRAINT pk_buckets PRIMARY KEY (bucket),
    CONSTRAINT uq_buckets_schema_name UNIQUE (schema_name),
    CONSTRAINT ck_buckets_bucket CHECK (bucket BETWEEN 0 AND 63)
)
"""

# CRC-32 bit by bit: an account is opened once, and PostgreSQL has a function for it from 18 on.
FUNCTION = """
CREATE FUNCTION bucket_of_v1(user_id text, buckets integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    named bytea := convert_to(user_id, 'UTF8');
    crc bigint := 4294967295;
BEGIN
    FOR place IN 0 .. octet_length(named) - 1 LOOP
        crc := crc # get_byte(named, place);
        FOR bit IN 1 .. 8 LOOP
            crc := CASE WHEN crc & 1 = 1 THEN (crc >> 1) # 3988292384 ELSE crc >> 1 END;
        END LOOP;
    END LOOP;
    RETURN (crc # 4294967295) % buckets;
END
$$
"""


# A table whose part in some bucket was analysed later than the whole, the longest ago first. Who
# finds another process at it has nothing to do.
ANALYZE = """
CREATE FUNCTION analyze_above_buckets_v1() RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    stale regclass;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('analyze_above_buckets')) THEN
        RETURN NULL;
    END IF;
    SELECT above.relid INTO stale
    FROM pg_stat_user_tables above
    CROSS JOIN LATERAL (
        SELECT coalesce(greatest(above.last_analyze, above.last_autoanalyze), '-infinity') AS at
    ) last
    WHERE above.schemaname = 'public' AND last.at < clock_timestamp() - interval '1 minute'
      AND EXISTS (
          SELECT FROM pg_inherits i JOIN pg_stat_user_tables part ON part.relid = i.inhrelid
          WHERE i.inhparent = above.relid
            AND greatest(part.last_analyze, part.last_autoanalyze) > last.at)
    ORDER BY last.at, above.relid LIMIT 1;
    IF stale IS NOT NULL THEN
        EXECUTE format('ANALYZE %s', stale);
    END IF;
    RETURN stale;
END
$$
"""


def upgrade() -> None:
    """Make the list of buckets, which is empty, and the functions."""
    op.execute(TABLE)
    op.get_bind().exec_driver_sql(FUNCTION)
    op.get_bind().exec_driver_sql(ANALYZE)
    op.execute("GRANT SELECT ON buckets TO wallet_service")
    op.execute("REVOKE ALL ON FUNCTION analyze_above_buckets_v1() FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION analyze_above_buckets_v1() TO wallet_service")


def downgrade() -> None:
    """Forget them; a ledger that has several buckets cannot go back."""
    if op.get_bind().exec_driver_sql("SELECT count(*) FROM buckets").scalar_one():
        message = "This ledger has several buckets, which the schema before does not know."
        raise RuntimeError(message)
    op.execute("DROP FUNCTION analyze_above_buckets_v1")
    op.execute("DROP FUNCTION bucket_of_v1")
    op.execute("DROP TABLE buckets")
