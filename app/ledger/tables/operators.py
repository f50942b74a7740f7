"""The operator's people: who may sign in, their sessions, and the chain of what they did."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)

from app.ledger.tables.columns import MOMENT, metadata, sql_list
from app.wallet.operators import NAME, Role, Via

operators = Table(
    "operators",
    metadata,
    Column("name", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("password_is_temporary", Boolean, nullable=False),
    Column("totp_key", Text),
    Column("totp_step", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", MOMENT, nullable=False),
    Column("disabled_at", MOMENT),
    PrimaryKeyConstraint("name"),
    CheckConstraint(f"name ~ '^{NAME.pattern}$'", name="name"),
    CheckConstraint(f"roles <@ ARRAY[{sql_list(Role)}]", name="roles"),
)
"""The operator's own people: whoever signs in to the back office or at the console."""

operator_sessions = Table(
    "operator_sessions",
    metadata,
    Column("token_hash", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("started_at", MOMENT, nullable=False),
    Column("used_at", MOMENT, nullable=False),
    Column("idle_seconds", Integer, nullable=False),
    Column("ends_at", MOMENT, nullable=False),
    Column("ended_at", MOMENT),
    PrimaryKeyConstraint("token_hash"),
    ForeignKeyConstraint(["name"], ["operators.name"]),
    CheckConstraint("octet_length(token_hash) = 32", name="token_hash_length"),
    CheckConstraint(f"via IN ({sql_list(Via)})", name="via"),
    Index("ix_operator_sessions_name_started_at", "name", "started_at"),
)

# A trigger numbers and chains each row.
operator_actions = Table(
    "operator_actions",
    metadata,
    Column("action_id", BigInteger, nullable=False, autoincrement=False),
    Column("ledger_time", MOMENT, nullable=False),
    Column("actor", Text, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("via", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text),
    Column("outcome", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("delivery", Uuid, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    PrimaryKeyConstraint("action_id"),
    CheckConstraint(f"via IN ({sql_list(Via)})", name="via"),
    CheckConstraint("outcome IN ('done', 'refused')", name="outcome"),
    CheckConstraint("octet_length(chain) = 32", name="chain_length"),
    Index("ix_operator_actions_actor_ledger_time", "actor", "ledger_time"),
    Index("ix_operator_actions_subject_ledger_time", "subject", "ledger_time"),
    Index("ix_operator_actions_ledger_time", "ledger_time"),
)
"""Every look at a player and every act of the operator's people."""

operator_actions_head = Table(
    "operator_actions_head",
    metadata,
    Column("is_the_only_row", Boolean, nullable=False, server_default=text("true")),
    Column("last_action", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    PrimaryKeyConstraint("is_the_only_row"),
    CheckConstraint("is_the_only_row", name="is_the_only_row"),
    CheckConstraint("octet_length(chain) = 32", name="chain_length"),
)
"""Number and hash of the last action: where the chain ends."""
