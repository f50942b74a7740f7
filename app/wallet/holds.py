"""Holds: withdrawals under way, each of which is settled or released, wholly and once."""

from enum import StrEnum
from typing import NamedTuple

from app.wallet.money import Minor


class HoldState(StrEnum):
    """The state of a hold. The values are those of the database."""

    PENDING = "pending"
    SETTLED = "settled"
    """paid out"""
    RELEASED = "released"
    """given back to the player"""


class HoldKey(NamedTuple):
    """A hold's name: its agent, and the transaction id under which it was made."""

    source: str
    transaction_id: str


class Hold(NamedTuple):
    """A hold as the decision sees it. `amount` is in minor units of the player's currency."""

    player_id: int
    position: int
    """of its movement in the player's chain"""
    amount: Minor
    state: HoldState = HoldState.PENDING
    closed_position: int | None = None
    """of the movement that settled or released it"""
