"""Limits that few players have: their counters, the games' names, and which limit refused."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from app.ledger.tables.columns import AMOUNT, MOMENT, SUM, metadata, money
from app.wallet.limit_terms import PRODUCT

limit_counters = Table(
    "limit_counters",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("counter", Text, nullable=False),
    Column("counted_on", Integer, nullable=False),
    money("day", SUM),
    money("week", SUM),
    money("month", SUM),
    PrimaryKeyConstraint("player_id", "counter"),
    # A sum that contains NaN is NaN.
    CheckConstraint("day + week + month <> 'NaN'", name="is_a_number"),
)

limit_hits = Table(
    "limit_hits",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("limit_name", Text, nullable=False),
    Column("limit_amount", AMOUNT, nullable=False),
    Column("used", SUM, nullable=False),
    PrimaryKeyConstraint("player_id", "position"),
    CheckConstraint("limit_amount >= 0 AND limit_amount <> 'NaN'", name="limit_amount"),
    CheckConstraint("used <> 'NaN'", name="used"),
)

game_names = Table(
    "game_names",
    metadata,
    Column("game_id", BigInteger, nullable=False),
    Column("since", MOMENT, nullable=False),
    Column("product", Text, nullable=False),
    Column("source", Text, nullable=False),
    PrimaryKeyConstraint("game_id", "since"),
    CheckConstraint(f"product ~ '^{PRODUCT.pattern}$'", name="product"),
)
"""The product of a game from a moment on; a bet keeps the product that its game had."""
