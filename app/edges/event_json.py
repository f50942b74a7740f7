"""An event as JSON, the same to the byte by `events` of the transfer API and in a webhook.

Transfer contract, section 5. What `data` says depends on the row that is told of alone, so that a
redelivery is the first delivery again.
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never

from app.edges.wire import encode, number, rfc3339
from app.ledger.event_log.told import (
    AlarmTold,
    ChangeTold,
    Content,
    LimitTold,
    MovementTold,
    OpeningTold,
    RoundTold,
    Told,
    VoidedTold,
)
from app.wallet.event_log import cursor_at
from app.wallet.journal import EPOCH, MICROSECOND
from app.wallet.moments import FOREVER_TEXT, moment_from_text
from app.wallet.money import Currency
from app.wallet.refusals import Refusal

_ACCEPTED: Final = "ACCEPTED"
_NO_END: Final = "infinity"
"""How the list of changes stores an exclusion without an end."""


def event_members(event: Told) -> dict[str, object]:
    """Return an event as the members of a JSON object."""
    return {
        "id": event.id,
        "type": event.type.value,
        "occurred_at": rfc3339(event.occurred_at),
        "user_id": event.user_id or None,
        "cursor": cursor_at(event.number, event.id).text,
        "data": _data(event.content),
    }


def event_body(event: Told) -> bytes:
    """Return an event as the body of a webhook."""
    return encode(event_members(event))


def _data(content: Content) -> Mapping[str, object]:
    match content:
        case MovementTold():
            return movement_members(content)
        case LimitTold():
            return {
                **movement_members(content.movement),
                "limit": content.limit,
                "value": number(content.value),
                "used": number(content.used),
                "remaining": number(content.remaining),
            }
        case RoundTold():
            return _round(content)
        case OpeningTold():
            return {"currency": content.currency}
        case ChangeTold():
            return _change(content)
        case AlarmTold():
            return _alarm(content)
        case VoidedTold():
            return {"first": content.first, "last": content.last}
    assert_never(content)


def movement_members(movement: MovementTold) -> dict[str, object]:
    """Return a movement as the members of a JSON object, in `data` and in `account/statement`."""
    is_posted = movement.decision == _ACCEPTED
    return {
        "event_type": movement.event_type,
        "direction": movement.direction,
        "amount": number(movement.amount),
        "currency": movement.currency,
        "real_before": number(movement.real_before),
        "bonus_before": number(movement.bonus_before),
        "real_balance": number(movement.real_after),
        "bonus_balance": number(movement.bonus_after),
        "balance": number(movement.balance),
        "source": movement.source,
        "transaction_id": movement.transaction_id,
        "event_id": movement.event_id,
        "game_id": movement.game_id,
        "bonus_code": movement.bonus_code,
        "decided_at": rfc3339(movement.decided_at),
        "refusal": None if is_posted else movement.decision.lower(),
        "reason": None if is_posted else Refusal[movement.decision].value,
    }


def _round(round_: RoundTold) -> dict[str, object]:
    return {
        "event_id": round_.event_id,
        "game_id": round_.game_id,
        "streamer": round_.is_streamer,
        "currency": round_.currency,
        "bets": round_.bets,
        "stakes": number(round_.stakes),
        "wins": number(round_.wins),
        "returns": number(round_.returns),
        "net": number(round_.net),
        "transaction_id": round_.transaction_id,
    }


def _change(change: ChangeTold) -> dict[str, object]:
    outcome = change.outcome
    currency = Currency(change.currency, change.scale)
    terms: Mapping[str, Mapping[str, Any]] = outcome.get("limits") or {}
    return {
        "by": change.source,
        "operation": change.operation,
        "status": outcome.get("status"),
        "excluded_until": _exclusion(outcome.get("excluded_until")),
        "language": outcome.get("language"),
        "limits": {
            name: number(currency.text(term["amount"]))
            for name, term in terms.items()
            if term.get("amount") is not None
        },
        "limits_later": {
            name: _asked_for(term, currency)
            for name, term in terms.items()
            if term.get("starts_at") is not None
        },
    }


def _exclusion(stored: str | None) -> str | None:
    moment = None if stored is None else moment_from_text(stored)
    if moment is not None:
        return rfc3339(moment)
    return FOREVER_TEXT if stored == _NO_END else None


def _asked_for(term: Mapping[str, Any], currency: Currency) -> dict[str, object]:
    later = term.get("later")
    return {
        "amount": None if later is None else number(currency.text(later)),
        "from": rfc3339(EPOCH + term["starts_at"] * MICROSECOND),
        "confirm": bool(term.get("needs_confirmation")),
    }


def _alarm(alarm: AlarmTold) -> dict[str, object]:
    return {
        "exception": alarm.number,
        "kind": alarm.kind,
        "summary": alarm.summary,
        "event_type": alarm.event_type,
        "direction": alarm.direction,
        "transaction_id": alarm.transaction_id,
        "event_id": alarm.event_id,
        "amount": alarm.amount,
        "currency": alarm.currency,
        "happened_at": rfc3339(alarm.happened_at),
    }
