"""The tables, typed, with named constraints, which enforce every rule about money once more.

All amounts are NUMERIC(26, 8) in major units of the player's currency. The player leads every key
of player data, so that the tables can be distributed by player; only a transaction key is global,
and its uniqueness is a table of its own.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from app.wallet.early_aborts import AbortState
from app.wallet.events import RULES, Direction, Figure, HouseAccount, Part, Rule
from app.wallet.identifiers import ID_LENGTH_MAX
from app.wallet.refusals import Refusal

NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraint names are API: the book and the tests match on them."""

metadata = MetaData(naming_convention=NAMING)

AMOUNT: Final = Numeric(26, 8)
SUM: Final = Numeric(38, 8)
"""A sum over many movements may outgrow the largest single amount."""

MOMENT: Final = TIMESTAMP(timezone=True)

_DECISIONS: Final = ", ".join(
    ["'ACCEPTED'", *(f"'{refusal.name}'" for refusal in Refusal if refusal.is_final)]
)


def _texts(values: Iterable[object]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _types(holds: Callable[[Rule], bool]) -> str:
    """The event types of which this holds, as a list in SQL."""
    return _texts(kind for kind, rule in RULES.items() if holds(rule))


def _is_remarkable(rule: Rule) -> bool:
    return rule.part is Part.CANCEL or rule.counts_as is Figure.CORRECTIONS


def _types_of(direction: Direction, *, zero_only: bool = False) -> str:
    """The event types of a direction: for any amount, or for an amount of 0 only."""
    return _types(
        lambda rule: direction in rule.directions and (direction in rule.zero_only) is zero_only
    )


def _id_check(column: str) -> CheckConstraint:
    return CheckConstraint(
        f"char_length({column}) BETWEEN 1 AND {ID_LENGTH_MAX}", name=f"{column}_length"
    )


def _currency_columns() -> tuple[Column[str], Column[int]]:
    return Column("currency", Text, nullable=False), Column("scale", SmallInteger, nullable=False)


def _money(name: str, kind: Numeric[Any] = AMOUNT) -> Column[Any]:
    """A column of money that starts at 0."""
    return Column(name, kind, nullable=False, server_default=text("0"))


players = Table(
    "players",
    metadata,
    Column("player_id", BigInteger, Identity(always=True), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("agent", Text, nullable=False),
    *_currency_columns(),
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
    _id_check("user_id"),
    Index("uq_players_user_id", "user_id", unique=True),
)

wallets = Table(
    "wallets",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    _money("real"),
    _money("bonus"),
    Column("version", BigInteger, nullable=False, server_default=text("0")),
    Column("position", BigInteger, nullable=False, server_default=text("0")),
    Column("chain", LargeBinary, nullable=False),
    Column("usage_day", Integer, nullable=False, server_default=text("1")),
    _money("stake_day", SUM),
    _money("stake_week", SUM),
    _money("stake_month", SUM),
    _money("loss_day", SUM),
    _money("loss_week", SUM),
    _money("loss_month", SUM),
    # Only the previous release reads and writes it; the next release drops it.
    Column("has_refused_aborts", Boolean, nullable=False, server_default=text("false")),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),
    Column("agent", Text, nullable=False),
    *_currency_columns(),
    Column("blocked", Boolean, nullable=False, server_default=text("false")),
    Column("excluded_until", MOMENT),
    Column("limits", JSONB),
    PrimaryKeyConstraint("player_id"),
    ForeignKeyConstraint(["player_id"], ["players.player_id"]),
    CheckConstraint("real <> 'NaN' AND bonus <> 'NaN'", name="is_a_number"),
    # A sum that contains NaN is NaN.
    CheckConstraint(
        "stake_day + stake_week + stake_month + loss_day + loss_week + loss_month <> 'NaN'",
        name="usage_is_a_number",
    ),
    CheckConstraint("bonus >= 0", name="bonus_never_negative"),
    CheckConstraint("version >= 0 AND position >= version", name="version"),
    CheckConstraint("octet_length(chain) = 32", name="chain_length"),
    CheckConstraint("scale BETWEEN 0 AND 8", name="scale"),
    # Every movement updates its wallet's row: room on the page keeps the update heap-only.
    postgresql_with={"fillfactor": "50"},
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

# No foreign key to players: its check would lock the player's row once more for every new round,
# and the wallet's lock is held already.
rounds = Table(
    "rounds",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("is_streamer", Boolean, nullable=False),
    Column("agent", Text, nullable=False),
    *_currency_columns(),
    Column("game_id", BigInteger),
    Column("opened_at", MOMENT, nullable=False),
    Column("last_at", MOMENT, nullable=False),
    Column("bets_placed", Integer, nullable=False),
    Column("bets_standing", Integer, nullable=False),
    _money("stake_real", SUM),
    _money("stake_bonus", SUM),
    _money("staked", SUM),
    _money("paid", SUM),
    _money("taken_back", SUM),
    Column("cancels", Integer, nullable=False),
    _money("remainder", SUM),
    Column("settled", Boolean, nullable=False),
    # Amounts that the previous release stored; they only flag a bet.
    Column("refused_aborts", ARRAY(AMOUNT), nullable=False),
    Column("has_early_aborts", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("player_id", "event_id", "is_streamer"),
    _id_check("event_id"),
    CheckConstraint("bets_standing BETWEEN 0 AND bets_placed", name="bets_standing"),
    CheckConstraint("stake_real >= 0 AND stake_bonus >= 0", name="stakes_never_negative"),
    CheckConstraint("stake_real + stake_bonus <= staked", name="stakes_within_staked"),
    CheckConstraint("taken_back BETWEEN 0 AND paid", name="taken_back_within_paid"),
    CheckConstraint("remainder >= 0 AND cancels >= 0", name="cancels"),
    CheckConstraint(
        "stake_real + stake_bonus + staked + paid + taken_back + remainder <> 'NaN'",
        name="is_a_number",
    ),
    # The condition limits this index to the history, which repeats it. The money road, which does
    # not, finds a round by its whole key: with this index it would read, and lock, all the rounds
    # of a player, as soon as the planner believes that players have few.
    Index(
        "ix_rounds_player_id_opened_at",
        "player_id",
        "opened_at",
        postgresql_where=text("bets_placed > 0"),
    ),
    # The player's agent is repeated here: the history of a small agent must not have to look
    # through the rounds of a large one.
    Index("ix_rounds_agent_opened_at", "agent", "opened_at"),
    Index(
        "ix_rounds_ongoing",
        "agent",
        "opened_at",
        postgresql_where=text("NOT settled"),
    ),
    postgresql_with={"fillfactor": "80"},
)

early_aborts = Table(
    "early_aborts",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("is_streamer", Boolean, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("amount", AMOUNT, nullable=False),
    Column("first_at", MOMENT, nullable=False),
    Column("state", Text, nullable=False),
    PrimaryKeyConstraint("player_id", "event_id", "is_streamer", "transaction_id"),
    CheckConstraint("amount >= 0 AND amount <> 'NaN'", name="amount"),
    CheckConstraint(
        f"state IN ({', '.join(repr(state.value) for state in AbortState)})", name="state"
    ),
)

transaction_keys = Table(
    "transaction_keys",
    metadata,
    Column("source", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("facet", Text, nullable=False),
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    PrimaryKeyConstraint("source", "transaction_id", "facet"),
    _id_check("transaction_id"),
)

movements = Table(
    "movements",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("facet", Text, nullable=False),
    Column("delivery", Uuid, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("decision", Text, nullable=False),
    *_currency_columns(),
    Column("amount", AMOUNT, nullable=False),
    Column("real_before", AMOUNT, nullable=False),
    Column("bonus_before", AMOUNT, nullable=False),
    Column("real_delta", AMOUNT, nullable=False),
    Column("bonus_delta", AMOUNT, nullable=False),
    Column("real_after", AMOUNT, nullable=False),
    Column("bonus_after", AMOUNT, nullable=False),
    Column("contra", Text, nullable=False),
    Column("event_id", Text),
    Column("game_id", BigInteger),
    Column("bonus_code", Text),
    Column("extra_data", Text),
    Column("reverses", Text, nullable=False),
    Column("flags", Text, nullable=False),
    Column("event_time", MOMENT, nullable=False),
    Column("ledger_time", MOMENT, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    PrimaryKeyConstraint("player_id", "position"),
    CheckConstraint("direction IN ('debit', 'credit')", name="direction"),
    CheckConstraint("position >= 1 AND version BETWEEN 0 AND position", name="version"),
    CheckConstraint("amount >= 0 AND amount <> 'NaN'", name="amount_not_negative"),
    CheckConstraint(
        "scale BETWEEN 0 AND 8 AND amount = trunc(amount, scale)"
        " AND real_delta = trunc(real_delta, scale) AND bonus_delta = trunc(bonus_delta, scale)",
        name="scale",
    ),
    CheckConstraint(
        "real_before <> 'NaN' AND bonus_before <> 'NaN' AND real_after <> 'NaN'"
        " AND bonus_after <> 'NaN'",
        name="is_a_number",
    ),
    CheckConstraint(
        "real_after = real_before + real_delta AND bonus_after = bonus_before + bonus_delta",
        name="after_is_before_plus_delta",
    ),
    CheckConstraint(
        "CASE WHEN decision <> 'ACCEPTED' THEN real_delta = 0 AND bonus_delta = 0"
        " WHEN direction = 'credit' THEN real_delta + bonus_delta = amount"
        " AND real_delta >= 0 AND bonus_delta >= 0"
        " ELSE real_delta + bonus_delta = -amount AND real_delta <= 0 AND bonus_delta <= 0 END",
        name="delta_is_amount",
    ),
    CheckConstraint(f"decision IN ({_DECISIONS})", name="decision"),
    CheckConstraint(
        f"CASE direction WHEN 'debit' THEN event_type IN ({_types_of(Direction.DEBIT)})"
        f" OR (amount = 0 AND event_type IN ({_types_of(Direction.DEBIT, zero_only=True)}))"
        f" ELSE event_type IN ({_types_of(Direction.CREDIT)}) END",
        name="event_type_and_direction",
    ),
    CheckConstraint("bonus_after >= 0", name="bonus_never_negative"),
    CheckConstraint(
        "real_after >= least(real_before, 0)"
        f" OR event_type IN ({_types(lambda rule: rule.may_overdraw)})",
        name="no_overdraft",
    ),
    CheckConstraint("octet_length(chain) = 32", name="chain_length"),
    Index("ix_movements_player_id_event_id", "player_id", "event_id"),
    Index("ix_movements_ledger_time", "ledger_time", postgresql_using="brin"),
    # The day on which a movement counts in every report.
    Index(
        "ix_movements_ledger_day",
        text("((ledger_time AT TIME ZONE 'UTC')::date)"),
        postgresql_using="brin",
    ),
    # What operations search for; ordinary movements are not in this index.
    Index(
        "ix_movements_remarkable",
        "ledger_time",
        postgresql_where=text(
            f"decision <> 'ACCEPTED' OR flags <> '' OR event_type IN ({_types(_is_remarkable)})"
        ),
    ),
)

refusals = Table(
    "refusals",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("refusal_id", BigInteger, Identity(always=True), nullable=False),
    Column("source", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("transaction_id", Text),
    Column("event_id", Text),
    Column("event_type", Text),
    Column("direction", Text),
    Column("amount", Text),
    Column("refusal", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("differs", Text),
    Column("asked", Text),
    Column("delivery", Uuid, nullable=False),
    Column("event_time", MOMENT, nullable=False),
    Column("ledger_time", MOMENT, nullable=False),
    PrimaryKeyConstraint("user_id", "refusal_id"),
    Index("ix_refusals_ledger_time", "ledger_time", postgresql_using="brin"),
    Index("ix_refusals_transaction_id", "transaction_id"),
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
    PrimaryKeyConstraint("player_id", "change_id"),
    ForeignKeyConstraint(["player_id"], ["players.player_id"]),
    Index("ix_account_changes_ledger_time", "ledger_time", postgresql_using="brin"),
)

request_ids = Table(
    "request_ids",
    metadata,
    Column("agent", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("delivery", Uuid, nullable=False),
    Column("ledger_time", MOMENT, nullable=False),
    Column("answer", Text),
    PrimaryKeyConstraint("agent", "request_id"),
    CheckConstraint("char_length(request_id) BETWEEN 1 AND 64", name="request_id_length"),
    CheckConstraint("octet_length(content) = 32", name="content_length"),
    # Only rows whose answer is still kept: what is to be cleared is found without a scan.
    Index(
        "ix_request_ids_ledger_time",
        "ledger_time",
        postgresql_where=text("answer IS NOT NULL"),
    ),
)
"""Ids of the operator's requests that take effect once; their sealed answers stay for a day."""

maintenance_notices = Table(
    "maintenance_notices",
    metadata,
    Column("notice_id", BigInteger, Identity(always=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("batch_id", Text),
    Column("game_ids", JSONB),
    Column("additions", JSONB),
    Column("brand_name", Text),
    Column("countries", JSONB),
    Column("currencies", JSONB),
    Column("provider_ids", JSONB),
    Column("body", Text, nullable=False),
    Column("received_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("notice_id"),
)

unanswered = Table(
    "unanswered",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("told_at", MOMENT, nullable=False),
    Column("came_back_at", MOMENT),
    PrimaryKeyConstraint("player_id", "position"),
)

decision_settings = Table(
    "decision_settings",
    metadata,
    Column("is_the_only_row", Boolean, nullable=False, server_default=text("true")),
    Column("rule_version", Integer, nullable=False),
    Column("key_scope", Text),
    Column("stake_order", Text),
    Column("overtaken_bet", Text),
    Column("overtaken_seconds", Integer),
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
    PrimaryKeyConstraint("event_type"),
    UniqueConstraint("words"),
    CheckConstraint(f"part IN ({_texts(Part)})", name="part"),
    CheckConstraint(f"contra IN ({_texts(HouseAccount)})", name="contra"),
    CheckConstraint(f"counts_as IN ({_texts(Figure)})", name="counts_as"),
    CheckConstraint(
        "debit IN ('any', 'zero', 'never') AND credit IN ('any', 'zero', 'never')",
        name="directions",
    ),
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

APPEND_ONLY: Final = (
    "movements",
    "transaction_keys",
    "refusals",
    "account_changes",
    "maintenance_notices",
    "ledger_settings",
    "decision_setting_changes",
)
"""Tables whose rows are never updated nor deleted; a trigger and the privileges forbid it."""

CLEARED_ONLY: Final = {"request_ids": "answer"}
"""Append-only tables of which one column may be cleared: by trigger, and by privilege."""

OWNED_BY_MIGRATIONS: Final = ("event_types", "applied_views", "decision_settings")
"""Tables that only the schema's owner writes; the service reads them."""
