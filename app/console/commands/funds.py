"""`wallet deposit`, `withdraw`, `grant`, `revoke`: manual movements, by the cashier's move_funds.

The source is the player's agent, as if its platform had sent the request. With a transaction id the
movement happens once, however often the command is repeated.
"""

import json
import secrets
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple

import typer

from app.cashier.move_funds import move_funds
from app.cashier.players import find_account
from app.cashier.policy import policy_of_ledger
from app.console.arguments import Amount, UserId, checked_text
from app.console.data_owner import console_settings
from app.console.errors import ConsoleError, OutcomeUnknownError
from app.console.ledger_access import DELIVERY_BYTES, ask, granted, who
from app.console.output.printer import AsJson, outcome_stands, print_json, say
from app.console.output.records import limit_record, pockets_record
from app.ledger.errors import LedgerError, LedgerRestoredError
from app.ledger.players import Player
from app.ledger.transaction import Ledger
from app.wallet.events import RULES, Direction, EventType
from app.wallet.holds import HoldKey
from app.wallet.journal import JournalEntry
from app.wallet.limits import LimitHit
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal
from app.wallet.words import limit_words, moment, money, split

REASON_LENGTH_MAX: Final = 1000


def _checked_reason(value: str | None) -> str | None:
    if value is not None and (not value.isprintable() or len(value) > REASON_LENGTH_MAX):
        raise typer.BadParameter(f"must be text of at most {REASON_LENGTH_MAX} characters")
    return value


def _checked_check(value: str | None) -> str | None:
    if value is None:
        return None
    provider, _, reference = value.partition("/")
    if checked_text(value) is None or not provider or not reference:
        raise typer.BadParameter("must be PROVIDER/REFERENCE, such as acme/case-17")
    return value


TransactionId = Annotated[
    str | None,
    typer.Option(
        "--id", help="A transaction id of the agent's; else a fresh one.", callback=checked_text
    ),
]
Reason = Annotated[str | None, typer.Option(help="Why, for the books.", callback=_checked_reason)]


Check = Annotated[
    str | None,
    typer.Option(
        metavar="PROVIDER/REFERENCE",
        help="The check that allowed it; needed where WALLET_DEPOSIT_CHECK is required.",
        callback=_checked_check,
    ),
]


class Request(NamedTuple):
    """A movement by hand: what it is, under which id, and why."""

    event_type: EventType
    direction: Direction
    transaction_id: str | None
    reason: str | None
    more: Mapping[str, object] = {}
    """what else is kept with the movement"""
    hold: HoldKey | None = None
    is_vetoed: bool = False


def deposit(
    user_id: UserId,
    amount: Amount,
    transaction_id: TransactionId = None,
    reason: Reason = None,
    check: Check = None,
    as_json: AsJson = False,
) -> None:
    """Put real money into a player's wallet; exit code 1 if it is refused."""
    request = Request(EventType.DEPOSIT, Direction.CREDIT, transaction_id, reason)
    if check is not None:
        provider, _, reference = check.partition("/")
        said = {"provider": provider, "reference": reference, "allowed": True}
        request = request._replace(more={"check": said})
    is_vetoed = check is None and console_settings().deposit_check == "required"
    move(request._replace(is_vetoed=is_vetoed), user_id, amount, as_json=as_json)


