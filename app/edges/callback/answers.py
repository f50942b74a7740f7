"""Answers: receipts in, bytes out (callback contract, sections 1, 4 and 5).

The first answer to an accepted or declined movement is a pure function of its journal entry, so
that a replay is exact to the byte.
"""

from enum import StrEnum
from typing import Final, NamedTuple, assert_never

from app.cashier.players import IssuedToken
from app.edges.wire import encode, number
from app.ledger.players import Player
from app.wallet.balance import Pockets
from app.wallet.journal import JournalEntry
from app.wallet.money import Currency
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal

ACCEPTED: Final = 0
"""The code of success in logs and metrics; the contract has none."""

FORMAT: Final = 400
"""The contract's code for every fault without a code of its own."""

CODES: Final[dict[Refusal, int]] = {
    Refusal.PLAYER_UNKNOWN: 404,
    Refusal.ACCOUNT_OF_ANOTHER_AGENT: 400,  # Cannot happen here: this contract serves every agent.
    Refusal.AMOUNT_TOO_FINE: 400,
    Refusal.EVENT_TYPE_DIFFERS: 400,
    Refusal.MOVEMENT_DIFFERS: 409,
    Refusal.DECIDED_ELSEWHERE: 409,
    Refusal.TOKEN_UNKNOWN: 417,
    Refusal.TOKEN_EXPIRED: 410,
    Refusal.PLAYER_BLOCKED: 405,
    Refusal.NO_MATCHING_MOVEMENT: 406,
    Refusal.ALREADY_GIVEN_BACK: 409,
    Refusal.BET_OVERTAKEN: 400,
    Refusal.LIMIT_EXCEEDED: 456,
    Refusal.INSUFFICIENT_FUNDS: 402,
    Refusal.BALANCE_TOO_LARGE: 400,
    # These cannot happen here: they are of the other contracts alone.
    Refusal.CURRENCY_DIFFERS: 400,
    Refusal.BET_DISCARDED: 400,
    Refusal.UPGRADE_UNFINISHED: 400,
    Refusal.HOLD_UNKNOWN: 400,
    Refusal.HOLD_CLOSED: 400,
    Refusal.DEPOSIT_CHECK: 400,
    Refusal.DEPOSIT_LIMIT: 400,
    Refusal.EXCLUSION_RUNS: 400,
    Refusal.LIMIT_NOT_ASKED: 400,
    Refusal.LIMIT_TOO_EARLY: 400,
}
assert set(CODES) == set(Refusal), "every refusal has a code"

DUPLICATE: Final = 409

CODES_WITH_BALANCE: Final = frozenset({402, 406, 409})
assert set(CODES.values()) > CODES_WITH_BALANCE

DUPLICATE_WORDS: Final = "the transactionId was processed already"
WORDS: Final[dict[Refusal, str]] = {
    **{refusal: refusal.value for refusal in Refusal},
    # The caller need not know which wallet processed it.
    Refusal.DECIDED_ELSEWHERE: DUPLICATE_WORDS,
}


class DuplicateReply(StrEnum):
    """The answer to a repeat of an accepted movement (WALLET_DUPLICATE_REPLY)."""

    CONFLICT = "conflict"
    """code 409 with the current balance"""
    REPLAY = "replay"
    """the first answer again, byte for byte"""


class Answer(NamedTuple):
    """An answer: the HTTP status, the body, and what the log and the counters need of it."""

    status: int
    body: bytes
    code: int = ACCEPTED
    """the contract's code, or ACCEPTED"""
    balance: str | None = None
    """the balance in the body, as it is written there, for the log; None: there is none"""
    is_last: bool = False
    """whether the connection must be closed, because the request was not read to its end"""
    event_type: str = ""
    """the event type of the movement, for the metrics; empty if there is none"""
    decided: tuple[Movement, Receipt] | None = None
    """what is listed as an unknown outcome if the answer is not delivered"""
    delivery: bytes = b""
    """the delivery that is answered; empty: `EntryPoint` sets it"""


