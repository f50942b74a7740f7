"""The refusal log."""

from sqlalchemy import BigInteger, Column, Identity, Index, PrimaryKeyConstraint, Table, Text, Uuid

from app.ledger.tables.columns import MOMENT, bloom, metadata

refusals = Table(
    "refusals",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("refusal_id", BigInteger, Identity(always=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("transaction_id", Text),
    Column("event_id", Text),
    Column("event_type", Text),
    Column("direction", Text),
    Column("amount", Text),
    Column("refusal", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("differs", Text),
    Column("asked", Text),
    Column("delivery", Uuid, nullable=False),
    Column("event_time", MOMENT, nullable=False),
    Column("ledger_time", MOMENT, nullable=False),
    PrimaryKeyConstraint("user_id", "refusal_id"),
    Index("ix_refusals_ledger_time", "ledger_time", postgresql_using="brin"),
    Index("ix_refusals_transaction_id", "transaction_id"),
    bloom("ix_refusals_delivery", "delivery", "uuid"),
)
