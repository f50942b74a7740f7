"""`wallet movement show` and `wallet round show`: what happened, and why it was decided so."""

from typing import Annotated, Final

import typer

from app.cashier.staff_lookups import look_up_event, look_up_transaction
from app.console.arguments import checked_text
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands
from app.console.output.printer import AsJson, print_json, show
from app.console.output.records import (
    entry_record,
    movement_record,
    refusal_record,
    round_record,
    slip_record,
)
from app.console.output.tables import round_shown, transaction_shown

movements: Final = commands("movement", "What became of a movement.")
rounds: Final = commands("round", "What was played in an event.")

TransactionId = Annotated[
    str, typer.Argument(metavar="ID", help="The transactionId.", callback=checked_text)
]
EventId = Annotated[
    str, typer.Argument(metavar="EVENT", help="The eventId.", callback=checked_text)
]
OfUser = Annotated[
    str | None, typer.Option(help="Only this player's; much faster.", callback=checked_text)
]


@movements.command("show")
def show_movement(
    transaction_id: TransactionId,
    as_json: AsJson = False,
) -> None:
    """Show what was asked under an id, what was decided, and why.

    Exit code 1 if nothing is known of it, or if a hash does not hold.
    """
    details = ask(lambda ledger: look_up_transaction(ledger, transaction_id))
    if not details.movements and not details.refusals:
        raise ConsoleError(
            f"Nothing is known of the transaction id {transaction_id}: no request under it was "
            "decided or refused here."
        )
    if as_json:
        document = {
            "transaction_id": transaction_id,
            "movements": list(map(movement_record, details.movements)),
            "refusals": list(map(refusal_record, details.refusals)),
        }
        print_json(document)
    else:
        show(transaction_shown(transaction_id, details))
    if not all(movement.hash_holds for movement in details.movements):
        raise typer.Exit(1)


@rounds.command("show")
def show_round(
    event_id: EventId,
    user: OfUser = None,
    as_json: AsJson = False,
) -> None:
    """Show what was staked and paid in an event, and each movement that led to it."""
    details = ask(lambda ledger: look_up_event(ledger, event_id, user))
    if not details:
        whose = "" if user is None else f" of the player {user}"
        raise ConsoleError(f"There is no round{whose} with the event id {event_id}.")
    if as_json:
        document = {
            "event_id": event_id,
            "rounds": [
                {
                    **round_record(each.account),
                    "slips": list(map(slip_record, each.slips)),
                    "movements": [
                        entry_record(owned, [other.entry for other in each.entries])
                        for owned in each.entries
                    ],
                }
                for each in details
            ],
        }
        print_json(document)
    else:
        show(*(part for each in details for part in round_shown(each)))
