"""What runs with the owner's rights looks at temporary tables last, whenever it was made.

Revision: 20261208_definer_path
Follows: 20261203_inbox

A session's temporary tables come before all others unless a function's search path names them last,
and the service may make such tables. `FROM CURRENT`, with which some functions were made, keeps the
path of whoever ran the migration, which need not name them at all: a table of that name, with a
trigger of its own, would be written with the owner's rights. A test holds every function to it.
"""

from alembic import op

revision = "20261208_definer_path"
down_revision = "20261203_inbox"
branch_labels = None
depends_on = None

TEMPORARY_LAST = """
DO $$
DECLARE
    guarded regprocedure;
BEGIN
    FOR guarded IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE prosecdef AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', guarded,
                       current_schema());
    END LOOP;
END
$$
"""


def upgrade() -> None:
    """Set the path of every such function."""
    # As it stands: SQLAlchemy's text would take a colon for a parameter.
    op.get_bind().exec_driver_sql(TEMPORARY_LAST)


def downgrade() -> None:
    """Leave it: the paths were meant so from the beginning."""
