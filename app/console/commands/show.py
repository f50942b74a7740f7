"""`wallet show ID`: whatever the id may be the id of, found and shown.

A player, a transaction, an event, a bet slip, an operation of Betby's by our id of it, or a request
by the Request-Id of its answer.
"""

import re
from typing import Annotated, Any, Final, NamedTuple

import typer

from app.cashier.staff_lookups import (
    PlayerDetails,
    RequestTraces,
    RoundDetails,
    TransactionDetails,
    look_up_delivery,
    look_up_event,
    look_up_our_id,
    look_up_player,
    look_up_request,
    look_up_slip,
    look_up_transaction,
)
from app.console.accounts import account_record, account_shown
from app.console.arguments import checked_text
from app.console.errors import ConsoleError
from app.console.ledger_access import ask
from app.console.output.printer import AsJson, print_json, show
from app.console.output.records import (
    change_record,
    entry_record,
    movement_record,
    refusal_record,
    round_record,
    slip_record,
)
from app.console.output.tables import (
    changes_table,
    entries_table,
    refusals_table,
    round_shown,
    transaction_shown,
)
from app.ledger.transaction import Ledger
from app.wallet.refusals import Refusal

LAST_MOVEMENTS: Final = 10
DELIVERY: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)

AnyId = Annotated[
    str,
    typer.Argument(
        metavar="ID",
        help="A userId, transactionId, eventId, slip, our id for Betby (17-42), or Request-Id.",
        callback=checked_text,
    ),
]


class Found(NamedTuple):
    """Everything that has this id."""

    player: PlayerDetails | None
    transactions: dict[str, TransactionDetails]
    rounds: list[RoundDetails]
    request: RequestTraces

    @property
    def is_nothing(self) -> bool:
        """Whether nothing has it."""
        return (
            self.player is None
            and not self.transactions
            and not self.rounds
            and not any(self.request)
        )


def show_command(found_id: AnyId, as_json: AsJson = False) -> None:
    """Show what has this id: a player, a movement, an event, or a request (its Request-Id)."""

    async def work(ledger: Ledger) -> Found:
        player = await look_up_player(ledger, found_id, LAST_MOVEMENTS)
        transaction = await look_up_transaction(ledger, found_id)
        transactions = await look_up_our_id(ledger, found_id)
        transactions |= {found_id: transaction} if any(transaction) else {}
        request = RequestTraces([], [])
        if DELIVERY.fullmatch(found_id):
            delivery = bytes.fromhex(found_id)
            transactions |= await look_up_delivery(ledger, delivery)
            request = await look_up_request(ledger, delivery)
        return Found(
            None if isinstance(player, Refusal) else player,
            transactions,
            await _rounds(ledger, found_id),
            request,
        )

    found = ask(work)
    if found.is_nothing:
        raise ConsoleError(_nothing(found_id))
    if as_json:
        print_json(_record(found))
        return
    if found.player is not None:
        show(account_shown(found.player.account), "")
        if found.player.entries:
            show(entries_table("Last movements", found.player.entries), "")
    for transaction_id, details in found.transactions.items():
        show(transaction_shown(transaction_id, details))
    for each in found.rounds:
        show(*round_shown(each))
    if found.request.refusals:
        show(refusals_table(found_id, found.request.refusals), "")
    if found.request.changes:
        show(changes_table(found_id, found.request.changes), "")


async def _rounds(ledger: Ledger, found_id: str) -> list[RoundDetails]:
    """Return the rounds of this event, and those of this bet slip, each once."""
    rounds = await look_up_event(ledger, found_id, None)
    keys = {each.account.key for each in rounds}
    of_slip = await look_up_slip(ledger, found_id)
    return rounds + [each for each in of_slip if each.account.key not in keys]


def _nothing(found_id: str) -> str:
    words = f"Nothing here has the id {found_id}: no player, transaction, event, slip or request."
    if DELIVERY.fullmatch(found_id):
        # Questions that were answered, and callers whom nobody knows, leave no row.
        words += " A request that changed nothing is in the service's log, as its delivery."
    return words


def _record(found: Found) -> dict[str, Any]:
    player = found.player
    return {
        "player": None
        if player is None
        else {
            **account_record(player.account),
            "movements": [entry_record(owned) for owned in player.entries],
        },
        "transactions": [
            {
                "transaction_id": transaction_id,
                "movements": list(map(movement_record, details.movements)),
                "refusals": list(map(refusal_record, details.refusals)),
            }
            for transaction_id, details in found.transactions.items()
        ],
        "rounds": [
            {**round_record(each.account), "slips": list(map(slip_record, each.slips))}
            for each in found.rounds
        ],
        "refusals": list(map(refusal_record, found.request.refusals)),
        "changes": list(map(change_record, found.request.changes)),
    }
