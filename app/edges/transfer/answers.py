"""Answers: decisions in, bytes out (transfer contract, sections 2 and 3).

The answer to an accepted or declined movement is a pure function of its journal entry, so that a
repeat gets the first answer byte for byte.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, assert_never

from msgspec import Raw

from app.cashier.event_log import EventPage
from app.cashier.lookups import HistoryPage, KnownMovement, StatementPage
from app.cashier.players import IssuedToken, Opened
from app.edges.event_json import event_members, movement_members
from app.edges.transfer.codes import CODES, HTTP_STATUSES, WORDS, Code, RefusedError, reason_of
from app.edges.transfer.cursors import rounds_cursor, statement_cursor
from app.edges.wire import encode, number, read_members, rfc3339
from app.ledger.accounts import Account
from app.ledger.history import RoundSummary
from app.ledger.players import Player
from app.wallet.balance import Pockets
from app.wallet.events import RULES, EventType, HoldPart
from app.wallet.journal import EPOCH, MICROSECOND, JournalEntry, microseconds
from app.wallet.limits import LimitHit
from app.wallet.moments import FOREVER, FOREVER_TEXT
from app.wallet.money import Currency
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal

OPERATIONS_OF: Final = {
    EventType.DEPOSIT: "account/deposit",
    EventType.WITHDRAWAL: "account/withdraw",
    EventType.BONUS_GRANT: "bonus/grant",
    EventType.BONUS_REVOKE: "bonus/revoke",
    EventType.WITHDRAWAL_HOLD: "account/hold",
    EventType.WITHDRAWAL_SETTLE: "hold/settle",
    EventType.WITHDRAWAL_RELEASE: "hold/release",
}
"""The operation that makes a movement of each event type."""

TOKEN: Final = "token"  # noqa: S105 - a member's name
"""The member of `data` that holds a token."""

moment: Final = rfc3339


class Answer(NamedTuple):
    """An answer, sent as JSON or in an envelope."""

    code: Code
    body: bytes
    is_last: bool = False
    """whether the connection must be closed, because the request was not read to its end"""
    media_type: str = "application/json"
    balance: str | None = None
    """the balance in the body, as it is written there, for the log; None: there is none"""
    decided: tuple[Movement, Receipt] | None = None
    """what is listed as an unknown outcome if the answer is not delivered"""
    holds_token: bool = False
    """whether it goes out in an envelope only, whatever the caller accepts"""
    delivery: bytes = b""
    """the delivery that is answered; empty: `EntryPoint` sets it"""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return HTTP_STATUSES[self.code]

    @property
    def event_type(self) -> str:
        """Always empty: the metrics of this contract distinguish movements by operation."""
        return ""


def said(code: Code, data: Mapping[str, object]) -> Answer:
    """Return an answer in the contract's shape: code, message and data."""
    body = encode({"code": code.value, "message": WORDS[code], "data": data})
    balance = data.get("balance")
    text = bytes(balance).decode() if isinstance(balance, Raw) else None
    return Answer(code, body, balance=text)


def refused(error: RefusedError, *, is_last: bool = False) -> Answer:
    """Return the answer to a request whose envelope or form was refused."""
    data = (
        {"reason": error.reason}
        if error.field is None
        else {
            "field": error.field,
            "reason": error.reason,
        }
    )
    return said(error.code, data)._replace(is_last=is_last)


def refused_by(refusal: Refusal) -> Answer:
    """Return the answer of a refusal that is not final."""
    return said(CODES[refusal], {"reason": reason_of(refusal)})


def answer_to(receipt: Receipt) -> Answer:
    """Return the answer to a receipt; a repeat gets the first answer again."""
    match receipt:
        case Posting(entry):
            return first_answer(entry)
        case Declined(entry) | Replay(entry):
            hit = receipt.detail if isinstance(receipt.detail, LimitHit) else None
            return first_answer(entry, hit)
        case Refused(refusal):
            return refused_by(refusal)
    assert_never(receipt)


def first_answer(entry: JournalEntry, hit: LimitHit | None = None) -> Answer:
    """Return the answer that was given when this entry was written; `hit`: which limit refused."""
    code = Code.DONE if entry.refusal is None else CODES[entry.refusal]
    data: dict[str, object] = {
        "transaction_id": entry.key.transaction_id,
        "amount": number(entry.currency.text(entry.amount)),
        "currency": entry.currency.code,
        **balances(entry.after, entry.currency),
        "created_at": moment(entry.ledger_time),
    }
    if RULES[entry.event_type].hold in {HoldPart.SETTLE, HoldPart.RELEASE}:
        data["hold_id"] = json.loads(entry.extra_data or "{}").get("hold_id")
    if entry.refusal is not None:
        data["reason"] = reason_of(entry.refusal)
    if hit is not None:
        text = entry.currency.text
        data |= {
            "limit": hit.limit_name,
            "value": number(text(hit.limit)),
            "used": number(text(hit.used)),
            "remaining": number(text(hit.left)),
        }
    return said(code, data)


def balances(pockets: Pockets, currency: Currency) -> dict[str, object]:
    """Return both pockets and their sum, in major units as exact JSON numbers."""
    return {
        "balance": number(currency.text(pockets.balance)),
        "real_balance": number(currency.text(pockets.real)),
        "bonus_balance": number(currency.text(pockets.bonus)),
    }


