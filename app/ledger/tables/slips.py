"""Bet slips as they were read, and how sports bets stand: computed from the journal, at any time.

Nothing here decides money, and nothing refers to it. Amounts are the journal's or, where the slip
tells them, the slip's at the currency's scale.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from app.ledger.tables.columns import (
    AMOUNT,
    MOMENT,
    SUM,
    bloom,
    currency_columns,
    metadata,
    sql_list,
)
from app.wallet.slips import SlipFault, SlipShape
from app.wallet.sport_bets import BetStatus
from app.wallet.sport_round import MismatchKind

_FAULTS = sql_list(SlipFault)

sport_bets = Table(
    "sport_bets",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    # Of the movement that placed it.
    Column("position", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("game_id", BigInteger),
    *currency_columns(),
    Column("slip_id", Text),
    # Null: its slip was not sent, or could not be read, which `fault` tells.
    Column("shape", Text),
    Column("fault", Text),
    Column("wins_needed", SmallInteger),
    Column("picks", SmallInteger),
    # How many rows of sport_legs are this bet's: those beyond are of a reading before.
    Column("legs", SmallInteger, nullable=False),
    Column("live", Text),
    Column("is_quick", Boolean),
    Column("free_bet", Text),
    Column("bonus_id", Text),
    Column("stake", AMOUNT, nullable=False),
    Column("stake_bonus", AMOUNT, nullable=False),
    Column("told_stake", Numeric),
    Column("total_odds", Numeric),
    Column("potential_win", Numeric),
    Column("status", Text, nullable=False),
    Column("said", Text),
    Column("turnover", AMOUNT, nullable=False),
    Column("paid", SUM, nullable=False),
    Column("cash_out", SUM, nullable=False),
    Column("bonus_cost", SUM, nullable=False),
    Column("settlements", SmallInteger, nullable=False),
    Column("reopenings", SmallInteger, nullable=False),
    Column("placed_at", MOMENT, nullable=False),
    Column("settled_at", MOMENT),
    Column("last_leg_at", MOMENT),
    PrimaryKeyConstraint("player_id", "position"),
    CheckConstraint(f"shape IN ({sql_list(SlipShape)})", name="shape"),
    CheckConstraint(f"fault IN ({_FAULTS})", name="fault"),
    CheckConstraint(f"status IN ({sql_list(BetStatus)})", name="status"),
    CheckConstraint("live IN ('live', 'prematch', 'mixed')", name="live"),
    Index("ix_sport_bets_player_id_event_id", "player_id", "event_id"),
    # Few are open among all that ever were.
    Index("ix_sport_bets_open", "last_leg_at", postgresql_where=text("status = 'open'")),
    bloom("ix_sport_bets_slip_id", "lower(slip_id)", "text"),
    Index("ix_sport_bets_placed_at", "placed_at", postgresql_using="brin"),
    postgresql_with={"fillfactor": "85"},
)

sport_legs = Table(
    "sport_legs",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("leg", SmallInteger, nullable=False),
    Column("leg_id", Text),
    Column("event_id", Text),
    Column("sport_id", Text),
    Column("category_id", Text),
    Column("tournament_id", Text),
    Column("sport", Text),
    Column("category", Text),
    Column("tournament", Text),
    Column("competitors", Text),
    Column("market", Text),
    Column("outcome", Text),
    Column("odds", Numeric),
    Column("scheduled_at", MOMENT),
    Column("is_live", Boolean),
    Column("result", Text),
    PrimaryKeyConstraint("player_id", "position", "leg"),
    CheckConstraint("leg >= 1", name="leg"),
    # All bets on a match, for support: it costs an insert nothing.
    bloom("ix_sport_legs_event_id", "lower(event_id)", "text"),
    postgresql_with={"fillfactor": "85"},
)

slip_faults = Table(
    "slip_faults",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("happened_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("player_id", "position"),
    CheckConstraint(f"reason IN ({_FAULTS})", name="reason"),
    Index("ix_slip_faults_player_id_event_id", "player_id", "event_id"),
)

slip_mismatches = Table(
    "slip_mismatches",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("bet_position", BigInteger, nullable=False),
    Column("expected", Text),
    Column("told", Text),
    Column("happened_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("player_id", "position", "kind"),
    CheckConstraint(f"kind IN ({sql_list(MismatchKind)})", name="kind"),
    Index("ix_slip_mismatches_player_id_event_id", "player_id", "event_id"),
)

slip_progress = Table(
    "slip_progress",
    metadata,
    # Of the event log's events, or `*`: the movements from before the event log.
    Column("agent", Text, nullable=False),
    # Of the agent's last event that was read.
    Column("number", BigInteger, nullable=False),
    # The last movement that was read of those from before the event log.
    Column("after_player_id", BigInteger, nullable=False),
    Column("after_position", BigInteger, nullable=False),
    Column("is_at_end", Boolean, nullable=False),
    Column("movements", BigInteger, nullable=False),
    Column("without_slip", BigInteger, nullable=False),
    Column("reached_at", MOMENT),
    # In the row `*`: how many looks of all agents were written.
    Column("looks", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("agent"),
    CheckConstraint("number >= 0 AND movements >= without_slip", name="counts"),
)
"""How far the journal was read for slips, and how many movements told of none."""

sport_liabilities = Table(
    "sport_liabilities",
    metadata,
    Column("currency", Text, nullable=False),
    # 1: the outcome on which most may be won.
    Column("rank", SmallInteger, nullable=False),
    Column("event_id", Text),
    Column("market", Text),
    Column("outcome", Text),
    Column("sport", Text),
    Column("tournament", Text),
    Column("competitors", Text),
    Column("scheduled_at", MOMENT),
    Column("bets", BigInteger, nullable=False),
    Column("stake", SUM, nullable=False),
    Column("potential_win", Numeric, nullable=False),
    # Whether the operator wants to hear of it.
    Column("is_large", Boolean, nullable=False),
    Column("counted_at", MOMENT, nullable=False),
    PrimaryKeyConstraint("currency", "rank"),
    CheckConstraint("rank >= 1", name="rank"),
)
"""The outcomes on which most may be won, as they were counted last."""
