"""Adjustments that the operator's people asked for, and what was decided about each."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from app.ledger.tables.columns import AMOUNT, MOMENT, currency_columns, metadata, sql_list
from app.wallet.adjustments import AdjustmentReason
from app.wallet.events import Pocket
from app.wallet.identifiers import ID_LENGTH_MAX

adjustments = Table(
    "adjustments",
    metadata,
    Column("adjustment_id", BigInteger, Identity(always=True), nullable=False),
    Column("player_id", BigInteger, nullable=False),
    Column("direction", Text, nullable=False),
    Column("pocket", Text, nullable=False),
    *currency_columns(),
    Column("amount", AMOUNT, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("note", Text),
    # The refused movement that it settles, by its key in the wide form.
    Column("source", Text),
    Column("transaction_id", Text),
    Column("facet", Text),
    Column("event_id", Text),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_is_verified", Boolean, nullable=False),
    Column("proposed_via", Text, nullable=False),
    Column("proposed_from", Text, nullable=False),
    Column("proposed_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("adjustment_id"),
    CheckConstraint("direction IN ('debit', 'credit')", name="direction"),
    CheckConstraint(f"pocket IN ({sql_list(Pocket)})", name="pocket"),
    CheckConstraint(
        "amount > 0 AND amount <> 'NaN' AND amount = trunc(amount, scale)", name="amount"
    ),
    CheckConstraint(f"reason IN ({sql_list(AdjustmentReason)})", name="reason"),
    CheckConstraint(f"char_length(ticket) BETWEEN 1 AND {ID_LENGTH_MAX}", name="ticket_length"),
    CheckConstraint(
        "num_nulls(source, transaction_id, facet) IN (0, 3) AND facet <> ''", name="settles"
    ),
    CheckConstraint("expires_at > proposed_at", name="expires_at"),
    Index("ix_adjustments_player_id", "player_id"),
    Index("ix_adjustments_expires_at", "expires_at"),
    Index(
        "ix_adjustments_source_transaction_id",
        "source",
        "transaction_id",
        postgresql_where=text("transaction_id IS NOT NULL"),
    ),
)

# No foreign key: of two append-only tables the audit holds each against the other.
adjustment_decisions = Table(
    "adjustment_decisions",
    metadata,
    Column("adjustment_id", BigInteger, nullable=False),
    Column("decision", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_is_verified", Boolean, nullable=False),
    Column("decided_via", Text, nullable=False),
    Column("decided_from", Text, nullable=False),
    Column("decided_at", MOMENT, nullable=False),
    Column("note", Text),
    # What one person alone was allowed to move when it was decided.
    Column("solo_max", AMOUNT, nullable=False),
    # The movement, if it was approved.
    Column("player_id", BigInteger),
    Column("position", BigInteger),
    PrimaryKeyConstraint("adjustment_id"),
    CheckConstraint("decision IN ('approved', 'rejected')", name="decision"),
    CheckConstraint("solo_max >= 0 AND solo_max <> 'NaN'", name="solo_max"),
    CheckConstraint(
        "num_nonnulls(player_id, position) = CASE decision WHEN 'approved' THEN 2 ELSE 0 END",
        name="movement",
    ),
    Index(
        "uq_adjustment_decisions_player_id_position",
        "player_id",
        "position",
        unique=True,
        postgresql_where=text("position IS NOT NULL"),
    ),
)
