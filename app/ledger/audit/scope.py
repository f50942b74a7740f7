"""What of the ledger an audit looks at, as conditions in SQL, and what a law is."""

from collections.abc import Callable
from typing import Final, NamedTuple

from app.wallet.events import RULES, Part, Rule


class Invariant(NamedTuple):
    """A law of the ledger, and the query that finds who breaks it."""

    name: str
    law: str
    query: str


class Scope(NamedTuple):
    """Which rows a run looks at; each condition is of a row by its name in the query."""

    movements: str
    """of a row `m` of movements"""
    players: Callable[[str], str]
    """of a row that belongs to a player"""
    events: Callable[[str], str]
    """of a row that belongs to an event of a player"""
    actions: str
    """of a row `a` of operator_actions"""
    head: str
    """of the row `h` of operator_actions_head"""
    is_everything: bool


def _within(row: str) -> str:
    return f"{row}.player_id BETWEEN $1 AND $2"


def _recently_moved(row: str) -> str:
    # DISTINCT lets nobody ask the other way round: whether a player has moved at all, one by one.
    return f"{row}.player_id IN (SELECT DISTINCT player_id FROM movements WHERE ledger_time >= $1)"


def _recently_played(row: str) -> str:
    return (
        f"({row}.player_id, {row}.event_id) IN (SELECT DISTINCT player_id, event_id FROM movements"
        " WHERE ledger_time >= $1 AND event_id IS NOT NULL)"
    )


EVERYTHING: Final = Scope(
    _within("m"),
    _within,
    _within,
    "a.action_id BETWEEN $1 AND $2",
    "h.last_action BETWEEN $1 AND $2",
    is_everything=True,
)

RECENT: Final = Scope(
    "m.ledger_time >= $1",
    _recently_moved,
    _recently_played,
    "a.ledger_time >= $1",
    # There is one, and it is looked at whatever the moment.
    "$1::timestamptz IS NOT NULL",
    is_everything=False,
)
"""What was moved since $1, with the players and the events it was moved in.

Rows of them that are older are read where a law needs them, by key.
"""


def types(holds: Callable[[Rule], bool]) -> str:
    """The event types of which this holds, as a list in SQL."""
    return ", ".join(f"'{kind}'" for kind, rule in RULES.items() if holds(rule))


BETS: Final = types(lambda rule: rule.part is Part.BET)
PAYMENTS: Final = types(lambda rule: rule.part is Part.PAYMENT)
ABORTS: Final = types(lambda rule: rule.part is Part.ABORT)
PAYMENT_ABORTS: Final = types(lambda rule: rule.part is Part.PAYMENT_ABORT)
CANCELS: Final = types(lambda rule: rule.part is Part.CANCEL)
IN_ROUNDS: Final = types(lambda rule: rule.part is not Part.NONE)

IS_STREAMER: Final = "m.contra = 'house:streamers'"
"""Whether a row `m` of movements belongs to an event's streamer round."""
