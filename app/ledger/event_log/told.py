"""What events say: a row of the event log, and everything that is told of it.

Amounts are text in major units, at their currency's scale.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from app.wallet.event_log import LoggedType


class LoggedEvent(NamedTuple):
    """A row of the event log."""

    number: int
    player_id: int
    type: LoggedType
    place: int
    occurred_at: datetime
    bucket: int | None = None
    """where that row is, if the buckets are on several nodes"""


class MovementTold(NamedTuple):
    """A movement: what `account/statement` says of it. Amounts as text, in major units."""

    event_type: str
    direction: str
    decision: str
    currency: str
    amount: str
    real_before: str
    bonus_before: str
    real_after: str
    bonus_after: str
    balance: str
    source: str
    transaction_id: str
    event_id: str | None
    game_id: int | None
    bonus_code: str | None
    decided_at: datetime


class LimitTold(NamedTuple):
    """Which limit refused a movement."""

    movement: MovementTold
    limit: str
    value: str
    used: str
    remaining: str


class RoundTold(NamedTuple):
    """A round as it stood when it was settled. Amounts as text, in major units."""

    event_id: str
    game_id: int | None
    is_streamer: bool
    currency: str
    bets: int
    stakes: str
    wins: str
    returns: str
    net: str
    transaction_id: str


class OpeningTold(NamedTuple):
    """An account that was opened."""

    currency: str


class ChangeTold(NamedTuple):
    """A change of an account, and the account after it."""

    currency: str
    scale: int
    source: str
    operation: str
    outcome: Mapping[str, Any]
    """as the list of changes stores it: amounts in minor units, times in microseconds"""


class AlarmTold(NamedTuple):
    """An exception that was listed in the inbox."""

    number: int
    kind: str
    summary: str
    event_type: str | None
    direction: str | None
    transaction_id: str | None
    event_id: str | None
    amount: str | None
    currency: str | None
    happened_at: datetime


class VoidedTold(NamedTuple):
    """Numbers that are void from now on."""

    first: int
    last: int


Content: TypeAlias = (
    MovementTold | LimitTold | RoundTold | OpeningTold | ChangeTold | AlarmTold | VoidedTold
)


class Told(NamedTuple):
    """An event, with all that is said of it."""

    number: int
    player_id: int
    type: LoggedType
    occurred_at: datetime
    user_id: str
    """empty: it is about no player"""
    id: str
    content: Content
