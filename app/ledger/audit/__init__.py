"""The audit's laws: each is one query that returns the offenders.

A query looks at what its scope names: everything of a range of players, or what was touched since a
moment. It trusts nothing that was stored where it can be computed again: the chain is hashed anew,
rounds and the use of limits are added up anew from the journal.
"""

from typing import Final

from app.ledger.audit import accounts, early_aborts, journal, operators, rounds, wallets
from app.ledger.audit.scope import EVERYTHING, RECENT, Invariant, Scope


def _laws(scope: Scope) -> tuple[Invariant, ...]:
    return (
        *wallets.laws(scope),
        *journal.laws(scope),
        *rounds.laws(scope),
        *early_aborts.laws(scope),
        *accounts.laws(scope),
        *operators.laws(scope),
    )


INVARIANTS: Final = _laws(EVERYTHING)
"""Every law, in the order in which a reader would want to hear of a breach.

$1 and $2 are the first and the last player of a range.
"""

RECENT_INVARIANTS: Final = _laws(RECENT)
"""The laws of what was touched since $1, without those that only a look at everything can tell."""

UPPER_BOUNDS: Final = """
SELECT player_id FROM (
    SELECT player_id, row_number() OVER (ORDER BY player_id) AS number FROM players
) p WHERE number % $1 = 0 ORDER BY player_id
"""
"""Every so-many-th player: the last of each range but one."""
