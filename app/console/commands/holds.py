"""`wallet hold …`: withdrawals under way, by hand: begun, paid out, or given back.

The source is the player's agent, as if its platform had sent the request.
"""

from typing import Annotated, Final

import typer

from app.cashier.lookups import KnownMovement, find_hold
from app.cashier.players import find_account
from app.console.arguments import Amount, UserId, checked_text
from app.console.commands.funds import Reason, Request, TransactionId, move
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands, granted
from app.console.output.printer import AsJson
from app.ledger.transaction import Ledger
from app.wallet.events import Direction, EventType
from app.wallet.holds import HoldKey

holds: Final = commands("hold", "Withdrawals under way: begin one, pay it out, give it back.")

HoldId = Annotated[
    str,
    typer.Argument(metavar="HOLD", help="The transaction id of the hold.", callback=checked_text),
]


@holds.command("open")
def open_hold(
    user_id: UserId,
    amount: Amount,
    transaction_id: TransactionId = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take real money out of the balance for a withdrawal; exit code 1 if it is refused."""
    request = Request(EventType.WITHDRAWAL_HOLD, Direction.DEBIT, transaction_id, reason)
    move(request, user_id, amount, as_json=as_json)


@holds.command("settle")
def settle(
    user_id: UserId,
    hold: HoldId,
    transaction_id: TransactionId = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Record that a withdrawal under way was paid out, whole."""
    request = Request(EventType.WITHDRAWAL_SETTLE, Direction.DEBIT, transaction_id, reason)
    _close(request, user_id, hold, as_json=as_json)


@holds.command("release")
def release(
    user_id: UserId,
    hold: HoldId,
    transaction_id: TransactionId = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Give the money of a withdrawal under way back to the player, whole."""
    request = Request(EventType.WITHDRAWAL_RELEASE, Direction.CREDIT, transaction_id, reason)
    _close(request, user_id, hold, as_json=as_json)


def _close(request: Request, user_id: str, hold_id: str, *, as_json: bool) -> None:
    async def work(ledger: Ledger) -> KnownMovement | None:
        player = granted(await find_account(ledger, user_id), user_id)
        return await find_hold(ledger, player.agent, hold_id)

    known = ask(work)
    if known is None or known.user_id != user_id:
        raise ConsoleError(
            f"{user_id} has no hold {hold_id}; `wallet player show {user_id}` lists their "
            "movements."
        )
    entry = known.entry
    key = HoldKey(entry.key.source, hold_id)
    amount = entry.currency.text(entry.amount)
    move(request._replace(hold=key), user_id, amount, as_json=as_json)
