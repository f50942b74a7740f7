"""Who did what: the operator's people's actions, filtered, the latest first."""

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.ops_views import OpsViews

if TYPE_CHECKING:
    from asyncpg import Record

PAGE_ROWS: Final = 100
CSV_ROWS_MAX: Final = 100_000


class ActionFilter(NamedTuple):
    """Which actions; a field that is None filters nothing."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    """only actions of a lower number: the page after"""


_ACTIONS: Final = """
SELECT action_id, ledger_time, actor, is_verified, via, source, action, subject_kind, subject,
       reason, outcome, details, delivery
FROM ops.operator_actions
WHERE ($1::text IS NULL OR actor = $1)
  AND ($2::text IS NULL OR action = $2 OR starts_with(action, $2 || '.'))
  AND ($3::text IS NULL OR subject = $3)
  AND ($4::text IS NULL OR outcome = $4)
  AND ($5::timestamptz IS NULL OR ledger_time >= $5)
  AND ($6::timestamptz IS NULL OR ledger_time < $6)
  AND ($7::bigint IS NULL OR action_id < $7)
ORDER BY action_id DESC LIMIT $8
"""


async def actions(views: OpsViews, wanted: ActionFilter, count_max: int) -> "list[Record]":
    """Return the actions that pass the filter."""
    return await views.fetch(_ACTIONS, *wanted, count_max)