DONE: Final = Answer(200, b'{"status":true}')


def answer_to(receipt: Receipt, duplicate_reply: DuplicateReply) -> Answer:
    """Return the contract's answer to a receipt."""
    match receipt:
        case Posting(entry):
            return balance_shown(entry.after, entry.currency)
        case Declined(entry, refusal):
            return refused(refusal, entry.after, entry.currency)
        case Replay():
            return _repeated(receipt, duplicate_reply)
        case Refused(refusal, pockets, currency):
            return refused(refusal, pockets, currency)
    assert_never(receipt)


def first_answer(entry: JournalEntry) -> Answer:
    """Return the answer that was given when this entry was written."""
    if entry.refusal is None:
        return balance_shown(entry.after, entry.currency)
    return refused(entry.refusal, entry.after, entry.currency)


def _repeated(replay: Replay, duplicate_reply: DuplicateReply) -> Answer:
    entry = replay.entry
    # The first answer to what was decided elsewhere was another wallet's, and is not known here.
    repeats_first = duplicate_reply is DuplicateReply.REPLAY and not entry.is_decided_elsewhere
    if replay.is_own or repeats_first:
        return first_answer(entry)
    if entry.refusal is None:
        return _told(DUPLICATE, DUPLICATE_WORDS, replay.pockets, replay.currency)
    return refused(entry.refusal, replay.pockets, replay.currency)


def balance_shown(pockets: Pockets, currency: Currency) -> Answer:
    """Return the answer with a balance, after a movement or on request."""
    balance = currency.text(pockets.balance)
    real, bonus = currency.text(pockets.real), currency.text(pockets.bonus)
    text = f'{{"status":true,"balance":{balance},"realBalance":{real},"bonusBalance":{bonus}}}'
    return Answer(200, text.encode(), ACCEPTED, balance)


def refused(
    refusal: Refusal, pockets: Pockets | None = None, currency: Currency | None = None
) -> Answer:
    """Return a refusal's answer, with the balance if its code carries one and it is known."""
    return _told(CODES[refusal], WORDS[refusal], pockets, currency)


def not_understood(words: str, *, status: int = 200, is_last: bool = False) -> Answer:
    """Return code 400 with a description."""
    return _told(FORMAT, words)._replace(status=status, is_last=is_last)


def player_shown(player: Player) -> Answer:
    """Return a player's details and balance; unknown details are left out."""
    currency, pockets = player.currency, player.pockets
    balance = currency.text(pockets.balance)
    members: dict[str, object] = {
        "status": True,
        "userId": player.user_id,
        "balance": number(balance),
        "realBalance": number(currency.text(pockets.real)),
        "bonusBalance": number(currency.text(pockets.bonus)),
        "nickname": player.nickname,
        "currency": currency.code,
        "language": player.language,
    }
    optional = {
        "email": player.email,
        "firstName": player.first_name,
        "lastName": player.last_name,
    }
    members.update({name: value for name, value in optional.items() if value is not None})
    return Answer(200, encode(members), ACCEPTED, balance)


def token_shown(issued: IssuedToken) -> Answer:
    """Return a new token."""
    player = issued.player
    balance = player.currency.text(player.pockets.balance)
    members = {
        "status": True,
        "userId": player.user_id,
        "token": issued.token,
        "balance": number(balance),
    }
    return Answer(200, encode(members), ACCEPTED, balance)


def _told(
    code: int, words: str, pockets: Pockets | None = None, currency: Currency | None = None
) -> Answer:
    members: dict[str, object] = {"status": False}
    balance = None
    if pockets is not None and currency is not None and code in CODES_WITH_BALANCE:
        balance = currency.text(pockets.balance)
        members["balance"] = number(balance)
    members["errors"] = {"code": code, "error": words}
    return Answer(200, encode(members), code, balance)
