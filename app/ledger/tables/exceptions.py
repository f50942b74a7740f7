"""The inbox: exceptions, what was done about each, and how far the ledger was looked through."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from app.ledger.tables.columns import MOMENT, metadata, sql_list, xid, xid_index
from app.wallet.inbox import ExceptionKind, ExceptionState

_IS_OPEN = "state IN ('open', 'taken')"

exceptions = Table(
    "exceptions",
    metadata,
    Column("exception_id", BigInteger, Identity(always=True), nullable=False),
    Column("kind", Text, nullable=False),
    # Names the case within its kind, so that it is listed once.
    Column("key", Text, nullable=False),
    Column("player_id", BigInteger),
    Column("position", BigInteger),
    Column("user_id", Text),
    Column("source", Text),
    Column("transaction_id", Text),
    Column("event_type", Text),
    Column("direction", Text),
    Column("event_id", Text),
    Column("amount", Text),
    Column("currency", Text),
    Column("summary", Text, nullable=False),
    Column("happened_at", MOMENT, nullable=False),
    Column("opened_at", MOMENT, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'open'")),
    Column("taken_by", Text),
    Column("closed_at", MOMENT),
    Column("closed_by", Text),
    xid(),
    PrimaryKeyConstraint("exception_id"),
    xid_index("exceptions"),
    UniqueConstraint("kind", "key"),
    CheckConstraint(f"kind IN ({sql_list(ExceptionKind)})", name="kind"),
    CheckConstraint(f"state IN ({sql_list(ExceptionState)})", name="state"),
    CheckConstraint("state <> 'taken' OR taken_by IS NOT NULL", name="taken_by"),
    CheckConstraint(
        f"num_nonnulls(closed_at, closed_by) = CASE WHEN {_IS_OPEN} THEN 0 ELSE 2 END",
        name="closed",
    ),
    # Few are open among all that ever were.
    Index("ix_exceptions_open", "kind", "happened_at", postgresql_where=text(_IS_OPEN)),
    Index("ix_exceptions_user_id", "user_id"),
    Index("ix_exceptions_transaction_id", "transaction_id"),
)

exception_steps = Table(
    "exception_steps",
    metadata,
    Column("step_id", BigInteger, Identity(always=True), nullable=False),
    Column("exception_id", BigInteger, nullable=False),
    Column("at", MOMENT, nullable=False),
    Column("step", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("via", Text, nullable=False),
    Column("came_from", Text, nullable=False),
    Column("note", Text),
    PrimaryKeyConstraint("step_id"),
    ForeignKeyConstraint(["exception_id"], ["exceptions.exception_id"]),
    CheckConstraint("step IN ('taken', 'released', 'resolved', 'settled')", name="step"),
    CheckConstraint("step <> 'resolved' OR note <> ''", name="note"),
    Index("ix_exception_steps_exception_id", "exception_id"),
)

exception_collections = Table(
    "exception_collections",
    metadata,
    Column("is_the_only_row", Boolean, nullable=False, server_default=text("true")),
    # Everything that the ledger decided before this moment was looked at; null: nothing yet.
    Column("collected_until", MOMENT),
    Column("ran_at", MOMENT),
    PrimaryKeyConstraint("is_the_only_row"),
    CheckConstraint("is_the_only_row", name="is_the_only_row"),
)
