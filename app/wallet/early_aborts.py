"""Aborts that came before the bet they give back, and the bet that each of them refuses.

Callback contract, section 5, "The abort that overtook its bet". An abort that found no bet of its
amount is remembered by its transaction id. A bet that comes shortly after it is the bet that the
game side has already given up: it is refused, and uses the abort up. Later than that the bet is
accepted and flagged.
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
    """What has become of an abort that came early. The values are the database's."""

    WAITING = "waiting"
    """a bet may still come that it refuses"""
    USED = "used"
    """it refused a bet; its own id has no outcome yet, and will hear that all is given back"""
    ABSORBED = "absorbed"
    """A bet of its amount had been refused for ever before it came, so no other bet is meant.

    It stays so whatever becomes of it: each declined bet absorbs one abort only.
    """
    SETTLED = "settled"
    """its own id has an outcome"""


class EarlyAbort(NamedTuple):
    """A refused abort of one event. `amount` is in minor units of the player's currency."""

    transaction_id: str
    amount: Minor
    first_at: datetime
    """the ledger's time of its first delivery"""
    state: AbortState


class OvertakenBet(StrEnum):
    """What becomes of a bet whose abort came first (setting)."""

    REFUSE = "refuse"
    FLAG = "flag"


def waiting_for(
    aborts: Iterable[EarlyAbort], bet: Movement, amount: Minor, scope: KeyScope
) -> list[EarlyAbort]:
    """The waiting aborts that mean this bet.

    Where an abort may carry its bet's id, only the abort of the bet's own id does, at any amount.
    """
    by_id = scope is KeyScope.TRANSACTION_EVENT
    return [
        abort
        for abort in aborts
        if abort.state is AbortState.WAITING
        and (abort.transaction_id == bet.key.transaction_id if by_id else abort.amount == amount)
    ]


def in_time(aborts: Iterable[EarlyAbort], now: datetime, window: timedelta) -> EarlyAbort | None:
    """The oldest of these aborts that came at most `window` ago.

    Of aborts of one moment the first by its id, whatever order the facts have them in.
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
    """What is newly remembered of an abort that found no bet of its amount; None: it is known.

    `history`: the event's movements, declined ones among them. Each declined bet of the amount
    absorbs one abort, which then waits for no other bet; a declined abort absorbs none.
    """
    if find(aborts, abort.key.transaction_id) is not None:
        return None
    declined = sum(
        not entry.is_accepted
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
