"""Seals over the ledger, and where each chain stood when it was sealed."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from app.ledger.tables.columns import MOMENT, metadata

seals = Table(
    "seals",
    metadata,
    Column("number", BigInteger, nullable=False, autoincrement=False),
    Column("sealed_at", MOMENT, nullable=False),
    Column("seal", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    PrimaryKeyConstraint("number"),
    CheckConstraint("number >= 1", name="number"),
    CheckConstraint("octet_length(signature) = 64", name="signature_length"),
)

sealed_heads = Table(
    "sealed_heads",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("number", BigInteger, nullable=False),
    PrimaryKeyConstraint("player_id", "position"),
    CheckConstraint("position >= 0", name="position"),
    CheckConstraint("octet_length(chain) = 32", name="chain_length"),
)
