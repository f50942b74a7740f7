"""Player protection: limits of deposits and products, which limit refused, the limits' time zone.

Revision: 20261204_protection
Follows: 20261204_holds

New tables and types, and the function that records a batch with three more arguments, which are
empty for an ordinary batch.
"""

from collections.abc import Iterator
from pathlib import Path

from alembic import op

revision = "20261204_protection"
down_revision = "20261204_holds"
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parents[1] / "sql"
FILES = SQL / revision
ONE_ROAD = SQL / "20261128_one_road"

CHECKS = ("event_type_and_direction", "delta_is_amount", "decision")
"""Of `movements`, as the migration before left them."""

TYPE_BEFORE = """
CREATE TYPE decision_settings_v1 AS (
    rule_version integer, key_scope text, stake_order text, overtaken_bet text,
    overtaken_seconds integer
)
"""


def _statements(script: str) -> Iterator[str]:
    """Split a script at the semicolons that end a statement, not at those inside a function."""
    statement: list[str] = []
    is_inside = False
    for line in script.splitlines():
        is_inside ^= line.count("$$") % 2 == 1
        statement.append(line)
        if line.endswith(";") and not is_inside:
            yield "\n".join(statement)
            statement = []


def upgrade() -> None:
    """Make everything, and look whether the journal's rows fit the checks of the one before."""
    run = op.get_bind().exec_driver_sql
    # First, since this may take minutes and movements go on meanwhile; what follows is short.
    for name in CHECKS:
        run(f"ALTER TABLE movements VALIDATE CONSTRAINT ck_movements_{name}")
    for file in sorted(FILES.glob("*.sql")):
        for statement in _statements(file.read_text(encoding="utf-8")):
            run(statement)


def downgrade() -> None:
    """Remove everything; limits of deposits and products end with it."""
    run = op.get_bind().exec_driver_sql
    run("DROP FUNCTION record_movements_v2")
    run("DROP FUNCTION remember_decision_settings_v2")
    run("DROP TYPE decision_settings_v2, counter_row_v1, limit_hit_row_v1, hold_row_v1")
    run("DROP TABLE limit_counters, limit_hits, game_names")
    run("ALTER TABLE decision_settings DROP COLUMN limit_zone")
    run(TYPE_BEFORE)
    (remember,) = (
        statement
        for statement in _statements((ONE_ROAD / "0_tables.sql").read_text(encoding="utf-8"))
        if "FUNCTION remember_decision_settings_v1" in statement
    )
    run(remember)
    script = (ONE_ROAD / "2_record_movements_v1.sql").read_text(encoding="utf-8")
    for statement in _statements(script):
        run(statement)
