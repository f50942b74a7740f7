"""`wallet adjust …`: money moved by hand; one person proposes, another one approves."""

from typing import Annotated, Any, Final

import typer

from app.cashier.adjustments import (
    Approved,
    NotAdjusted,
    Preview,
    Request,
    approve,
    latest_adjustments,
    propose,
    reject,
    show_adjustment,
)
from app.console.arguments import Amount, UserId, checked_text
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands, operator
from app.console.output.layout import Facts, Rows
from app.console.output.printer import AsJson, outcome_stands, print_json, say
from app.console.output.printer import show as show_parts
from app.console.output.records import pockets_record
from app.settings import load_database_settings
from app.wallet.adjustments import (
    Adjustment,
    AdjustmentReason,
    AdjustmentState,
    Signature,
)
from app.wallet.events import Direction, Pocket
from app.wallet.refusals import Refusal
from app.wallet.words import moment, money, split

NOTE_LENGTH_MAX: Final = 1000

adjustments: Final = commands("adjust", "Move money by hand: two people, one movement.")


def _checked_note(value: str | None) -> str | None:
    if value is not None and (not value.isprintable() or len(value) > NOTE_LENGTH_MAX):
        raise typer.BadParameter(f"must be text of at most {NOTE_LENGTH_MAX} characters")
    return value


Way = Annotated[Direction, typer.Argument(help="credit: to the player; debit: from them.")]
InPocket = Annotated[Pocket, typer.Option("--pocket", help="Which pocket, and no other.")]
Reason = Annotated[AdjustmentReason, typer.Option("--reason", help="Why.")]
Ticket = Annotated[
    str, typer.Option("--ticket", help="Where it is explained.", callback=checked_text)
]
Note = Annotated[str | None, typer.Option(help="For who decides.", callback=_checked_note)]
Settles = Annotated[
    str | None,
    typer.Option(
        "--for",
        help="The transaction id of a refused movement; its later delivery hears 409.",
        callback=checked_text,
    ),
]
EventTypeOf = Annotated[
    str | None,
    typer.Option(
        "--event-type",
        help="Which one, where several were refused under that id.",
        callback=checked_text,
    ),
]
Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, max=2**63 - 1, help="As `list` shows it.")
]
InState = Annotated[
    AdjustmentState, typer.Option("--state", help="open, approved, rejected or expired.")
]
Every = Annotated[bool, typer.Option("--all", help="Whatever their state.")]
OfUser = Annotated[
    str | None, typer.Option("--user", help="Only this player's.", callback=checked_text)
]


@adjustments.command("propose")
def propose_(
    user_id: UserId,
    direction: Way,
    amount: Amount,
    reason: Reason,
    ticket: Ticket,
    pocket: InPocket = Pocket.REAL,
    note: Note = None,
    settles: Settles = None,
    event_type: EventTypeOf = None,
    as_json: AsJson = False,
) -> None:
    """Ask for an adjustment; nothing moves before another person approves it."""
    by = operator()
    request = Request(user_id, direction, pocket, amount, reason, ticket, note, settles, event_type)
    preview = _told(ask(lambda ledger: propose(ledger, by, request), changes=False))
    with outcome_stands():
        _show(preview, as_json)


@adjustments.command("approve")
def approve_(number: Number, note: Note = None, as_json: AsJson = False) -> None:
    """Approve what another person asked for; the money moves now, once."""
    by = operator()
    solo_max = load_database_settings().adjust_solo_max
    approved: Approved = _told(
        ask(
            lambda ledger: approve(ledger, by, number, solo_max=solo_max, note=note),
            changes=True,
        )
    )
    entry = approved.entry
    with outcome_stands():
        if as_json:
            print_json(
                {
                    **_record(approved.adjustment),
                    "transaction": entry.key.transaction_id,
                    "after": pockets_record(entry.after, entry.currency),
                }
            )
            return
        balance = money(entry.after.balance, entry.currency)
        say(
            f"Done: {_what(approved.adjustment)}. The balance is {balance} "
            f"({split(entry.after, entry.currency)}).\n"
            f"Transaction id: {entry.key.transaction_id}"
        )


@adjustments.command("reject")
def reject_(number: Number, note: Note = None, as_json: AsJson = False) -> None:
    """End a request without a movement; who asked for it may do so too."""
    by = operator()
    rejected: Adjustment = _told(ask(lambda ledger: reject(ledger, by, number, note), changes=True))
    with outcome_stands():
        if as_json:
            print_json(_record(rejected))
        else:
            say(f"The adjustment {number} is rejected; nothing moved.")


