"""The schemas of a ledger that has several buckets."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from app.ledger.tables.columns import MOMENT, metadata
from app.wallet.buckets import BUCKETS_MAX

buckets = Table(
    "buckets",
    metadata,
    Column("bucket", SmallInteger, nullable=False, autoincrement=False),
    Column("schema_name", Text, nullable=False),
    Column("made_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("bucket"),
    UniqueConstraint("schema_name", name="uq_buckets_schema_name"),
    CheckConstraint(f"bucket BETWEEN 0 AND {BUCKETS_MAX - 1}", name="bucket"),
)
