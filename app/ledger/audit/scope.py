"""What of the ledger an audit looks at, as conditions in SQL, and what a law and a check are."""

from collections.abc import Callable
from typing import Final, NamedTuple

from app.wallet.events import RULES, Part, Rule


class Invariant(NamedTuple):
    """A law of the ledger."""

    name: str
    law: str


class Check(NamedTuple):
    """A query that finds who breaks one or several laws.

    The first column, `invariant`, names the law that the row breaks; the others are the offender.
    Laws share a query where they need the same rows: reading and joining them is most of the cost.
    """

    invariants: tuple[Invariant, ...]
    query: str
    on_nodes: str | None = None
    """the query of a bucket that is on a node; None: it is the same"""

    @classmethod
    def of_one(cls, name: str, law: str, query: str, on_nodes: str | None = None) -> "Check":
        """Check one law; the queries return its offenders alone."""
        with_name = f"SELECT '{name}' AS invariant, o.* FROM ({{}}) AS o"
        return cls(
            (Invariant(name, law),),
            with_name.format(query),
            None if on_nodes is None else with_name.format(on_nodes),
        )


class Scope(NamedTuple):
    """Which rows a run looks at; each condition is of a row by its name in the query."""

    movements: Callable[[str], str]
    """of a row of movements"""
    players: Callable[[str], str]
    """of a row that belongs to a player"""
    events: Callable[[str], str]
    """of a row that belongs to an event of a player"""
    actions: str | None
    """of a row `a` of operator_actions; None: none is looked at"""
    head: str | None
    """of the row `h` of operator_actions_head"""
    is_everything: bool
    """of the players that are looked at, since their accounts were opened"""
    is_everybody: bool
    """every player is looked at by some range, and so is a row that names nobody"""


def _within(row: str) -> str:
    return f"{row}.player_id BETWEEN $1 AND $2"


def _of_them(row: str) -> str:
    return f"{row}.player_id = ANY($1::bigint[])"


def _lately(row: str) -> str:
    return f"{row}.ledger_time >= $1"


def _lately_moved(row: str) -> str:
    # DISTINCT lets nobody ask the other way round: whether a player has moved at all, one by one.
    return f"{row}.player_id IN (SELECT DISTINCT player_id FROM movements WHERE ledger_time >= $1)"


def _lately_played(row: str) -> str:
    return (
        f"({row}.player_id, {row}.event_id) IN (SELECT DISTINCT player_id, event_id FROM movements"
        " WHERE ledger_time >= $1 AND event_id IS NOT NULL)"
    )


EVERYTHING: Final = Scope(
    _within,
    _within,
    _within,
    "a.action_id BETWEEN $1 AND $2",
    "h.last_action BETWEEN $1 AND $2",
    is_everything=True,
    is_everybody=True,
)
"""All of a range of players: $1 and $2 are the first and the last."""

RECENT: Final = Scope(
    _lately,
    _lately_moved,
    _lately_played,
    "a.ledger_time >= $1",
    # There is one, and it is looked at whatever the moment.
    "$1::timestamptz IS NOT NULL",
    is_everything=False,
    is_everybody=False,
)
"""What was moved since $1, with the players and the events it was moved in.

Rows of them that are older are read where a law needs them, by key.
"""

OF_PLAYERS: Final = Scope(
    _of_them, _of_them, _of_them, None, None, is_everything=True, is_everybody=False
)
"""All of some players, whose numbers are $1."""


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
