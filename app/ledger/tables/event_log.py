"""The event log, how far the ledger was looked through for it, and how webhooks stand."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from app.ledger.tables.columns import MOMENT, Snapshot, TransactionNumber, metadata, sql_list
from app.wallet.event_log import SHARDS, LoggedType, RetryState

event_log = Table(
    "event_log",
    metadata,
    Column("agent", Text, nullable=False),
    Column("number", BigInteger, nullable=False, autoincrement=False),
    Column("player_id", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    # Which row it tells of: a movement's position, or the number of a change or an exception.
    Column("place", BigInteger, nullable=False),
    Column("occurred_at", MOMENT, nullable=False),
    # Where that row is, if the buckets are on several nodes.
    Column("bucket", SmallInteger),
    # How often numbers had been made void when this one was given: a row may have one in each.
    Column("era", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("agent", "number"),
    UniqueConstraint(
        "player_id", "place", "type", "era", "agent", name="uq_event_log_player_id_place_type"
    ),
    Index(
        "ix_event_log_voided", "agent", "number", postgresql_where=text("type = 'events.voided'")
    ),
    CheckConstraint("number >= 1", name="number"),
    CheckConstraint(f"type IN ({sql_list(LoggedType)})", name="type"),
)
"""Everything that is told, in the order in which each agent hears it."""

event_log_heads = Table(
    "event_log_heads",
    metadata,
    Column("agent", Text, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    PrimaryKeyConstraint("agent"),
    CheckConstraint("last_number >= 1", name="last_number"),
)

event_log_progress = Table(
    "event_log_progress",
    metadata,
    Column("is_the_only_row", Boolean, nullable=False, server_default=text("true")),
    # Of the cluster whose transactions are meant.
    Column("system_identifier", BigInteger),
    Column("seen", Snapshot, nullable=False),
    # Rows of earlier transactions may have been told already: each is looked up.
    Column("told_below", TransactionNumber, nullable=False),
    # While players are counted again: the last one who was, and the snapshot it began with.
    Column("recount_after", BigInteger),
    Column("recount_seen", Snapshot),
    Column("looked_at", MOMENT),
    PrimaryKeyConstraint("is_the_only_row"),
    CheckConstraint("is_the_only_row", name="is_the_only_row"),
    CheckConstraint("(recount_after IS NULL) = (recount_seen IS NULL)", name="recount"),
)

event_log_buckets = Table(
    "event_log_buckets",
    metadata,
    Column("bucket", SmallInteger, nullable=False, autoincrement=False),
    # Its number in the cluster; each that ever had the bucket has a row.
    Column("node", Integer, nullable=False, autoincrement=False),
    Column("system_identifier", BigInteger),
    # Of that node's transactions.
    Column("seen", Snapshot, nullable=False),
    PrimaryKeyConstraint("bucket", "node"),
)
"""How far the buckets were looked through, where they are on several nodes."""

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("agent", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'active'")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("failing_since", MOMENT),
    Column("next_attempt_at", MOMENT),
    Column("last_outcome", Text),
    Column("delivered_at", MOMENT),
    # Raised whenever a person moves the endpoint: deliverers read everything anew.
    Column("epoch", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("agent"),
    CheckConstraint("state IN ('active', 'parked')", name="state"),
    CheckConstraint("failures >= 0", name="failures"),
)

webhook_shards = Table(
    "webhook_shards",
    metadata,
    Column("agent", Text, nullable=False),
    Column("shard", SmallInteger, nullable=False, autoincrement=False),
    Column("delivered_to", BigInteger, nullable=False),
    Column("held_by", Text),
    Column("held_until", MOMENT),
    PrimaryKeyConstraint("agent", "shard"),
    CheckConstraint(f"shard BETWEEN 0 AND {SHARDS - 1}", name="shard"),
    CheckConstraint("delivered_to >= 0", name="delivered_to"),
    CheckConstraint("(held_by IS NULL) = (held_until IS NULL)", name="held"),
)
"""The players of an agent in parts: how far each was delivered, and by whom it is."""

webhook_retries = Table(
    "webhook_retries",
    metadata,
    Column("agent", Text, nullable=False),
    Column("number", BigInteger, nullable=False, autoincrement=False),
    Column("player_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failing_since", MOMENT),
    Column("next_attempt_at", MOMENT, nullable=False),
    Column("last_outcome", Text),
    PrimaryKeyConstraint("agent", "number"),
    CheckConstraint(f"state IN ({sql_list(RetryState)})", name="state"),
    CheckConstraint("attempts >= 0", name="attempts"),
    Index(
        "ix_webhook_retries_open",
        "agent",
        "player_id",
        "number",
        postgresql_where=text("state <> 'delivered'"),
    ),
)
"""Events that were refused while others were taken, and what waits behind each for its player."""

webhook_deliverers = Table(
    "webhook_deliverers",
    metadata,
    Column("slot", Integer, nullable=False, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("seen_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("slot"),
)
