"""What operations have done to keep the ledger: audits that were run, backups that were told of."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from app.ledger.tables.columns import MOMENT, metadata

audit_runs = Table(
    "audit_runs",
    metadata,
    Column("run_id", BigInteger, Identity(always=True), nullable=False),
    Column("ran_at", MOMENT, nullable=False),
    # Null: everything was looked at.
    Column("since", MOMENT),
    Column("invariants", Integer, nullable=False),
    Column("players", BigInteger, nullable=False),
    Column("movements", BigInteger, nullable=False),
    Column("breaches", Integer, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    PrimaryKeyConstraint("run_id"),
    CheckConstraint("breaches >= 0 AND milliseconds >= 0", name="counts"),
    Index("ix_audit_runs_ran_at", "ran_at"),
)

backup_notes = Table(
    "backup_notes",
    metadata,
    Column("note_id", BigInteger, Identity(always=True), nullable=False),
    Column("finished_at", MOMENT, nullable=False),
    Column("note", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("noted_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("note_id"),
    Index("ix_backup_notes_finished_at", "finished_at"),
)
