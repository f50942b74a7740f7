"""The inbox: money that is not where somebody expects it, one exception for each case.

An exception is open, taken by somebody, and then resolved by a person with a note, or settled: what
the ledger itself has settled leaves the inbox by itself, and nothing else does.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple


class ExceptionKind(StrEnum):
    """What is not as somebody expects it. The values are those of the database and of metrics."""

    EXPECTED_CREDIT = "expected_credit"
    """a credit that was refused: the game side, or the player, expects the money"""
    OTHER_CONTENT = "other_content"
    """a transaction id came again with other content, and the second content moved nothing"""
    OVERTAKEN_BET = "overtaken_bet"
    """a bet whose abort came before it, refused or accepted"""
    UNKNOWN_OUTCOME = "unknown_outcome"
    """a movement stands whose caller heard that nobody knows, and has not asked again"""
    UNCOVERED_CANCEL = "uncovered_cancel"
    """a SportBetCancel took more than the payments and aborts of its event"""
    NEGATIVE_BALANCE = "negative_balance"
    """a player owes money"""
    RECONCILIATION_DIFFERENCE = "reconciliation_difference"
    """our books and the game side's do not agree"""
    SLIP_MISMATCH = "slip_mismatch"
    """a bet slip and the journal do not agree"""
    LARGE_LIABILITY = "large_liability"
    """open bets may win more on one outcome than the operator wants to hear of"""
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105 - a kind, not a secret
    """money was accepted under a token that a restore has lost"""
    UNKNOWN_PLAYER = "unknown_player"
    """money came for a player whom a restore may have lost"""
    SETTLEMENT_DIFFERS = "settlement_differs"
    """Betby's last word about a bet is not what was done with it"""


WORDS: Final = {
    ExceptionKind.EXPECTED_CREDIT: "a credit was refused",
    ExceptionKind.OTHER_CONTENT: "other content under one id",
    ExceptionKind.OVERTAKEN_BET: "an abort came before its bet",
    ExceptionKind.UNKNOWN_OUTCOME: "its caller has not asked again",
    ExceptionKind.UNCOVERED_CANCEL: "a cancel took more than was paid",
    ExceptionKind.NEGATIVE_BALANCE: "the player owes money",
    ExceptionKind.RECONCILIATION_DIFFERENCE: "the books do not agree",
    ExceptionKind.SLIP_MISMATCH: "a bet slip says otherwise",
    ExceptionKind.LARGE_LIABILITY: "much may be won on one outcome",
    ExceptionKind.UNKNOWN_TOKEN: "money under a token that a restore lost",
    ExceptionKind.UNKNOWN_PLAYER: "money for a player who is not there",
    ExceptionKind.SETTLEMENT_DIFFERS: "a bet was settled otherwise",
}
"""Each kind in a few words for people."""
if set(WORDS) != set(ExceptionKind):
    raise AssertionError("every kind has its words")


class ExceptionState(StrEnum):
    """What has become of an exception."""

    OPEN = "open"
    TAKEN = "taken"
    """somebody looks after it"""
    RESOLVED = "resolved"
    """a person closed it, with a note"""
    SETTLED = "settled"
    """the ledger closed it: the money is where it was expected"""


class Exceptional(NamedTuple):
    """One exception as it stands."""

    exception_id: int
    kind: ExceptionKind
    user_id: str | None
    source: str | None
    transaction_id: str | None
    event_type: str | None
    direction: str | None
    event_id: str | None
    amount: str | None
    """in major units, as it was asked for"""
    currency: str | None
    summary: str
    happened_at: datetime
    """when the money went astray, which may be long before it was found: its age"""
    opened_at: datetime
    """when it was listed: since then it waits for somebody"""
    state: ExceptionState
    taken_by: str | None
    closed_at: datetime | None
    closed_by: str | None


class Step(NamedTuple):
    """Something that was done about an exception."""

    at: datetime
    step: str
    """taken, released, resolved or settled"""
    by: str
    """a person, or `ledger`"""
    is_verified: bool
    note: str | None


class OpenCount(NamedTuple):
    """The open exceptions of one kind."""

    number: int
    oldest_seconds: int
    """how long the one that was listed first has been waiting; 0: there is none"""
