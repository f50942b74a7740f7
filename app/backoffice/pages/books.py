"""Reconciliation: the runs that were made, and what each found."""

from decimal import Decimal
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.backoffice.call import Call
from app.ledger.backoffice.books import DIFFERENCES_MAX, differences_of, find_run, latest_runs
from app.reconciliation.verdicts import words_of

NUMBER_DIGITS_MAX: Final = 18


async def show(call: Call) -> Response:
    """Show the latest runs."""
    return call.page("books.html", runs=await latest_runs(call.office.views))


async def show_one(call: Call) -> Response:
    """Show a run: who owes whom, and the largest differences."""
    text = call.asked("id")
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX):
        raise HTTPException(404)
    views = call.office.views
    run = await find_run(views, int(text))
    if run is None:
        raise HTTPException(404)
    await call.note("reconciliation.look", "reconciliation", text)
    money = [
        {
            **row,
            "why": words_of(row["verdict"], row["cause"], row["refusal"] or None),
            "difference": Decimal(row["theirs"]) - Decimal(row["ours"]),
        }
        for row in run.money
    ]
    rows = await differences_of(views, run.facts["run_id"])
    return call.page(
        "books_run.html",
        run=run,
        facts=run.facts,
        money_rows=money,
        rows=rows,
        is_cut=len(rows) == DIFFERENCES_MAX,
        words_of=words_of,
    )
