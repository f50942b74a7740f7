"""What the event log tells, how an event and a cursor are named, and how deliveries are shared.

An event's id is a digest of what it tells of, never of its number: the same event has the same id
whenever it is told, and after a failover that lost some events another one has another id, even
under the same number. A cursor is a number with the beginning of its event's id, so that a cursor
of events that this ledger does not have is noticed.
"""

import re
from enum import StrEnum
from hashlib import blake2b
from typing import Final, NamedTuple


class LoggedType(StrEnum):
    """The type of an event (transfer contract, section 5)."""

    ACCOUNT_OPENED = "account.opened"
    ACCOUNT_UPDATED = "account.updated"
    MOVEMENT_POSTED = "movement.posted"
    MOVEMENT_DECLINED = "movement.declined"
    LIMIT_HIT = "limit.hit"
    ROUND_SETTLED = "round.settled"
    ALARM_RAISED = "alarm.raised"
    EVENTS_VOIDED = "events.voided"
    """some numbers are void: what they told was lost, or is told again. Of no player"""


class RetryState(StrEnum):
    """What becomes of an event whose delivery was refused while others were taken."""

    WAITING = "waiting"
    """it is tried again, or waits behind an earlier event of its player"""
    PARKED = "parked"
    """given up after three days, until a person asks for it again"""
    DELIVERED = "delivered"


NOBODY: Final = 0
"""The player of an event that is about none."""

SHARDS: Final = 8
"""Into how many parts the players of an agent are divided, so that as many processes can share
them: one process delivers thousands of events a second, so few are needed."""


def shard_of(player_id: int) -> int:
    """Return the part that a player belongs to."""
    return player_id % SHARDS


ID_PREFIX: Final = "evt_"
ID_BYTES: Final = 16
"""Enough that two events never have the same id."""

_MARK_LENGTH: Final = 8
"""Of an event's id in its cursor: one wrong cursor in four billion would pass."""

_CURSOR: Final = re.compile(rf"([0-9]{{1,18}})-([0-9a-f]{{{_MARK_LENGTH}}})", re.ASCII)

CURSOR_LENGTH_MAX: Final = 18 + 1 + _MARK_LENGTH


class Cursor(NamedTuple):
    """Where somebody has read to: the number of the last event, and the beginning of its id."""

    number: int
    mark: str

    @property
    def text(self) -> str:
        """The cursor as a caller has it."""
        return f"{self.number}-{self.mark}"


def event_id(kind: str, player_id: int, place: int, anchor: str) -> str:
    """Return the id of an event; `anchor` is unique to the row that it tells of, in this ledger."""
    text = f"{kind}|{player_id}|{place}|{anchor}"
    return ID_PREFIX + blake2b(text.encode(), digest_size=ID_BYTES).hexdigest()


def cursor_at(number: int, id_: str) -> Cursor:
    """Return the cursor that stands at an event."""
    return Cursor(number, id_[len(ID_PREFIX) :][:_MARK_LENGTH])


def read_cursor(text: str) -> Cursor | None:
    """Read a cursor; None: it is none."""
    match = _CURSOR.fullmatch(text)
    return None if match is None else Cursor(int(match[1]), match[2])
