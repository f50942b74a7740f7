"""The reasons not to move money, in order of precedence: the first that holds is returned."""

from enum import Enum
from typing import Final


class Refusal(Enum):
    """Why a movement was refused. Declared in the order in which the checks are made."""

    PLAYER_UNKNOWN = "no such player"
    ACCOUNT_OF_ANOTHER_AGENT = "the account belongs to another agent"
    CURRENCY_DIFFERS = "the currency is not the player's"
    AMOUNT_TOO_FINE = "the amount is finer than the currency's minor unit"
    EVENT_TYPE_DIFFERS = "the transaction id was used for another event type or direction"
    MOVEMENT_DIFFERS = "the transaction id was used with other content"
    DECIDED_ELSEWHERE = "another wallet had accepted it before the players moved here"
    TOKEN_UNKNOWN = "token not found"  # noqa: S105 - words for people, not a secret
    TOKEN_EXPIRED = "token expired"  # noqa: S105 - words for people, not a secret
    UPGRADE_UNFINISHED = "this is possible once the upgrade of the ledger is finished"
    PLAYER_BLOCKED = "the player is blocked"
    NO_MATCHING_MOVEMENT = "no matching movement in this event"
    ALREADY_GIVEN_BACK = "every bet of this event was given back already"
    BET_OVERTAKEN = "an abort of the bet came before it"
    BET_DISCARDED = "the bet was discarded before it came"
    HOLD_UNKNOWN = "there is no such hold"
    HOLD_CLOSED = "the hold was settled or released already"
    DEPOSIT_CHECK = "the deposit was not allowed by a check"
    LIMIT_EXCEEDED = "a limit of the player would be exceeded"
    DEPOSIT_LIMIT = "a deposit limit of the player would be exceeded"
    INSUFFICIENT_FUNDS = "not enough money"
    BALANCE_TOO_LARGE = "the balance would not fit the currency's digits"
    EXCLUSION_RUNS = "an exclusion that is running can be made longer, never shorter or lifted"
    LIMIT_NOT_ASKED = "no raise of this limit was asked for"
    LIMIT_TOO_EARLY = "the raise of this limit cannot be confirmed yet"

    @property
    def is_final(self) -> bool:
        """Whether every later request with the same transaction id gets this refusal again."""
        return self in _FINAL


_FINAL: Final = frozenset(
    {
        Refusal.DECIDED_ELSEWHERE,
        Refusal.PLAYER_BLOCKED,
        Refusal.ALREADY_GIVEN_BACK,
        Refusal.BET_OVERTAKEN,
        Refusal.BET_DISCARDED,
        Refusal.DEPOSIT_CHECK,
        Refusal.LIMIT_EXCEEDED,
        Refusal.DEPOSIT_LIMIT,
        Refusal.INSUFFICIENT_FUNDS,
    }
)

UNKNOWN_TO_LAST_RELEASE: Final = frozenset(
    {Refusal.BET_DISCARDED, Refusal.DEPOSIT_CHECK, Refusal.DEPOSIT_LIMIT}
)
"""Outcomes that the previous release could not read; they are none until it has gone."""
