"""The contract's codes (transfer contract, section 3), their words, and their HTTP statuses."""

from enum import IntEnum
from typing import Final

from app.wallet.refusals import Refusal


class Code(IntEnum):
    """The code of an answer: the provider's numbers, with names of our own."""

    DONE = 0
    ERROR = 1
    MISSING = 2
    KEY = 3
    FORMAT = 4
    EXPIRED = 5
    AGENT = 6
    BLOCKED = 9
    VALUE = 100
    DENIED = 101
    BALANCE = 102
    AWAY = 103


WORDS: Final = {
    Code.DONE: "successful request",
    Code.ERROR: "error occurred",
    Code.MISSING: "missing data",
    Code.KEY: "invalid key",
    Code.FORMAT: "data format error",
    Code.EXPIRED: "expired request",
    Code.AGENT: "invalid agent",
    Code.BLOCKED: "blocked user",
    Code.VALUE: "data value error",
    Code.DENIED: "permission denied",
    Code.BALANCE: "insufficient balance",
    Code.AWAY: "integration failure",
}
"""The provider's messages, word for word; the details are in `data`."""

assert set(WORDS) == set(Code), "every code has its words"

_DONE: Final = 200
_REFUSED: Final = 202
_INTERNAL: Final = 500

HTTP_STATUSES: Final = {
    code: _DONE if code is Code.DONE else _INTERNAL if code in {Code.ERROR, Code.AWAY} else _REFUSED
    for code in Code
}

CODES: Final[dict[Refusal, Code]] = {
    Refusal.PLAYER_UNKNOWN: Code.VALUE,
    Refusal.ACCOUNT_OF_ANOTHER_AGENT: Code.DENIED,
    Refusal.AMOUNT_TOO_FINE: Code.VALUE,
    Refusal.EVENT_TYPE_DIFFERS: Code.VALUE,
    Refusal.MOVEMENT_DIFFERS: Code.VALUE,
    # The answer to a repeat is that it was done; another wallet did it.
    Refusal.DECIDED_ELSEWHERE: Code.DONE,
    Refusal.PLAYER_BLOCKED: Code.BLOCKED,
    Refusal.INSUFFICIENT_FUNDS: Code.BALANCE,
    Refusal.BALANCE_TOO_LARGE: Code.VALUE,
    Refusal.UPGRADE_UNFINISHED: Code.AWAY,
    Refusal.HOLD_UNKNOWN: Code.VALUE,
    Refusal.HOLD_CLOSED: Code.DENIED,
    Refusal.DEPOSIT_CHECK: Code.DENIED,
    Refusal.DEPOSIT_LIMIT: Code.DENIED,
    Refusal.EXCLUSION_RUNS: Code.DENIED,
    Refusal.LIMIT_NOT_ASKED: Code.VALUE,
    Refusal.LIMIT_TOO_EARLY: Code.DENIED,
    # These cannot happen in this contract: its movements have no token, belong to no round, and are
    # no play.
    Refusal.TOKEN_UNKNOWN: Code.ERROR,
    Refusal.TOKEN_EXPIRED: Code.ERROR,
    Refusal.NO_MATCHING_MOVEMENT: Code.ERROR,
    Refusal.CURRENCY_DIFFERS: Code.ERROR,
    Refusal.BET_DISCARDED: Code.ERROR,
    Refusal.BET_OVERTAKEN: Code.ERROR,  # Cannot happen here: this contract places no bets.
    Refusal.ALREADY_GIVEN_BACK: Code.ERROR,
    Refusal.LIMIT_EXCEEDED: Code.ERROR,
}
assert set(CODES) == set(Refusal), "every refusal has a code"


class RefusedError(Exception):
    """The request is refused with a code, before the ledger is used."""

    def __init__(self, code: Code, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        """a sentence for people that quotes no value, since values may be secrets"""
        self.field = field
        """the name of the field at fault, if there is one"""


class DecidedError(RefusedError):
    """The ledger's answer was a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(CODES[refusal], reason_of(refusal))
        self.refusal = refusal


REASONS: Final = {
    Refusal.DEPOSIT_CHECK: "deposit_check",
    Refusal.DEPOSIT_LIMIT: "deposit_limit",
    Refusal.HOLD_CLOSED: "hold_closed",
    Refusal.EXCLUSION_RUNS: "exclusion_runs",
    Refusal.LIMIT_NOT_ASKED: "limit_not_asked",
    Refusal.LIMIT_TOO_EARLY: "limit_too_early",
}
"""The reasons that a program must tell apart, because a code stands for several."""


def reason_of(refusal: Refusal) -> str:
    """What an answer's `reason` says: a word for programs, or a sentence for people."""
    return REASONS.get(refusal, refusal.value)


TAKES_REQUEST_ID: Final = frozenset({Refusal.PLAYER_BLOCKED, Refusal.EXCLUSION_RUNS})
"""Refusals that use up a request's id, as a success does; all others leave it free."""
