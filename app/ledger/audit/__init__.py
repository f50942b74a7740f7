"""The audit's laws: each is found broken by a query that returns the offenders.

A query looks at what its scope names: everything of a range of players, all of some players, or
what was touched since a moment. It trusts nothing that was stored where it can be computed again:
the chain is hashed anew, rounds and the use of limits are added up anew from the journal.
"""

from typing import Final

from app.ledger.audit import (
    accounts,
    adjustments,
    early_aborts,
    exceptions,
    holds,
    imports,
    journal,
    limit_counters,
    operators,
    rounds,
    seals,
    sums,
    wallets,
)
from app.ledger.audit.scope import EVERYTHING, OF_PLAYERS, RECENT, Check, Invariant, Scope


def _checks(scope: Scope) -> tuple[Check, ...]:
    """Return every check, those that take the longest first."""
    return (
        *journal.checks(scope),
        *rounds.checks(scope),
        *sums.checks(scope),
        *wallets.checks(scope),
        *seals.checks(scope),
        *early_aborts.checks(scope),
        *holds.checks(scope),
        *limit_counters.checks(scope),
        *accounts.checks(scope),
        *operators.checks(scope),
        *adjustments.checks(scope),
        *imports.checks(scope),
        *exceptions.checks(scope),
    )


def invariants_of(checks: tuple[Check, ...]) -> tuple[Invariant, ...]:
    """Return the laws that the checks look at."""
    return tuple(law for check in checks for law in check.invariants)


CHECKS: Final = _checks(EVERYTHING)
"""Every law; $1 and $2 are the first and the last player of a range."""

CHECKS_OF_PLAYERS: Final = _checks(OF_PLAYERS)
"""The laws of the players whose numbers are $1, without those that only a look at all can tell."""

RECENT_CHECKS: Final = _checks(RECENT)
"""The laws of what was touched since $1, without those that only a look at everything can tell."""

INVARIANTS: Final = invariants_of(CHECKS)
"""Every law of the ledger."""

MOVED_SINCE: Final = """
SELECT DISTINCT player_id FROM movements WHERE ledger_time >= $1 ORDER BY player_id
"""
"""The players who moved since a moment."""

UPPER_BOUNDS: Final = """
SELECT player_id FROM (
    SELECT player_id, row_number() OVER (ORDER BY player_id) AS number FROM players
) p WHERE number % $1 = 0 ORDER BY player_id
"""
"""Every so-many-th player: the last of each range but one."""
