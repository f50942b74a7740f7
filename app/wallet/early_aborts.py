"""Early aborts: aborts that arrived before the bet they void, and the bet that each refuses.

Callback contract, section 5, "The abort that overtook its bet". An abort that found no bet of its
amount is stored by its transaction id. A bet that arrives shortly after it is taken to be the bet
that the game side has already voided: it is refused, and the abort is used up. A bet that arrives
later than the window is accepted and flagged.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from app.wallet.events import RULES, Part
from app.wallet.journal import JournalEntry
from app.wallet.money import Minor
from app.wallet.movement import KeyScope, Movement


class AbortState(StrEnum):
    """The state of an early abort. The values are those of the database."""

    WAITING = "waiting"
    """a bet that it refuses may still arrive"""
    USED = "used"
    """it refused a bet; its own id has no outcome yet, and will be told that nothing is left"""
    ABSORBED = "absorbed"
    """A bet of its amount had been declined before it arrived, so the abort refuses no other bet.

    This state is final: each declined bet absorbs one abort only.
    """
    SETTLED = "settled"
    """its own id has an outcome"""


class EarlyAbort(NamedTuple):
    """A refused abort of one event. `amount` is in minor units of the player's currency."""

    transaction_id: str
    amount: Minor
    first_at: datetime
    """when it was first delivered, by the ledger's clock"""
    state: AbortState


class OvertakenBet(StrEnum):
    """What is done with a bet whose abort arrived first (WALLET_OVERTAKEN_BET)."""

    REFUSE = "refuse"
    FLAG = "flag"


def waiting_for(
    aborts: Iterable[EarlyAbort], bet: Movement, amount: Minor, scope: KeyScope
) -> list[EarlyAbort]:
    """Return the waiting aborts that apply to this bet.

    In the key scope in which an abort may carry its bet's transaction id, only the abort with the
    bet's own id applies, whatever its amount; otherwise every waiting abort of the amount does.
    """
    by_id = scope is KeyScope.TRANSACTION_EVENT
    return [
        abort
        for abort in aborts
        if abort.state is AbortState.WAITING
        and (abort.transaction_id == bet.key.transaction_id if by_id else abort.amount == amount)
    ]


def in_time(aborts: Iterable[EarlyAbort], now: datetime, window: timedelta) -> EarlyAbort | None:
    """Return the oldest of these aborts that arrived at most `window` ago, or None.

    Aborts of the same moment are ordered by transaction id, so that the order of the facts does not
    matter.
    """
    candidates = [abort for abort in aborts if now - abort.first_at <= window]
    return min(candidates, key=lambda abort: (abort.first_at, abort.transaction_id), default=None)


def find(aborts: Iterable[EarlyAbort], transaction_id: str) -> EarlyAbort | None:
    """The abort with this transaction id."""
    return next((abort for abort in aborts if abort.transaction_id == transaction_id), None)


def remembered(
    aborts: tuple[EarlyAbort, ...],
    history: Iterable[JournalEntry],
    abort: Movement,
    amount: Minor,
    now: datetime,
) -> EarlyAbort | None:
    """Return the early abort to store after an abort found no bet; None: it is stored already.

    `history` is the event's movements, declined ones included. Each declined bet of the amount
    absorbs one abort, which then waits for no other bet; a declined abort absorbs none.
    """
    if find(aborts, abort.key.transaction_id) is not None:
        return None
    declined = sum(
        not entry.is_accepted
        and not entry.is_decided_elsewhere
        and entry.amount == amount
        and RULES[entry.event_type].part is Part.BET
        for entry in history
    )
    absorbed = sum(
        known.state is AbortState.ABSORBED and known.amount == amount for known in aborts
    )
    state = AbortState.ABSORBED if declined > absorbed else AbortState.WAITING
    return EarlyAbort(abort.key.transaction_id, amount, now, state)


def replaced(aborts: tuple[EarlyAbort, ...], changed: EarlyAbort) -> tuple[EarlyAbort, ...]:
    """The aborts with one of them changed, or added at the end."""
    if find(aborts, changed.transaction_id) is None:
        return (*aborts, changed)
    return tuple(
        changed if abort.transaction_id == changed.transaction_id else abort for abort in aborts
    )
