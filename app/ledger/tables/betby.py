"""Notes of Betby's contract: what moves no money, and is remembered beside its bet."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)

from app.ledger.tables.columns import MOMENT, metadata

betby_notes = Table(
    "betby_notes",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    # Of the bet.
    Column("position", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    # What a settlement says; empty: the note is a commit.
    Column("status", Text, nullable=False),
    # How that differs from what was done; null: it does not.
    Column("differs", Text),
    Column("delivery", Uuid, nullable=False),
    Column("noted_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("player_id", "position", "note", "status"),
    CheckConstraint("note IN ('commit', 'settlement')", name="note"),
    CheckConstraint("(note = 'commit') = (status = '')", name="status"),
)
