"""Events of a node that was restored by itself: what was told is void, what holds is told again.

Revision: 20261221_promotion
Follows: 20261220_events

1. An event of the type `events.voided` says that the numbers from its place up to its own are
   void. What of them still holds has later numbers besides.
2. So a row may have one number in each era, which such an event begins. Where all buckets are on
   one server there is one era, and each row has one number, as before.
"""

from alembic import op

revision = "20261221_promotion"
down_revision = "20261220_events"
branch_labels = None
depends_on = None

BEFORE = (
    "'account.opened', 'account.updated', 'movement.posted', 'movement.declined', 'limit.hit',"
    " 'round.settled', 'alarm.raised'"
)


# Of what squawk warns of: the table came in this same upgrade, and nothing was numbered yet.
CHANGES = (
    "ALTER TABLE event_log ADD COLUMN era bigint NOT NULL DEFAULT 0",
    "ALTER TABLE event_log DROP CONSTRAINT uq_event_log_player_id_place_type",
    """
    -- squawk-ignore constraint-missing-not-valid, disallowed-unique-constraint
    ALTER TABLE event_log ADD CONSTRAINT uq_event_log_player_id_place_type
        UNIQUE (player_id, place, type, era, agent)
    """,
    "ALTER TABLE event_log DROP CONSTRAINT ck_event_log_type",
    f"""
    -- squawk-ignore constraint-missing-not-valid
    ALTER TABLE event_log ADD CONSTRAINT ck_event_log_type
        CHECK (type IN ({BEFORE}, 'events.voided'))
    """,
    """
    -- squawk-ignore require-concurrent-index-creation
    CREATE INDEX ix_event_log_voided ON event_log (agent, number) WHERE type = 'events.voided'
    """,
)


def upgrade() -> None:
    """Number the eras, and let the new type in."""
    for statement in CHANGES:
        op.execute(statement)


def downgrade() -> None:
    """Forget the eras; a ledger with more than one cannot go back."""
    has_eras = "SELECT EXISTS (SELECT FROM event_log WHERE era > 0)"
    if op.get_bind().exec_driver_sql(has_eras).scalar_one():
        message = "Events of this ledger were voided, which the schema before does not know."
        raise RuntimeError(message)
    op.execute("DROP INDEX ix_event_log_voided")
    op.execute("ALTER TABLE event_log DROP CONSTRAINT ck_event_log_type")
    op.execute(f"ALTER TABLE event_log ADD CONSTRAINT ck_event_log_type CHECK (type IN ({BEFORE}))")
    op.execute("ALTER TABLE event_log DROP CONSTRAINT uq_event_log_player_id_place_type")
    op.execute("ALTER TABLE event_log DROP COLUMN era")
    op.execute(
        "ALTER TABLE event_log ADD CONSTRAINT uq_event_log_player_id_place_type"
        " UNIQUE (player_id, place, type)"
    )