@adjustments.command("list")
def list_(
    state: InState = AdjustmentState.OPEN,
    every: Every = False,
    user: OfUser = None,
    as_json: AsJson = False,
) -> None:
    """List the latest requests, those that wait for a decision unless you ask for others."""
    wanted = None if every else state
    found = ask(lambda ledger: latest_adjustments(ledger, state=wanted, user_id=user))
    if as_json:
        print_json({"adjustments": list(map(_record, found))})
    elif not found:
        say(f"No adjustment is {state.value}." if wanted else "There is no adjustment.")
    else:
        headings = ("number", "player", "what", "reason", "ticket", "proposed by", "state")
        show_parts(Rows("Adjustments", headings, map(_row, found), amounts="number"))


@adjustments.command("show")
def show(number: Number, as_json: AsJson = False) -> None:
    """Show one request, with the balance now and as it would leave it."""
    _show(_told(ask(lambda ledger: show_adjustment(ledger, number))), as_json)


def _told(told: Any) -> Any:  # noqa: ANN401 - what a command of the cashier returns
    if isinstance(told, NotAdjusted):
        raise ConsoleError(told.words)
    return told


def _show(preview: Preview, as_json: bool) -> None:
    adjustment, currency = preview.adjustment, preview.adjustment.currency
    after = preview.after
    if as_json:
        document = _record(adjustment)
        if adjustment.state is AdjustmentState.OPEN:
            document["before"] = pockets_record(preview.before, currency)
            document["after"] = (
                None if isinstance(after, Refusal) else pockets_record(after, currency)
            )
            document["would_be_refused"] = after.name if isinstance(after, Refusal) else None
        print_json(document)
        return
    is_open = adjustment.state is AdjustmentState.OPEN
    would_be = (
        f"it would be refused: {after.value}"
        if isinstance(after, Refusal)
        else f"{money(after.balance, currency)} ({split(after, currency)})"
    )
    settles = adjustment.settles
    balance = f"{money(preview.before.balance, currency)} ({split(preview.before, currency)})"
    show_parts(
        Facts(
            f"Adjustment {adjustment.adjustment_id}: {_what(adjustment)}",
            {
                "player": adjustment.user_id,
                "reason": adjustment.reason.value,
                "ticket": adjustment.ticket,
                "note": adjustment.note,
                "settles": settles and f"{settles.key.transaction_id} ({settles.key.facet})",
                "proposed": _signed(adjustment.proposed),
                "decided": adjustment.decided and _signed(adjustment.decided),
                "decision note": adjustment.decision_note,
                "state": _state(adjustment),
                "expires": moment(adjustment.expires_at) if is_open else None,
                "balance now": (balance,) if is_open else None,
                "balance after": (would_be,) if is_open else None,
            },
        )
    )


def _row(adjustment: Adjustment) -> tuple[object, ...]:
    return (
        adjustment.adjustment_id,
        adjustment.user_id,
        _what(adjustment),
        adjustment.reason.value,
        adjustment.ticket,
        adjustment.proposed.name,
        _state(adjustment),
    )


def _state(adjustment: Adjustment) -> str:
    if adjustment.moved_by is None:
        return adjustment.state.value
    return f"moved, approved by {adjustment.moved_by}; approve it again to have that written down"


def _what(adjustment: Adjustment) -> str:
    amount = money(adjustment.amount, adjustment.currency)
    way = "to" if adjustment.direction is Direction.CREDIT else "from"
    return f"{amount} {way} {adjustment.pocket.value}"


def _signed(signature: Signature) -> str:
    verified = "" if signature.is_verified else " (not verified)"
    return f"by {signature.name}{verified}, {moment(signature.at)}"


def _record(adjustment: Adjustment) -> dict[str, Any]:
    settles, decided = adjustment.settles, adjustment.decided
    return {
        "adjustment": adjustment.adjustment_id,
        "user_id": adjustment.user_id,
        "direction": adjustment.direction.value,
        "pocket": adjustment.pocket.value,
        "amount": adjustment.currency.text(adjustment.amount),
        "currency": adjustment.currency.code,
        "reason": adjustment.reason.value,
        "ticket": adjustment.ticket,
        "note": adjustment.note,
        "settles": settles and settles.key._asdict(),
        "state": adjustment.state.value,
        **({} if adjustment.moved_by is None else {"moved_by": adjustment.moved_by}),
        "proposed": _signature_record(adjustment.proposed),
        "expires_at": moment(adjustment.expires_at),
        "decided": decided and _signature_record(decided),
        "decision_note": adjustment.decision_note,
        "position": adjustment.position,
    }


def _signature_record(signature: Signature) -> dict[str, Any]:
    return {**signature._asdict(), "at": moment(signature.at)}
