"""The contract's codes, and the refusal that each stands for (docs/contracts/betby.md)."""

from enum import IntEnum
from typing import Final

from app.wallet.refusals import Refusal


class Code(IntEnum):
    """The code of an answer: Betby's numbers, with names of our own."""

    DONE = 0
    """success, in logs and metrics; the contract has no number for it"""
    AWAY = 503
    """the outcome is not known; the contract has the HTTP status alone"""
    BLOCKED = 1005
    PLAYER = 1006
    SESSION = 1007
    FUNDS = 2001
    CURRENCY = 2002
    PARENT = 2003
    BAD_REQUEST = 2004
    JWT = 2005
    BONUS = 3001
    LIMIT = 4001


CODES: Final[dict[Refusal, Code]] = {
    Refusal.PLAYER_UNKNOWN: Code.PLAYER,
    Refusal.CURRENCY_DIFFERS: Code.CURRENCY,
    Refusal.AMOUNT_TOO_FINE: Code.BAD_REQUEST,
    Refusal.EVENT_TYPE_DIFFERS: Code.BAD_REQUEST,
    Refusal.MOVEMENT_DIFFERS: Code.BAD_REQUEST,
    Refusal.TOKEN_UNKNOWN: Code.SESSION,
    Refusal.TOKEN_EXPIRED: Code.SESSION,
    Refusal.PLAYER_BLOCKED: Code.BLOCKED,
    Refusal.NO_MATCHING_MOVEMENT: Code.PARENT,
    Refusal.BET_DISCARDED: Code.BAD_REQUEST,
    Refusal.LIMIT_EXCEEDED: Code.LIMIT,
    Refusal.INSUFFICIENT_FUNDS: Code.FUNDS,
    Refusal.BALANCE_TOO_LARGE: Code.BAD_REQUEST,
    # These cannot happen here: they are of the other contracts alone.
    Refusal.ACCOUNT_OF_ANOTHER_AGENT: Code.BAD_REQUEST,
    Refusal.DECIDED_ELSEWHERE: Code.BAD_REQUEST,
    Refusal.UPGRADE_UNFINISHED: Code.BAD_REQUEST,
    Refusal.ALREADY_GIVEN_BACK: Code.BAD_REQUEST,
    Refusal.BET_OVERTAKEN: Code.BAD_REQUEST,
    Refusal.HOLD_UNKNOWN: Code.BAD_REQUEST,
    Refusal.HOLD_CLOSED: Code.BAD_REQUEST,
    Refusal.DEPOSIT_CHECK: Code.BAD_REQUEST,
    Refusal.DEPOSIT_LIMIT: Code.BAD_REQUEST,
    Refusal.EXCLUSION_RUNS: Code.BAD_REQUEST,
    Refusal.LIMIT_NOT_ASKED: Code.BAD_REQUEST,
    Refusal.LIMIT_TOO_EARLY: Code.BAD_REQUEST,
}
assert set(CODES) == set(Refusal), "every refusal has a code"

WORDS: Final = {refusal: refusal.value for refusal in Refusal} | {
    Refusal.NO_MATCHING_MOVEMENT: "parent transaction not found",
}


class RefusedError(Exception):
    """The request is refused with a code, before the ledger is used."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        """a sentence for people that quotes no value"""


class NotSignedError(RefusedError):
    """The JWT, or a claim of it, is not accepted."""

    def __init__(self, reason: str) -> None:
        super().__init__(Code.JWT, reason)
