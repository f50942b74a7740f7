"""The inbox: money that is not where somebody expects it; taken, and resolved with a note."""

from datetime import timedelta
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.backoffice.call import Call, MistakeError
from app.backoffice.rendering import address
from app.cashier.inbox import (
    Case,
    NotDone,
    collect,
    inbox,
    open_counts,
    release,
    resolve,
    show_case,
    take,
)
from app.wallet.inbox import WORDS, ExceptionKind

COLLECTED_EVERY: Final = timedelta(minutes=1)
NUMBER_DIGITS_MAX: Final = 18


async def show(call: Call) -> Response:
    """Show the open exceptions, the oldest first, or the closed ones, the latest first."""
    ledger = call.office.ledger
    await collect(ledger, not_within=COLLECTED_EVERY)
    kind = _kind(call)
    is_open = call.asked("state") != "closed"
    return call.page(
        "inbox.html",
        rows=await inbox(ledger, is_open=is_open, kind=kind, user_id=call.asked("player") or None),
        counts=await open_counts(ledger),
        words=WORDS,
        kind=kind,
        is_open=is_open,
        player=call.asked("player"),
    )


async def show_one(call: Call) -> Response:
    """Show an exception, and what was done about it."""
    case = await show_case(call.office.ledger, _number(call.asked("id")))
    if isinstance(case, NotDone):
        raise HTTPException(404)
    await call.note("exception.look", "exception", str(case.exception.exception_id))
    return call.page("exception.html", case=case, exception=case.exception, words=WORDS)


async def take_one(call: Call) -> Response:
    """Put the person's name to an exception."""
    number = _number(call.sent("id"))
    return _done(call, await take(call.office.ledger, call.operator, number))


async def release_one(call: Call) -> Response:
    """Leave an exception to others."""
    number = _number(call.sent("id"))
    return _done(call, await release(call.office.ledger, call.operator, number))


async def resolve_one(call: Call) -> Response:
    """Close an exception with a note."""
    number, note = _number(call.sent("id")), call.reason()
    return _done(call, await resolve(call.office.ledger, call.operator, number, note))


def _done(call: Call, case: Case | NotDone) -> Response:
    if isinstance(case, NotDone):
        raise MistakeError(case.words)
    return call.see(address("/inbox/case", id=case.exception.exception_id))


def _kind(call: Call) -> ExceptionKind | None:
    text = call.asked("kind")
    if text and text not in set(ExceptionKind):
        raise MistakeError(f"There is no such kind; there are {', '.join(ExceptionKind)}.")
    return ExceptionKind(text) if text else None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX):
        raise HTTPException(404)
    return int(text)
