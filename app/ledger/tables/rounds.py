"""Rounds, the sums of a player's event, and the aborts of bets that had not arrived."""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
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
    money,
)
from app.ledger.tables.laws import Laws
from app.wallet.early_aborts import AbortState
from app.wallet.identifiers import ID_LENGTH_MAX

_LAWS: Final = Laws(
    "rounds",
    "round_is_lawful_v1",
    {
        "event_id": "text",
        "bets_placed": "integer",
        "bets_standing": "integer",
        "stake_real": "numeric",
        "stake_bonus": "numeric",
        "staked": "numeric",
        "paid": "numeric",
        "taken_back": "numeric",
        "cancels": "integer",
        "remainder": "numeric",
    },
    {
        "bets_standing": "bets_standing BETWEEN 0 AND bets_placed",
        "cancels": "remainder >= 0 AND cancels >= 0",
        "event_id_length": f"char_length(event_id) BETWEEN 1 AND {ID_LENGTH_MAX}",
        # A sum that contains NaN is NaN.
        "is_a_number": "stake_real + stake_bonus + staked + paid + taken_back + remainder <> 'NaN'",
        "stakes_never_negative": "stake_real >= 0 AND stake_bonus >= 0",
        "stakes_within_staked": "stake_real + stake_bonus <= staked",
        "taken_back_within_paid": "taken_back BETWEEN 0 AND paid",
    },
)

# `bets_standing` and `remainder` are called bets_open and uncovered everywhere else. The columns
# keep their first names, because processes of the release before use them during an upgrade.
#
# No foreign key to players: its check would lock the player's row once more for every new round,
# and the wallet's lock is held already.
rounds = Table(
    "rounds",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("is_streamer", Boolean, nullable=False),
    Column("agent", Text, nullable=False),
    *currency_columns(),
    Column("game_id", BigInteger),
    Column("opened_at", MOMENT, nullable=False),
    Column("last_at", MOMENT, nullable=False),
    Column("bets_placed", Integer, nullable=False),
    Column("bets_standing", Integer, key="bets_open", nullable=False),
    money("stake_real", SUM),
    money("stake_bonus", SUM),
    money("staked", SUM),
    money("paid", SUM),
    money("taken_back", SUM),
    Column("cancels", Integer, nullable=False),
    money("remainder", SUM, key="uncovered"),
    Column("settled", Boolean, nullable=False),
    # Amounts that the previous release stored; they only flag a bet.
    Column("refused_aborts", ARRAY(AMOUNT), nullable=False),
    Column("has_early_aborts", Boolean, nullable=False, server_default=text("false")),
    PrimaryKeyConstraint("player_id", "event_id", "is_streamer"),
    _LAWS.check(),
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
    # An event of all players, for the back office's search. With the column as it is the planner
    # would rather read all of the primary key's index, which has it, too.
    bloom("ix_rounds_event_id", "lower(event_id)", "text"),
    Index("ix_rounds_agent_opened_at", "agent", "opened_at"),
    Index(
        "ix_rounds_ongoing",
        "agent",
        "opened_at",
        postgresql_where=text("NOT settled"),
    ),
    postgresql_with={"fillfactor": "80"},
)

_LAWS.precede(rounds)

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
