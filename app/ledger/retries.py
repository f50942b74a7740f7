"""The bookkeeping of work that runs again: how often, why, and how long it waits in between."""

import asyncio
from collections import Counter
from enum import Enum, auto
from random import SystemRandom
from typing import ClassVar, Final

from app.ledger.connections import Connections
from app.ledger.errors import LedgerAwayError, LedgerBusyError
from app.ledger.outage import Outage
from app.ledger.sqlstates import is_away, is_conflict, sqlstate

ATTEMPTS_MAX: Final = 100
"""A bound for the retry loop; the deadline ends it first, since a hundred waits take about 12 s."""

WAIT_FIRST_MS: Final = 2
WAIT_MAX_MS: Final = 250
"""Waits between attempts double from the first, about one transaction, to the longest, and are
jittered: a waiting caller is served within a quarter of a second after a conflict has ended."""

_jitter: Final = SystemRandom()


class RunAgainError(Exception):
    """The work found that it must start from a new snapshot."""

    reason: ClassVar = "rolled back at commit"
    """what its run is counted under"""


class NothingStandsError(Exception):
    """The work found that nothing of it may stand: it is rolled back, and not run again."""


class CommitOutcome(Enum):
    """What became of an attempt that did not return."""

    ROLLED_BACK = auto()
    """nothing of it stands"""
    UNKNOWN = auto()
    """the connection is gone, and it may be committed, now or later"""


class Retries:
    """The bookkeeping of one bounded loop."""

    def __init__(self, counts: Counter[str], connections: Connections, outage: Outage) -> None:
        """Count in `counts` why an attempt had to be run again."""
        self.count = 0
        self._counts = counts
        self._connections = connections
        self._outage = outage
        self._wait_ms = WAIT_FIRST_MS
        self._away: Exception | None = None
        self._is_over = False

    def may_try(self) -> bool:
        """Begin another attempt, unless there were enough."""
        self.count += 1
        return self.count <= ATTEMPTS_MAX and not self._is_over

    def outcome_after(self, error: Exception) -> CommitOutcome:
        """What became of an attempt that ended so; raises what is no reason to run again."""
        is_gone = is_away(error)
        if is_gone:
            self._away = error
            self._is_over = self._connections.is_shut
        elif not is_conflict(error):
            raise error
        self._counts[sqlstate(error) or type(error).__name__] += 1
        return CommitOutcome.UNKNOWN if is_gone else CommitOutcome.ROLLED_BACK

    async def wait(self) -> None:
        """Wait before the next attempt: jittered and doubling."""
        if not self._is_over:
            await asyncio.sleep(_jitter.uniform(0, self._wait_ms) / 1000)
            self._wait_ms = min(self._wait_ms * 2, WAIT_MAX_MS)

    def given_up(self) -> LedgerAwayError | LedgerBusyError:
        """Return the error to raise when no attempt succeeded."""
        if self._away is None:
            return LedgerBusyError()
        self._outage.begin(self._away)
        given_up = LedgerAwayError()
        given_up.__cause__ = self._away
        return given_up
