"""Log lines of requests: ids, types and codes; never a token, a key or a signature.

Some lines are alarms, because money may not be where a party expects it: a credit of an unknown
event type or for an unknown event, and a transaction id repeated with different content.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from logging import INFO
from typing import Final

import structlog
from msgspec.structs import astuple

from app.edges.callback.answers import Answer
from app.edges.callback.parsing import truncated
from app.telemetry.logs import Line, write_line
from app.wallet.alarms import Alarm, alarm_of
from app.wallet.limits import LimitHit
from app.wallet.money import Currency
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay

logger: Final = structlog.get_logger("callback")


class DecidedLine(Line, gc=False):
    """The log line of a decided movement."""

    transaction_id: str
    event_type: str
    direction: str
    amount: str
    user_id: str
    event_id: str | None
    code: int
    balance: str | None
    """as written in the answer; None: the answer has none"""
    receipt: str
    delivery: str


class LimitLine(DecidedLine, gc=False):
    """The line of a movement that a limit refused, with the limit's amounts in major units."""

    limit: str
    limit_amount: str
    limit_used: str
    limit_left: str


def decided(movement: Movement, receipt: Receipt, answer: Answer) -> None:
    """Log one decided movement, and raise the alarms that belong to it."""
    if logger.is_enabled_for(INFO):
        write_line(_line(movement, receipt, answer))
    alarm = alarm_of(movement, receipt)
    if alarm is not None:
        _raise_alarm(alarm, movement, **_details(receipt))


def _details(receipt: Receipt) -> dict[str, object]:
    """Return what an alarm's line says beside the movement."""
    match receipt:
        case Posting(entry):
            return {"flags": [flag.value for flag in entry.flags]}
        case Declined():
            return {"abort": receipt.detail}
        case Refused() | Replay():
            return {"differs": receipt.differs} if receipt.differs else {}


def _line(movement: Movement, receipt: Receipt, answer: Answer) -> DecidedLine:
    """Return the line; a member of an enumeration is written as its value."""
    line = DecidedLine(
        datetime.now(UTC),
        "info",
        "movement",
        movement.key.transaction_id,
        movement.event_type,
        movement.direction,
        movement.amount,
        movement.user_id,
        movement.event_id,
        answer.code,
        answer.balance,
        type(receipt).__name__,
        movement.delivery.hex(),
    )
    if isinstance(receipt, Declined) and isinstance(receipt.detail, LimitHit):
        return _limit_line(line, receipt.detail, receipt.entry.currency)
    return line


def _limit_line(line: DecidedLine, hit: LimitHit, currency: Currency) -> LimitLine:
    text = currency.text
    amounts = text(hit.limit), text(hit.used), text(hit.left)
    fields = astuple(line)
    return LimitLine(*fields, hit.limit_name, *amounts)  # type: ignore[call-arg]  # fields of a base


_HINTS: Final = {
    Alarm.CREDIT_UNDER_A_USED_ID: "if the supplier repeats a bet's id on its settlement, the key "
    "scope must be widened: wallet scope widen",
}


def _raise_alarm(alarm: Alarm, movement: Movement, **facts: object) -> None:
    hint = _HINTS.get(alarm)
    logger.error(
        "alarm",
        alarm=alarm.value,
        transaction_id=movement.key.transaction_id,
        event_type=movement.event_type.value,
        amount=movement.amount,
        user_id=movement.user_id,
        event_id=movement.event_id,
        delivery=movement.delivery.hex(),
        **facts,
        **({} if hint is None else {"hint": hint}),
    )


def unknown_credit(texts: Mapping[str, str], delivery: bytes) -> None:
    """Log the alarm of a credit of an unknown event type."""
    logger.error(
        "alarm",
        alarm=Alarm.UNKNOWN_CREDIT.value,
        transaction_id=truncated(texts, "transactionId"),
        event_type=truncated(texts, "eventType"),
        amount=truncated(texts, "amount"),
        user_id=truncated(texts, "userId"),
        event_id=truncated(texts, "eventId"),
        delivery=delivery.hex(),
    )


def outcome_unknown(movement: Movement, error: Exception) -> None:
    """Log that a caller is told to repeat the request."""
    logger.error(
        "outcome unknown",
        transaction_id=movement.key.transaction_id,
        event_type=movement.event_type.value,
        user_id=movement.user_id,
        delivery=movement.delivery.hex(),
        error=type(error).__name__,
    )


def refused(operation: str, code: int, reason: str, user_id: str | None, delivery: bytes) -> None:
    """Log a signed request that was refused outside the money transaction."""
    logger.info(
        "refused",
        operation=operation,
        code=code,
        reason=reason,
        user_id=user_id,
        delivery=delivery.hex(),
    )


def answered(operation: str, user_id: str | None, answer: Answer, delivery: bytes) -> None:
    """Log a request that was answered without moving money, with the balance in its answer."""
    balance = {} if answer.balance is None else {"balance": answer.balance}
    logger.info(
        "answered",
        operation=operation,
        code=answer.code,
        user_id=user_id,
        **balance,
        delivery=delivery.hex(),
    )


def not_admitted(operation: str, reason: str, caller: str, delivery: bytes) -> None:
    """Log an untrusted caller: a wrong network, or an invalid signature."""
    logger.warning(
        "security", operation=operation, reason=reason, caller=caller, delivery=delivery.hex()
    )


def not_readable(operation: str, reason: str, caller: str, delivery: bytes) -> None:
    """Log a request that could not be decoded, and was refused before its signature check."""
    logger.warning(
        "unreadable", operation=operation, reason=reason, caller=caller, delivery=delivery.hex()
    )
