"""Answers: receipts in, bytes out (docs/contracts/betby.md, "Answers").

The answer to an accepted operation is a pure function of its journal entry and its player, so that
a repeat hears it again to the byte, whatever has happened since.
"""

import json
from typing import Final, NamedTuple

from app.edges.betby.amounts import Units
from app.edges.betby.codes import CODES, WORDS, Code, RefusedError
from app.edges.wire import encode
from app.wallet.events import EventType
from app.wallet.journal import JournalEntry
from app.wallet.movement import Movement
from app.wallet.named import Place
from app.wallet.outcomes import Receipt
from app.wallet.refusals import Refusal

OK: Final = 200
REFUSED: Final = 400
TOO_LARGE: Final = 413
UNKNOWN: Final = 503

ASK_AGAIN_WORDS: Final = "the outcome is not known, ask again"
REPEATED_WORDS: Final = "the bet was made already"

OPERATIONS: Final = {
    EventType.BETBY_MAKE: "bet",
    EventType.BETBY_WIN: "win",
    EventType.BETBY_NO_RISK: "win",
    EventType.BETBY_LOST: "lost",
    EventType.BETBY_REFUND: "refund",
    EventType.BETBY_DISCARD: "refund",
    EventType.BETBY_ROLLBACK: "rollback",
    EventType.BETBY_NO_RISK_ROLLBACK: "rollback",
    EventType.BETBY_WIN_AGAIN: "rollback",
    EventType.BETBY_NO_RISK_AGAIN: "rollback",
    EventType.BETBY_REFUND_AGAIN: "rollback",
}
"""Betby's word for each; whoever asks to undo what a discard undid hears of a refund."""


class Answer(NamedTuple):
    """An answer: the HTTP status, the body, and what the log and the counters need of it."""

    status: int
    body: bytes
    code: Code = Code.DONE
    balance: str | None = None
    """the balance in the body, for the log; None: there is none"""
    is_last: bool = False
    """whether the connection must be closed, because the request was not read to its end"""
    event_type: str = ""
    """the event type of the movement, for the metrics; empty if there is none"""
    decided: tuple[Movement, Receipt] | None = None
    """what is listed as an unknown outcome if the answer is not delivered"""
    delivery: bytes = b""
    """the delivery that is answered; empty: `EntryPoint` sets it"""


EMPTY: Final = Answer(OK, b"{}")


def first_answer(entry: JournalEntry, user_id: str, units: Units) -> Answer:
    """Return the answer to an accepted operation."""
    asked = _asked(entry)
    currency = entry.currency
    balance = units.units(entry.after.balance, currency)
    bet = asked.get("bet_transaction_id")
    if entry.event_type is EventType.BETBY_DISCARD:
        # A discard names its bet by Betby's id.
        bet = Place(entry.player_id, entry.reverses[0].position).our_id
    members: dict[str, object] = {
        "id": Place(entry.player_id, entry.position).our_id,
        "ext_transaction_id": entry.key.transaction_id,
        "parent_transaction_id": bet if isinstance(bet, str) else None,
        "user_id": user_id,
        "operation": OPERATIONS[entry.event_type],
    }
    if entry.event_type is not EventType.BETBY_LOST:
        amount = asked.get("amount") if entry.event_type is EventType.BETBY_MAKE else None
        members["amount"] = (
            int(amount) if isinstance(amount, str) else units.units(entry.amount, currency)
        )
        members["currency"] = currency.code
    members["balance"] = balance
    if entry.event_type is EventType.BETBY_MAKE and entry.delta.bonus:
        members["operator_bonus_amount"] = units.units(-entry.delta.bonus, currency)
    return Answer(OK, encode(members), Code.DONE, str(balance))


def refused_by(refusal: Refusal) -> Answer:
    """Return the answer to a refusal of the ledger's."""
    return refused(CODES[refusal], WORDS[refusal])


def refused(code: Code, reason: str, *, status: int = REFUSED, is_last: bool = False) -> Answer:
    """Return a refusal in the contract's shape."""
    return Answer(
        status, encode({"code": code.value, "message": reason}), code, None, is_last=is_last
    )


def refused_before(error: RefusedError, jwt_status: int) -> Answer:
    """Return the answer to a request that was refused before the ledger was asked."""
    status = jwt_status if error.code is Code.JWT else REFUSED
    return refused(error.code, error.reason, status=status)


def unknown(*, is_last: bool = False) -> Answer:
    """Return the answer to a request whose outcome nobody knows."""
    return refused(Code.AWAY, ASK_AGAIN_WORDS, status=UNKNOWN, is_last=is_last)


def difference(entry: JournalEntry, kept: str) -> str | None:
    """Return the field in which a repeat differs from what was asked first; None: in none.

    The ledger has compared what moved. What was asked may be more: a free bet moves nothing.
    """
    first, again = _asked(entry), json.loads(kept, parse_int=str, parse_float=str)
    names = ("amount", "bonus_type", "bonus_id")
    return next((name for name in names if first.get(name) != again.get(name)), None)


def _asked(entry: JournalEntry) -> dict[str, object]:
    """The call as the journal keeps it; numbers as they were written."""
    asked = json.loads(entry.extra_data or "{}", parse_int=str, parse_float=str)
    return asked if isinstance(asked, dict) else {}
