"""`wallet inbox …`: money that is not where somebody expects it; look, take, release, resolve."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.console import RenderableType

from app.cashier.inbox import (
    LISTED_MAX,
    Case,
    NotDone,
    collect,
    inbox,
    release,
    resolve,
    show_case,
    take,
)
from app.console.arguments import checked_text
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands, operator
from app.console.output.ages import age
from app.console.output.layout import Facts, Rows
from app.console.output.printer import AsJson, outcome_stands, print_json, say
from app.console.output.printer import show as show_parts
from app.ledger.transaction import Ledger
from app.wallet.inbox import WORDS, Exceptional, ExceptionKind
from app.wallet.words import moment

NOTE_LENGTH_MAX: Final = 1000

inbox_commands: Final = commands("inbox", "Money that is not where somebody expects it.")


def _checked_note(value: str | None) -> str | None:
    if value is not None and (not value.isprintable() or len(value) > NOTE_LENGTH_MAX):
        raise typer.BadParameter(f"must be text of at most {NOTE_LENGTH_MAX} characters")
    return value


Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, max=2**63 - 1, help="As `list` shows it.")
]
OfKind = Annotated[ExceptionKind | None, typer.Option("--kind", help="Only this kind.")]
OfUser = Annotated[
    str | None, typer.Option("--user", help="Only this player's.", callback=checked_text)
]
Closed = Annotated[bool, typer.Option("--closed", help="Those that are closed, the latest first.")]
Note = Annotated[str | None, typer.Option(help="For who comes next.", callback=_checked_note)]
Resolution = Annotated[str, typer.Option("--note", help="What was done.", callback=_checked_note)]


@inbox_commands.command("list")
def list_(
    kind: OfKind = None, user: OfUser = None, closed: Closed = False, as_json: AsJson = False
) -> None:
    """List what is open, the oldest first, after a look at what was decided since."""

    async def work(ledger: Ledger) -> list[Exceptional]:
        await collect(ledger)
        return await inbox(ledger, is_open=not closed, kind=kind, user_id=user)

    found = ask(work, changes=False)
    if as_json:
        print_json({"exceptions": list(map(_record, found))})
        return
    if not found:
        say("The inbox is empty." if not closed else "Nothing was closed yet.")
        return
    more = f", the first {LISTED_MAX}" if len(found) == LISTED_MAX else ""
    title = f"{len(found)} {'closed' if closed else 'open'}{more}"
    show_parts(
        Rows(
            title,
            ("number", "age", "what", "player", "amount", "transaction", "state"),
            map(_row, found),
            amounts="number amount",
        )
    )


@inbox_commands.command("show")
def show(number: Number, as_json: AsJson = False) -> None:
    """Show one exception, and what was done about it."""
    case = _told(ask(lambda ledger: show_case(ledger, number)))
    if as_json:
        print_json(_case_record(case))
    else:
        show_parts(*_shown(case))


@inbox_commands.command("take")
def take_(number: Number, note: Note = None, as_json: AsJson = False) -> None:
    """Put your name to an exception, also in the place of somebody else's."""
    by = operator()
    _done(ask(lambda ledger: take(ledger, by, number, note), changes=True), as_json)


@inbox_commands.command("release")
def release_(number: Number, note: Note = None, as_json: AsJson = False) -> None:
    """Leave an exception that was taken to others."""
    by = operator()
    _done(ask(lambda ledger: release(ledger, by, number, note), changes=True), as_json)


@inbox_commands.command("resolve")
def resolve_(number: Number, note: Resolution, as_json: AsJson = False) -> None:
    """Close an exception for ever, with a note that says what was done."""
    by = operator()
    _done(ask(lambda ledger: resolve(ledger, by, number, note), changes=True), as_json)


def _done(told: Case | NotDone, as_json: bool) -> None:
    case = _told(told)
    with outcome_stands():
        if as_json:
            print_json(_case_record(case))
        else:
            exception = case.exception
            say(f"The exception {exception.exception_id} is {_state(exception)}.")


def _told(told: Case | NotDone) -> Case:
    if isinstance(told, NotDone):
        raise ConsoleError(told.words)
    return told


def _row(exception: Exceptional) -> tuple[object, ...]:
    return (
        exception.exception_id,
        age(exception.happened_at, exception.closed_at or datetime.now(UTC)),
        WORDS[exception.kind],
        exception.user_id or "",
        _amount(exception),
        exception.transaction_id or "",
        _state(exception),
    )


def _shown(case: Case) -> list[RenderableType]:
    exception = case.exception
    parts: list[RenderableType] = [
        Facts(
            f"{exception.exception_id}: {WORDS[exception.kind]}",
            {
                "kind": exception.kind.value,
                "why": (exception.summary,),
                "player": exception.user_id,
                "asked for": _asked(exception),
                "transaction": exception.transaction_id,
                "source": exception.source,
                "event": exception.event_id,
                "happened": moment(exception.happened_at),
                "listed": moment(exception.opened_at),
                "state": _state(exception),
            },
        )
    ]
    if case.steps:
        rows = (
            (
                moment(step.at),
                step.step,
                step.by + ("" if step.is_verified else " (not verified)"),
                step.note or "",
            )
            for step in case.steps
        )
        parts += ["", Rows("Steps", ("when", "what", "by", "note"), rows)]
    return parts


def _asked(exception: Exceptional) -> str | None:
    words = (exception.event_type, exception.direction, _amount(exception))
    return " ".join(word for word in words if word) or None


def _amount(exception: Exceptional) -> str:
    return " ".join(word for word in (exception.amount, exception.currency) if word)


def _state(exception: Exceptional) -> str:
    by = exception.closed_by or exception.taken_by
    return exception.state.value + (f" by {by}" if by else "")


def _record(exception: Exceptional) -> dict[str, Any]:
    closed_at = exception.closed_at
    return {
        **exception._asdict(),
        "happened_at": moment(exception.happened_at),
        "opened_at": moment(exception.opened_at),
        "closed_at": None if closed_at is None else moment(closed_at),
    }


def _case_record(case: Case) -> dict[str, Any]:
    steps = [{**step._asdict(), "at": moment(step.at)} for step in case.steps]
    return {**_record(case.exception), "steps": steps}
