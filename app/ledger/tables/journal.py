"""The journal: movements, the keys that name them, and the answers that nobody heard."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)

from app.ledger.tables.columns import (
    AMOUNT,
    MOMENT,
    bloom,
    currency_columns,
    id_check,
    metadata,
    sql_list,
    xid,
    xid_index,
)
from app.ledger.tables.laws import Laws
from app.wallet.events import RULES, Direction, Figure, Part, Rule
from app.wallet.holds import HoldState
from app.wallet.refusals import Refusal

_DECISIONS: Final = ", ".join(
    ["'ACCEPTED'", *(f"'{refusal.name}'" for refusal in Refusal if refusal.is_final)]
)


def _types(holds: Callable[[Rule], bool]) -> str:
    """The event types of which this holds, as a list in SQL."""
    return sql_list(kind for kind, rule in RULES.items() if holds(rule))


def _is_remarkable(rule: Rule) -> bool:
    is_cancel = rule.part is Part.CANCEL and not rule.is_named
    return is_cancel or rule.counts_as is Figure.CORRECTIONS


def _types_of(direction: Direction, *, zero_only: bool = False) -> str:
    """The event types of a direction: for any amount, or for an amount of 0 only."""
    return _types(
        lambda rule: direction in rule.directions and (direction in rule.zero_only) is zero_only
    )


_LAWS: Final = Laws(
    "movements",
    "movement_is_lawful_v1",
    {
        "position": "bigint",
        "version": "bigint",
        "event_type": "text",
        "direction": "text",
        "decision": "text",
        "scale": "smallint",
        "amount": "numeric",
        "real_before": "numeric",
        "bonus_before": "numeric",
        "real_delta": "numeric",
        "bonus_delta": "numeric",
        "real_after": "numeric",
        "bonus_after": "numeric",
        "chain": "bytea",
    },
    {
        "after_is_before_plus_delta": "real_after = real_before + real_delta"
        " AND bonus_after = bonus_before + bonus_delta",
        "amount_not_negative": "amount >= 0 AND amount <> 'NaN'",
        "bonus_never_negative": "bonus_after >= 0",
        "chain_length": "octet_length(chain) = 32",
        "decision": f"decision IN ({_DECISIONS})",
        "delta_is_amount": "CASE\n"
        "WHEN decision <> 'ACCEPTED' THEN real_delta = 0 AND bonus_delta = 0\n"
        f"WHEN event_type IN ({_types(lambda rule: rule.moves_from is not None)})"
        " THEN real_delta = 0 AND bonus_delta = 0\n"
        "WHEN direction = 'credit' THEN real_delta + bonus_delta = amount"
        " AND real_delta >= 0 AND bonus_delta >= 0\n"
        "ELSE real_delta + bonus_delta = -amount AND real_delta <= 0 AND bonus_delta <= 0 END",
        "direction": "direction IN ('debit', 'credit')",
        "event_type_and_direction": "CASE direction WHEN 'debit' THEN\n"
        f"event_type IN ({_types_of(Direction.DEBIT)})\n"
        f"OR (amount = 0 AND event_type IN ({_types_of(Direction.DEBIT, zero_only=True)}))\n"
        f"ELSE event_type IN ({_types_of(Direction.CREDIT)})\n"
        f"OR (amount = 0 AND event_type IN ({_types_of(Direction.CREDIT, zero_only=True)})) END",
        "is_a_number": "real_before <> 'NaN' AND bonus_before <> 'NaN'\n"
        "AND real_after <> 'NaN' AND bonus_after <> 'NaN'",
        "no_overdraft": "real_after >= least(real_before, 0)\n"
        f"OR event_type IN ({_types(lambda rule: rule.may_overdraw)})",
        "scale": "scale BETWEEN 0 AND 8 AND amount = trunc(amount, scale)\n"
        "AND real_delta = trunc(real_delta, scale) AND bonus_delta = trunc(bonus_delta, scale)",
        "version": "position >= 1 AND version BETWEEN 0 AND position",
    },
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
    id_check("transaction_id"),
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
    *currency_columns(),
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
    xid(),
    PrimaryKeyConstraint("player_id", "position"),
    xid_index("movements"),
    _LAWS.check(),
    Index("ix_movements_player_id_event_id", "player_id", "event_id"),
    # What a request did, for the back office's search.
    bloom("ix_movements_delivery", "delivery", "uuid"),
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

_LAWS.precede(movements)

holds = Table(
    "holds",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("amount", AMOUNT, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", MOMENT, nullable=False),
    Column("closed_position", BigInteger),
    Column("closed_at", MOMENT),
    PrimaryKeyConstraint("player_id", "position"),
    CheckConstraint("amount > 0 AND amount <> 'NaN'", name="amount"),
    CheckConstraint(f"state IN ({sql_list(HoldState)})", name="state"),
    CheckConstraint(
        "(state = 'pending') = (closed_position IS NULL)"
        " AND (state = 'pending') = (closed_at IS NULL)",
        name="closed",
    ),
    # What operations ask for: of millions of holds, few are pending.
    Index("ix_holds_pending", "opened_at", postgresql_where=text("state = 'pending'")),
)
"""Withdrawals under way; a trigger lets a hold be closed once, and nothing else of it change."""

unanswered = Table(
    "unanswered",
    metadata,
    Column("player_id", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("told_at", MOMENT, nullable=False),
    Column("came_back_at", MOMENT),
    PrimaryKeyConstraint("player_id", "position"),
)
