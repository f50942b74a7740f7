"""Runs of reconciliation with an aggregator's report, and what each found."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.ledger.tables.columns import MOMENT, metadata

THEIR_AMOUNT: Final = Numeric(38, 18)
"""As finely as a report may write it, which may be finer than the currency."""

reconciliation_runs = Table(
    "reconciliation_runs",
    metadata,
    Column("run_id", BigInteger, Identity(always=True), nullable=False),
    Column("ran_at", MOMENT, nullable=False),
    Column("source", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("profile_digest", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("file_digest", Text, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Column("period_since", MOMENT, nullable=False),
    Column("period_until", MOMENT, nullable=False),
    Column("grace_seconds", Integer, nullable=False),
    Column("journal_moment", MOMENT),
    Column("journal_movements", BigInteger, nullable=False),
    Column("verdicts", JSONB, nullable=False),
    Column("money", JSONB, nullable=False),
    PrimaryKeyConstraint("run_id"),
    CheckConstraint("period_since < period_until", name="period"),
    CheckConstraint(
        "lines >= 0 AND skipped >= 0 AND grace_seconds >= 0 AND journal_movements >= 0",
        name="counts",
    ),
    Index("ix_reconciliation_runs_file_digest", "file_digest"),
)

reconciliation_differences = Table(
    "reconciliation_differences",
    metadata,
    Column("run_id", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("is_difference", Boolean, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("refusal", Text),
    Column("line", BigInteger),
    Column("transaction_id", Text, nullable=False),
    Column("word", Text),
    Column("event_type", Text),
    Column("line_direction", Text),
    Column("user_id", Text),
    Column("ours_user_id", Text),
    Column("event_id", Text),
    Column("ours_event_id", Text),
    Column("currency", Text, nullable=False),
    Column("theirs", THEIR_AMOUNT, nullable=False),
    Column("ours", THEIR_AMOUNT, nullable=False),
    Column("theirs_at", MOMENT),
    Column("ours_at", MOMENT),
    Column("player_id", BigInteger),
    Column("position", BigInteger),
    PrimaryKeyConstraint("run_id", "number"),
    Index("ix_reconciliation_differences_transaction_id", "transaction_id"),
)
