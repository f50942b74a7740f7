"""Days whose report is written for good."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, PrimaryKeyConstraint, Table, Text

from app.ledger.tables.columns import MOMENT, metadata

closed_days = Table(
    "closed_days",
    metadata,
    Column("day", Date, nullable=False),
    Column("closed_at", MOMENT, nullable=False),
    Column("source", Text, nullable=False),
    Column("journal_moment", MOMENT, nullable=False),
    Column("journal_movements", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    PrimaryKeyConstraint("day"),
    CheckConstraint("char_length(digest) = 64", name="digest_length"),
)
