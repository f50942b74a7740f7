"""What the ledger keeps of itself: the settings and the event types that decide money."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from app.ledger.tables.columns import MOMENT, metadata, sql_list
from app.wallet.events import RULES, Figure, HouseAccount, Part

MOVES_FROM = {rule.moves_from for rule in RULES.values() if rule.moves_from is not None}
"""The house accounts from which a movement pays instead of the player's pockets."""

decision_settings = Table(
    "decision_settings",
    metadata,
    Column("is_the_only_row", Boolean, nullable=False, server_default=text("true")),
    Column("rule_version", Integer, nullable=False),
    Column("key_scope", Text),
    Column("stake_order", Text),
    Column("overtaken_bet", Text),
    Column("overtaken_seconds", Integer),
    Column("limit_zone", Text),
    PrimaryKeyConstraint("is_the_only_row"),
    CheckConstraint("is_the_only_row", name="is_the_only_row"),
)

decision_setting_changes = Table(
    "decision_setting_changes",
    metadata,
    Column("change_id", BigInteger, Identity(always=True), nullable=False),
    Column("changed_at", MOMENT, nullable=False),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("value_before", Text),
    Column("value_after", Text, nullable=False),
    PrimaryKeyConstraint("change_id"),
)

event_types = Table(
    "event_types",
    metadata,
    Column("event_type", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("contra", Text, nullable=False),
    Column("counts_as", Text, nullable=False),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    Column("may_overdraw", Boolean, nullable=False),
    Column("is_play", Boolean, nullable=False),
    Column("is_streamer", Boolean, nullable=False),
    Column("is_cashier", Boolean, nullable=False),
    Column("moves_from", Text),
    PrimaryKeyConstraint("event_type"),
    UniqueConstraint("words"),
    CheckConstraint(f"part IN ({sql_list(Part)})", name="part"),
    CheckConstraint(f"contra IN ({sql_list(HouseAccount)})", name="contra"),
    CheckConstraint(f"counts_as IN ({sql_list(Figure)})", name="counts_as"),
    CheckConstraint(
        "debit IN ('any', 'zero', 'never') AND credit IN ('any', 'zero', 'never')",
        name="directions",
    ),
    CheckConstraint(f"moves_from IN ({sql_list(MOVES_FROM)})", name="moves_from"),
    # The figures of streamers and the streamers' account are the same money.
    CheckConstraint(
        "is_streamer = (contra = 'house:streamers')"
        " AND is_streamer = (counts_as IN ('streamer_turnover', 'streamer_payments'))",
        name="is_streamer",
    ),
)
"""The part of `RULES` that views and reports join; a test holds both equal."""

applied_views = Table(
    "applied_views",
    metadata,
    Column("file", Text, nullable=False),
    Column("checksum", Text, nullable=False),
    PrimaryKeyConstraint("file"),
)
"""The checksum of each file in `app/ledger/views` that the views of schema `ops` came from."""

ledger_settings = Table(
    "ledger_settings",
    metadata,
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("name"),
)
