"""The time lines of the ledger, and what people said to those that were restored."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from app.ledger.tables.columns import MOMENT, metadata, sql_list
from app.wallet.timelines import REASON_LENGTH_MAX, TimelineKind

ledger_timelines = Table(
    "ledger_timelines",
    metadata,
    Column("number", BigInteger, nullable=False, autoincrement=False),
    Column("kind", Text, nullable=False),
    # Of PostgreSQL: the cluster, and the timeline that its log is written on.
    Column("system_identifier", BigInteger, nullable=False),
    Column("timeline_id", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("noticed_by", Text, nullable=False),
    Column("noticed_at", MOMENT, nullable=False),
    # When the last movement was decided that it began with; null: there was none.
    Column("last_movement_at", MOMENT),
    PrimaryKeyConstraint("number"),
    CheckConstraint("number >= 1", name="number"),
    CheckConstraint(f"kind IN ({sql_list(TimelineKind)})", name="kind"),
    # A look asks for those that wait for somebody.
    Index("ix_ledger_timelines_restored", "number", postgresql_where=text("kind = 'restored'")),
)

ledger_timeline_answers = Table(
    "ledger_timeline_answers",
    metadata,
    Column("number", BigInteger, nullable=False, autoincrement=False),
    Column("answered_at", MOMENT, nullable=False),
    Column("by", Text, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("via", Text, nullable=False),
    Column("came_from", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # Until when money is taken under tokens that the restored ledger does not know.
    Column("money_until", MOMENT, nullable=False),
    PrimaryKeyConstraint("number"),
    CheckConstraint(f"char_length(reason) BETWEEN 1 AND {REASON_LENGTH_MAX}", name="reason_length"),
    CheckConstraint("money_until >= answered_at", name="money_until"),
)
