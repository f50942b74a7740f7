"""The statistics of the tables above the buckets cost what those of one bucket do.

Revision: 20261223_statistics
Follows: 20261222_laws

From PostgreSQL 18 on, ANALYZE of a table takes those that inherit from it as well: each table above
was analysed every minute with all of its parts, which made it look out of date again at once.
"""

from alembic import op

revision = "20261223_statistics"
down_revision = "20261222_laws"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE OR REPLACE FUNCTION analyze_above_buckets_v1() RETURNS text
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
        EXECUTE format({command}, stale);
    END IF;
    RETURN stale;
END
$$
"""

BEFORE = "'ANALYZE %s'"
ONLY = """CASE WHEN current_setting('server_version_num')::integer >= 180000
                            THEN 'ANALYZE ONLY %s' ELSE 'ANALYZE %s' END"""


def upgrade() -> None:
    """Replace the function; its callers and its privileges stay."""
    op.get_bind().exec_driver_sql(FUNCTION.format(command=ONLY))


def downgrade() -> None:
    """Bring the function back as it was."""
    op.get_bind().exec_driver_sql(FUNCTION.format(command=BEFORE))
