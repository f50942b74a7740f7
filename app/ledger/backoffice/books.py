"""Runs of reconciliation, and what each found."""

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.ledger.ops_views import OpsViews

if TYPE_CHECKING:
    from asyncpg import Record

RUNS_MAX: Final = 100
DIFFERENCES_MAX: Final = 300
"""A person looks at the largest; `wallet reconcile --csv` has all of them."""

_RUN: Final = """
SELECT run_id, ran_at, source, door, profile, file_name, file_digest, lines, skipped, period_since,
       period_until, grace_seconds, journal_moment, journal_movements, verdicts::text, money::text
FROM ops.reconciliation_runs
"""

_RUNS: Final = f"{_RUN} ORDER BY run_id DESC LIMIT $1"
_ONE: Final = f"{_RUN} WHERE run_id = $1"

# Of each currency the largest first; what needs nobody's attention at the end.
_DIFFERENCES: Final = """
SELECT number, is_difference, verdict, cause, refusal, line, transaction_id, user_id, their_user_id,
       event_id, currency, theirs, ours, difference
FROM ops.reconciliation_differences WHERE run_id = $1
ORDER BY is_difference DESC, currency, abs(difference) DESC, number LIMIT $2
"""


class Run(NamedTuple):
    """A run of reconciliation."""

    facts: "Record"
    verdicts: dict[str, int]
    """how many there are of each, as `verdict/cause`"""
    money: list[dict[str, Any]]
    """what differs, by currency and cause"""

    @property
    def differences(self) -> int:
        """How many lines and movements somebody must look at."""
        return sum(int(row["lines"]) for row in self.money)


async def latest_runs(views: OpsViews) -> list[Run]:
    """Return the latest runs, newest first."""
    return [_run(row) for row in await views.fetch(_RUNS, RUNS_MAX)]


async def find_run(views: OpsViews, run_id: int) -> Run | None:
    """Return a run; None: there is no such run."""
    rows = await views.fetch(_ONE, run_id)
    return _run(rows[0]) if rows else None


async def differences_of(views: OpsViews, run_id: int) -> "list[Record]":
    """Return what a run found, the largest differences of each currency first."""
    return await views.fetch(_DIFFERENCES, run_id, DIFFERENCES_MAX)


def _run(row: "Record") -> Run:
    return Run(row, json.loads(row["verdicts"]), json.loads(row["money"]))
