"""What an invariant of the ledger is: a law in words, and the query that returns its offenders.

A query takes three arguments: it looks at the players from $1 up to, not including, $2, and at what
happened at or after $3 (everything, if that is minus infinity).
"""

from typing import Final, NamedTuple

RANGE: Final = "m.player_id >= $1 AND m.player_id < $2 AND m.ledger_time >= $3"
"""The condition on a row `m` of movements that the three arguments make."""


class Invariant(NamedTuple):
    """A law of the ledger, and the query that finds the rows that break it."""

    name: str
    law: str
    query: str