def withdraw(
    user_id: UserId,
    amount: Amount,
    transaction_id: TransactionId = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take real money out of a player's wallet; exit code 1 if it is refused."""
    request = Request(EventType.WITHDRAWAL, Direction.DEBIT, transaction_id, reason)
    move(request, user_id, amount, as_json=as_json)


def grant(
    user_id: UserId,
    amount: Amount,
    transaction_id: TransactionId = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Put bonus money into a player's wallet; exit code 1 if it is refused."""
    request = Request(EventType.BONUS_GRANT, Direction.CREDIT, transaction_id, reason)
    move(request, user_id, amount, as_json=as_json)


def revoke(
    user_id: UserId,
    amount: Amount,
    transaction_id: TransactionId = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Take bonus money out of a player's wallet; exit code 1 if it is refused."""
    request = Request(EventType.BONUS_REVOKE, Direction.DEBIT, transaction_id, reason)
    move(request, user_id, amount, as_json=as_json)


def move(request: Request, user_id: str, amount: str, *, as_json: bool) -> None:
    """Move money by hand, and show what came of it."""
    key_id = request.transaction_id or f"console-{secrets.token_hex(12)}"
    reason = {} if request.reason is None else {"reason": request.reason}
    extra = {**reason, **request.more, "by": who()}
    if request.hold is not None:
        extra["hold_id"] = request.hold.transaction_id

    async def work(ledger: Ledger) -> tuple[Player, Receipt]:
        player = granted(await find_account(ledger, user_id), user_id)
        movement = Movement(
            delivery=secrets.token_bytes(DELIVERY_BYTES),
            key=Key(player.agent, key_id, ""),
            user_id=user_id,
            event_type=request.event_type,
            direction=request.direction,
            amount=amount,
            received_at=datetime.now(UTC),
            extra_data=json.dumps(extra, ensure_ascii=False),
            hold=request.hold,
            is_vetoed=request.is_vetoed,
        )
        try:
            (receipt,) = await move_funds(ledger, [movement], await policy_of_ledger(ledger))
        except LedgerRestoredError as error:
            raise ConsoleError(f"Nothing was done: {error}.") from error
        except LedgerError as error:
            raise OutcomeUnknownError(
                f"Whether it was done is not known ({error}) Repeat the command with "
                f"`--id {shlex.quote(key_id)}`: it happens once at most."
            ) from error
        return player, receipt

    player, receipt = ask(work)
    if isinstance(receipt, Refused):
        raise ConsoleError(_refusal_words(receipt, player, key_id))
    with outcome_stands():
        _show(receipt, player, as_json=as_json)
    if not receipt.entry.is_accepted:
        raise typer.Exit(1)


def _show(receipt: Posting | Declined | Replay, player: Player, *, as_json: bool) -> None:
    entry, is_repeat = receipt.entry, isinstance(receipt, Replay)
    detail = None if isinstance(receipt, Posting) else receipt.detail
    hit = detail if isinstance(detail, LimitHit) else None
    if as_json:
        document = {
            "transaction_id": entry.key.transaction_id,
            "source": entry.key.source,
            "user_id": player.user_id,
            "amount": entry.currency.text(entry.amount),
            "currency": entry.currency.code,
            "accepted": entry.is_accepted,
            "refusal": None if entry.refusal is None else entry.refusal.name,
            "limit": None if hit is None else limit_record(hit, entry.currency),
            "repeat": is_repeat,
            **pockets_record(entry.after, entry.currency),
            "decided_at": moment(entry.ledger_time),
        }
        print_json(document)
        return
    again = " This id was decided before; nothing was done again." if is_repeat else ""
    limit = "" if hit is None else f" {limit_words(hit, entry.currency)}."
    say(f"{_outcome_words(entry)}{limit}{again}\nTransaction id: {entry.key.transaction_id}")


def _outcome_words(entry: JournalEntry) -> str:
    amount, after = money(entry.amount, entry.currency), split(entry.after, entry.currency)
    if entry.refusal is None and RULES[entry.event_type].moves_from is not None:
        return f"Done: {amount} paid out, which had left the balance before."
    if entry.refusal is None:
        done = "in" if entry.direction is Direction.CREDIT else "out"
        balance = money(entry.after.balance, entry.currency)
        return f"Done: {amount} {done}. The balance is {balance} ({after})."
    return f"Refused: {entry.refusal.value}. {amount} were asked for; there are {after}."


def _refusal_words(receipt: Refused, player: Player, key_id: str) -> str:
    refusal = receipt.refusal
    if refusal is Refusal.AMOUNT_TOO_FINE:
        scale = player.currency.scale
        return f"Refused: {player.currency.code} has {scale} decimals, and the amount is finer."
    if refusal in {Refusal.EVENT_TYPE_DIFFERS, Refusal.MOVEMENT_DIFFERS}:
        return (
            f"Refused: {refusal.value} ({receipt.differs}). "
            f"`wallet movement show {key_id}` shows what it was."
        )
    return f"Refused: {refusal.value}."
