"""Who did what: the actions of the operator's people, with filters, as a page and as CSV."""

from typing import Final

from starlette.responses import Response

from app.backoffice.call import Call, MistakeError
from app.backoffice.pages.player import as_csv as csv_of
from app.backoffice.rendering import address
from app.ledger.backoffice.actions import CSV_ROWS_MAX, PAGE_ROWS, ActionFilter, actions
from app.wallet.moments import moment_from_text

COLUMNS: Final = (
    "action_id",
    "ledger_time",
    "actor",
    "is_verified",
    "via",
    "source",
    "action",
    "subject_kind",
    "subject",
    "reason",
    "outcome",
    "details",
    "delivery",
)
OUTCOMES: Final = ("done", "refused")
FILTERS: Final = ("actor", "action", "subject", "outcome", "since", "until")
NUMBER_DIGITS_MAX: Final = 18


async def show(call: Call) -> Response:
    """Show the latest actions that pass the filter, a page at a time."""
    wanted = _wanted(call)
    found = await actions(call.office.views, wanted, PAGE_ROWS + 1)
    rows = found[:PAGE_ROWS]
    filters = {name: call.asked(name) for name in FILTERS}
    older = rows[-1]["action_id"] if len(found) > PAGE_ROWS else None
    return call.page(
        "actions.html",
        rows=rows,
        filters=filters,
        outcomes=OUTCOMES,
        older=None if older is None else address("/actions", **filters, before=older),
        csv=address("/actions.csv", **filters),
    )


async def as_csv(call: Call) -> Response:
    """Return the actions that pass the filter as CSV, and note that they were taken out."""
    wanted = _wanted(call)
    rows = await actions(call.office.views, wanted, CSV_ROWS_MAX)
    await call.note("actions.export", rows=len(rows))
    return csv_of("operator-actions.csv", COLUMNS, rows)


def _wanted(call: Call) -> ActionFilter:
    before = call.asked("before")
    if before and not (before.isascii() and before.isdigit() and len(before) <= NUMBER_DIGITS_MAX):
        raise MistakeError("before must be the number of an action.")
    moments = {}
    for name in ("since", "until"):
        text = call.asked(name)
        moments[name] = moment_from_text(text) if text else None
        if text and moments[name] is None:
            raise MistakeError(f"{name} must be a day or a moment such as 2026-11-20T12:00Z.")
    return ActionFilter(
        actor=call.asked("actor") or None,
        action=call.asked("action") or None,
        subject=call.asked("subject") or None,
        outcome=call.asked("outcome") or None,
        before=int(before) if before else None,
        **moments,
    )
