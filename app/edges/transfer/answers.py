"""The interpreter's way out: what was decided in, bytes out (transfer contract, sections 2 and 3).

The answer to a movement is a pure function of its journal entry, accepted or refused for ever, so
that a repeat hears the first answer byte for byte.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, assert_never

from msgspec import Raw

from app.cashier.enquiries import HistoryPage, KnownMovement
from app.cashier.players import IssuedToken, Opened
from app.edges.transfer.codes import CODES, HTTP_STATUSES, WORDS, Code, RefusedError
from app.edges.wire import NotUnderstoodError, Number, encode, number, read_members
from app.ledger.accounts import Account
from app.ledger.history import PageKey, RoundSummary
from app.ledger.players import Player
from app.wallet.balance import Pockets
from app.wallet.events import EventType
from app.wallet.journal import EPOCH, MICROSECOND, JournalEntry, microseconds
from app.wallet.moments import is_within_bounds
from app.wallet.money import Currency
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal

OPERATIONS_OF: Final = {
    EventType.DEPOSIT: "account/deposit",
    EventType.WITHDRAWAL: "account/withdraw",
    EventType.BONUS_GRANT: "bonus/grant",
    EventType.BONUS_REVOKE: "bonus/revoke",
}
"""What an agent's movement was asked for as."""

CURSOR_LENGTH_MAX: Final = 2048
"""An event id of 250 characters, escaped and encoded, fits."""

_CURSOR_DIGITS_MAX: Final = 18


class Answer(NamedTuple):
    """What goes out, in clear or in an envelope."""

    code: Code
    body: bytes
    is_last: bool = False
    """whether the connection must end, because the request did not"""
    media_type: str = "application/json"
    balance: str | None = None
    """the balance that it tells, as it is written, for the log; None: it tells none"""
    decided: tuple[Movement, Receipt] | None = None
    """what is listed if the answer does not arrive"""
    delivery: bytes = b""
    """the name of the delivery that it answers; empty: the door fills it in"""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return HTTP_STATUSES[self.code]

    @property
    def event_type(self) -> str:
        """The numbers tell this door's movements apart by their operation."""
        return ""


def said(code: Code, data: Mapping[str, object]) -> Answer:
    """The contract's shape."""
    body = encode({"code": code.value, "message": WORDS[code], "data": data})
    told = data.get("balance")
    return Answer(code, body, balance=bytes(told).decode() if isinstance(told, Raw) else None)


def refused(error: RefusedError, *, is_last: bool = False) -> Answer:
    """Why the form, or the envelope, was not accepted."""
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
    """A refusal that is no outcome: asked again, it may be decided otherwise."""
    return said(CODES[refusal], {"reason": refusal.value})


def answer_to(receipt: Receipt) -> Answer:
    """Say a receipt: a repeat hears what the first delivery heard."""
    match receipt:
        case Posting(entry) | Declined(entry) | Replay(entry):
            return first_answer(entry)
        case Refused(refusal):
            return refused_by(refusal)
    assert_never(receipt)


def first_answer(entry: JournalEntry) -> Answer:
    """What was answered when this entry was written, and is for ever."""
    code = Code.DONE if entry.refusal is None else CODES[entry.refusal]
    data: dict[str, object] = {
        "transaction_id": entry.key.transaction_id,
        "amount": number(entry.currency.text(entry.amount)),
        "currency": entry.currency.code,
        **balances(entry.after, entry.currency),
        "created_at": moment(entry.ledger_time),
    }
    if entry.refusal is not None:
        data["reason"] = entry.refusal.value
    return said(code, data)


def balances(pockets: Pockets, currency: Currency) -> dict[str, object]:
    """Both pockets and their sum, as exact JSON numbers."""
    return {
        "balance": number(currency.text(pockets.balance)),
        "real_balance": number(currency.text(pockets.real)),
        "bonus_balance": number(currency.text(pockets.bonus)),
    }


def opened_shown(opened: Opened) -> Answer:
    """An account, and whether this request opened it."""
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
    """What a player has."""
    return said(
        Code.DONE,
        {
            "user_id": player.user_id,
            **balances(player.pockets, player.currency),
            "currency": player.currency.code,
        },
    )


def token_shown(issued: IssuedToken) -> Answer:
    """A fresh token: the only time that it is seen."""
    return said(Code.DONE, {"token": issued.token, "expires_at": moment(issued.expires_at)})


def account_shown(account: Account) -> Answer:
    """An account with what its operator settled: each limit in force, and the raises that wait."""
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
            }
    until = account.excluded_until
    return said(
        Code.DONE,
        {
            "user_id": player.user_id,
            "currency": player.currency.code,
            "nickname": player.nickname,
            "language": player.language,
            "status": "blocked" if account.is_suspended else "active",
            "excluded_until": None if until is None else moment(until),
            "limits": limits,
            "limits_later": raises,
            **balances(player.pockets, player.currency),
        },
    )


def transaction_shown(transaction_id: str, known: KnownMovement | None) -> Answer:
    """What became of a transaction, with the answer that it got."""
    if known is None:
        return said(Code.DONE, {"transaction_id": transaction_id, "status": "unknown"})
    entry = known.entry
    answer = first_answer(entry)
    return said(
        Code.DONE,
        {
            "transaction_id": transaction_id,
            "status": "completed" if entry.is_accepted else "refused",
            "operation": OPERATIONS_OF[entry.event_type],
            "user_id": known.user_id,
            "amount": number(entry.currency.text(entry.amount)),
            "currency": entry.currency.code,
            "created_at": moment(entry.ledger_time),
            # The bytes as they were sent, a JSON text inside this one.
            "answer": number(answer.body.decode()),
        },
    )


def history_shown(page: HistoryPage) -> Answer:
    """A page of rounds, and the cursor of the next one."""
    cursor = None if page.next_key is None else cursor_text(page.next_key)
    return said(Code.DONE, {"rounds": list(map(_round, page.rounds)), "next_cursor": cursor})


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


def moment(value: datetime) -> str:
    """RFC 3339, UTC, always with microseconds: `2026-11-20T12:00:00.000000Z`."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def cursor_text(key: PageKey) -> str:
    """Where a page ended, in one opaque word."""
    members = {
        "t": microseconds(key.opened_at),
        "p": key.player_id,
        "e": key.event_id,
        "s": key.is_streamer,
    }
    return base64.urlsafe_b64encode(encode(members)).decode().rstrip("=")


def read_cursor(text: str) -> PageKey:
    """Read a cursor of ours; RefusedError for any other word."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        members = read_members(base64.b64decode(padded, altchars=b"-_", validate=True))
        at, player_id, event_id, is_streamer = (members[name].value for name in "tpes")
        if (
            _is_whole(at)
            and _is_whole(player_id)
            and isinstance(event_id, str)
            and not isinstance(event_id, Number)
            and isinstance(is_streamer, bool)
        ):
            opened_at = EPOCH + int(str(at)) * MICROSECOND
            if is_within_bounds(opened_at):
                return PageKey(opened_at, int(str(player_id)), str(event_id), is_streamer)
    except (ValueError, KeyError, OverflowError, NotUnderstoodError):
        pass
    raise RefusedError(Code.VALUE, "is not a cursor of an earlier answer", "cursor")


def _is_whole(value: object) -> bool:
    return (
        isinstance(value, Number)
        and value.isascii()
        and value.isdigit()
        and (len(value) <= _CURSOR_DIGITS_MAX)
    )