def opened_shown(opened: Opened) -> Answer:
    """Return the answer with an account, and whether this request opened it."""
    player = opened.player
    return said(
        Code.DONE,
        {
            "user_id": player.user_id,
            "currency": player.currency.code,
            "created": opened.created,
            **balances(player.pockets, player.currency),
        },
    )


def balance_shown(player: Player) -> Answer:
    """Return the answer with a player's balance."""
    return said(
        Code.DONE,
        {
            "user_id": player.user_id,
            **balances(player.pockets, player.currency),
            "currency": player.currency.code,
        },
    )


def token_shown(issued: IssuedToken) -> Answer:
    """Return the answer with a new token, which is never shown again."""
    data = {TOKEN: issued.token, "expires_at": moment(issued.expires_at)}
    return said(Code.DONE, data)._replace(holds_token=True)


def answered_before(body: bytes) -> Answer:
    """Return the answer that was kept of a request, byte for byte."""
    members = read_members(body)
    data = members["data"].value
    told = data if isinstance(data, dict) else {}
    balance = told.get("balance")
    return Answer(
        Code(int(str(members["code"].value))),
        body,
        balance=None if balance is None else str(balance),
        holds_token=TOKEN in told,
    )


def account_shown(account: Account) -> Answer:
    """Return the answer with an account: status, limits in force and pending raises."""
    player = account.player
    text, now = player.currency.text, microseconds(player.now)
    limits, raises = {}, {}
    for name, term in account.terms.items():
        in_force = term.at(now)
        if in_force is not None:
            limits[name] = number(text(in_force))
        if term.starts_at is not None and term.waits_at(now):
            raises[name] = {
                "amount": None if term.later is None else number(text(term.later)),
                "from": moment(EPOCH + term.starts_at * MICROSECOND),
                "confirm": term.needs_confirmation,
                "asked_at": term.asked_by and moment(EPOCH + term.asked_by.moment * MICROSECOND),
            }
    return said(
        Code.DONE,
        {
            "user_id": player.user_id,
            "currency": player.currency.code,
            "nickname": player.nickname,
            "language": player.language,
            "status": "blocked" if account.is_suspended else "active",
            "excluded_until": exclusion_text(account.excluded_until),
            "limits": limits,
            "limits_later": raises,
            **balances(player.pockets, player.currency),
        },
    )


def transaction_shown(transaction_id: str, known: KnownMovement | None) -> Answer:
    """Return the answer about a transaction, with the answer that it got."""
    if known is None:
        return said(Code.DONE, {"transaction_id": transaction_id, "status": "unknown"})
    entry = known.entry
    answer = first_answer(entry, known.limit_hit)
    return said(
        Code.DONE,
        {
            "transaction_id": transaction_id,
            "status": "completed" if answer.code is Code.DONE else "refused",
            "operation": OPERATIONS_OF[entry.event_type],
            "user_id": known.user_id,
            "amount": number(entry.currency.text(entry.amount)),
            "currency": entry.currency.code,
            "created_at": moment(entry.ledger_time),
            # The bytes as they were sent, as a JSON string in this answer.
            "answer": number(answer.body.decode()),
        },
    )


def history_shown(page: HistoryPage) -> Answer:
    """Return the answer with a page of rounds, and the cursor of the next one."""
    cursor = None if page.next_key is None else rounds_cursor(page.next_key)
    return said(Code.DONE, {"rounds": list(map(_round, page.rounds)), "next_cursor": cursor})


def statement_shown(user_id: str, page: StatementPage) -> Answer:
    """Return the answer with a page of movements, and the cursor of the next one."""
    position = page.next_position
    return said(
        Code.DONE,
        {
            "movements": list(map(movement_members, page.movements)),
            "next_cursor": None if position is None else statement_cursor(user_id, position),
        },
    )


def events_shown(page: EventPage) -> Answer:
    """Return the answer with a page of events, and the cursor to ask with next."""
    return said(
        Code.DONE,
        {
            "events": list(map(event_members, page.events)),
            "cursor": None if page.cursor is None else page.cursor.text,
            "has_more": page.has_more,
        },
    )


def _round(summary: RoundSummary) -> dict[str, object]:
    text = summary.currency.text
    return {
        "user_id": summary.user_id,
        "event_id": summary.key.event_id,
        "game_id": summary.game_id,
        "streamer": summary.key.is_streamer,
        "type": "END" if summary.is_ended else "ING",
        "currency": summary.currency.code,
        "bets": summary.bets,
        "stakes": number(text(summary.staked)),
        "wins": number(text(summary.won)),
        "returns": number(text(summary.returned)),
        "overdrawn": number(text(summary.overdrawn)),
        "net": number(text(summary.net)),
        "opened_at": moment(summary.key.opened_at),
        "last_at": moment(summary.last_at),
    }


def exclusion_text(until: datetime | None) -> str | None:
    """The end of an exclusion: a moment, or the word for none."""
    if until is None:
        return None
    return FOREVER_TEXT if until == FOREVER else moment(until)
