"""The operator's requests that take effect once, notices of maintenance, and archived requests."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.ledger.tables.columns import MOMENT, metadata

request_ids = Table(
    "request_ids",
    metadata,
    Column("agent", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("delivery", Uuid, nullable=False),
    Column("ledger_time", MOMENT, nullable=False),
    Column("answer", Text),
    PrimaryKeyConstraint("agent", "request_id"),
    CheckConstraint("char_length(request_id) BETWEEN 1 AND 64", name="request_id_length"),
    CheckConstraint("octet_length(content) = 32", name="content_length"),
    # Only rows whose answer is still kept: what is to be cleared is found without a scan.
    Index(
        "ix_request_ids_ledger_time",
        "ledger_time",
        postgresql_where=text("answer IS NOT NULL"),
    ),
)
"""Ids of the operator's requests that take effect once; their sealed answers stay for a day."""

maintenance_notices = Table(
    "maintenance_notices",
    metadata,
    Column("notice_id", BigInteger, Identity(always=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("batch_id", Text),
    Column("game_ids", JSONB),
    Column("additions", JSONB),
    Column("brand_name", Text),
    Column("countries", JSONB),
    Column("currencies", JSONB),
    Column("provider_ids", JSONB),
    Column("body", Text, nullable=False),
    Column("received_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("notice_id"),
)

archived_requests = Table(
    "archived_requests",
    metadata,
    Column("received_at", MOMENT, nullable=False),
    Column("delivery", Uuid, nullable=False),
    Column("source", Text, nullable=False),
    Column("transaction_id", Text),
    Column("sealed", LargeBinary, nullable=False),
    # Led by the moment, so that rows are added and deleted at the ends.
    PrimaryKeyConstraint("received_at", "delivery"),
    Index("ix_archived_requests_transaction_id", "transaction_id"),
)
"""Requests as they were received, sealed under a key that the database does not have."""
