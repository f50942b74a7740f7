"""Players: their profile, wallet, sessions, and the log of changes to their account."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.ledger.tables.columns import (
    MOMENT,
    SUM,
    currency_columns,
    id_check,
    metadata,
    money,
    xid,
    xid_index,
)
from app.ledger.tables.laws import Laws

players = Table(
    "players",
    metadata,
    Column("player_id", BigInteger, Identity(always=True), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("agent", Text, nullable=False),
    *currency_columns(),
    Column("nickname", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("email", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("blocked", Boolean, nullable=False, server_default=text("false")),
    Column("excluded_until", MOMENT),
    Column("limits", JSONB),
    Column("created_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("player_id"),
    CheckConstraint("scale BETWEEN 0 AND 8", name="scale"),
    CheckConstraint("char_length(nickname) BETWEEN 3 AND 64", name="nickname_length"),
    id_check("user_id"),
    Index("uq_players_user_id", "user_id", unique=True),
    Index(
        "ix_players_nickname",
        literal_column("lower(nickname)").label("nickname_lower"),
        postgresql_ops={"nickname_lower": "text_pattern_ops"},
    ),
    Index("ix_players_email", text("lower(email)"), postgresql_where=text("email IS NOT NULL")),
    # Figures leave the simulator's players out.
    Index("ix_players_simulated", "player_id", postgresql_where=text("agent = 'simulator'::text")),
)

_LAWS: Final = Laws(
    "wallets",
    "wallet_is_lawful_v1",
    {
        "real": "numeric",
        "bonus": "numeric",
        "version": "bigint",
        "position": "bigint",
        "chain": "bytea",
        "stake_day": "numeric",
        "stake_week": "numeric",
        "stake_month": "numeric",
        "loss_day": "numeric",
        "loss_week": "numeric",
        "loss_month": "numeric",
        "scale": "smallint",
    },
    {
        "bonus_never_negative": "bonus >= 0",
        "chain_length": "octet_length(chain) = 32",
        "is_a_number": "real <> 'NaN' AND bonus <> 'NaN'",
        "scale": "scale BETWEEN 0 AND 8",
        # A sum that contains NaN is NaN.
        "usage_is_a_number": "stake_day + stake_week + stake_month"
        " + loss_day + loss_week + loss_month <> 'NaN'",
        "version": "version >= 0 AND position >= version",
    },
)

wallets = Table(
    "wallets",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    money("real"),
    money("bonus"),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("position", BigInteger, nullable=False, server_default=text("0")),
    Column("chain", LargeBinary, nullable=False),
    Column("usage_day", Integer, nullable=False, server_default=text("1")),
    money("stake_day", SUM),
    money("stake_week", SUM),
    money("stake_month", SUM),
    money("loss_day", SUM),
    money("loss_week", SUM),
    money("loss_month", SUM),
    # Only the previous release reads and writes it; the next release drops it.
    Column("has_refused_aborts", Boolean, nullable=False, server_default=text("false")),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    Column("agent", Text, nullable=False),
    *currency_columns(),
    Column("blocked", Boolean, nullable=False, server_default=text("false")),
    Column("excluded_until", MOMENT),
    Column("limits", JSONB),
    PrimaryKeyConstraint("player_id"),
    ForeignKeyConstraint(["player_id"], ["players.player_id"]),
    _LAWS.check(),
    # Every movement updates its wallet's row: room on the page keeps the update heap-only.
    postgresql_with={"fillfactor": "50"},
)

_LAWS.precede(wallets)

# A trigger writes it with the wallet; the service only reads it.
account_openings = Table(
    "account_openings",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("agent", Text, nullable=False),
    *currency_columns(),
    Column("chain_start", LargeBinary, nullable=False),
    xid(),
    PrimaryKeyConstraint("player_id"),
    xid_index("account_openings"),
    CheckConstraint("octet_length(chain_start) = 32", name="chain_start_length"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("issued_at", MOMENT, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
    Column("life_seconds", BigInteger),
    Column("origin", Text, nullable=False),
    PrimaryKeyConstraint("player_id", "token_hash"),
    ForeignKeyConstraint(["player_id"], ["players.player_id"]),
    CheckConstraint("octet_length(token_hash) = 32", name="token_hash_length"),
    CheckConstraint("origin IN ('transfer', 'callback', 'console', 'platform')", name="origin"),
)

account_changes = Table(
    "account_changes",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("change_id", BigInteger, Identity(always=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("asked", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("delivery", Uuid, nullable=False),
    Column("event_time", MOMENT, nullable=False),
    Column("ledger_time", MOMENT, nullable=False),
    xid(),
    PrimaryKeyConstraint("player_id", "change_id"),
    xid_index("account_changes"),
    ForeignKeyConstraint(["player_id"], ["players.player_id"]),
    Index("ix_account_changes_ledger_time", "ledger_time", postgresql_using="brin"),
)
