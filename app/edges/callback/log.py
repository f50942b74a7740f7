"""What the log hears of a request: ids, types and codes; never a token, a key or a signature.

Two kinds of line are alarms, for somebody's money is not where he expects it: a credit that found
nothing to belong to, and a transaction id that came back with other content.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from logging import INFO
from typing import Final

import structlog
from msgspec.structs import astuple

from app.edges.callback.answers import Answer
from app.edges.callback.parsing import truncated
from app.ledger.errors import LedgerAwayError
from app.telemetry.logs import Line, write_line
from app.wallet.alarms import Alarm, alarm_of
from app.wallet.limits import LimitHit
from app.wallet.money import Currency
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay

logger: Final = structlog.get_logger("callback")


class DecidedLine(Line, gc=False):
    """What is told of a decided movement."""

    transaction_id: str
    event_type: str
    direction: str
    amount: str
    user_id: str
    event_id: str | None
    code: int
    balance: str | None
    """as the caller was told it; None: the answer tells none"""
    receipt: str
    delivery: str


class LimitLine(DecidedLine, gc=False):
    """What is told of a movement that a limit refused, in major units."""

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
    """What a person needs to know beside the movement itself."""
    match receipt:
        case Posting(entry):
            return {"flags": [flag.value for flag in entry.flags]}
        case Declined():
            return {"abort": receipt.detail}
        case Refused() | Replay():
            return {"differs": receipt.differs} if receipt.differs else {}


def _line(movement: Movement, receipt: Receipt, answer: Answer) -> DecidedLine:
    """Lay the fields out; enum members as their values, which is what a terminal shows as well."""
    line = DecidedLine(
        datetime.now(UTC),
        "info",
        "movement",
        movement.key.transaction_id,
        movement.event_type.value,
        movement.direction.value,
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
    """Raise the alarm of a credit whose event type we do not know."""
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
    """Log that a caller will be told to ask again."""
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
    """Log a question that was answered, and the balance that was told."""
    told = {} if answer.balance is None else {"balance": answer.balance}
    logger.info(
        "answered",
        operation=operation,
        code=answer.code,
        user_id=user_id,
        **told,
        delivery=delivery.hex(),
    )


def not_admitted(operation: str, reason: str, caller: str, delivery: bytes) -> None:
    """Log a stranger: the wrong network, or no signature of ours."""
    logger.warning(
        "security", operation=operation, reason=reason, caller=caller, delivery=delivery.hex()
    )


def not_readable(operation: str, reason: str, caller: str, delivery: bytes) -> None:
    """Log a request that could not be read, and was refused before its signature was looked at."""
    logger.warning(
        "unreadable", operation=operation, reason=reason, caller=caller, delivery=delivery.hex()
    )


def unavailable(operation: str, error: Exception, delivery: bytes) -> None:
    """Log that the ledger could not answer; of an outage the ledger tells once, and the end."""
    if isinstance(error, LedgerAwayError):
        return
    logger.error(
        "unavailable", operation=operation, error=type(error).__name__, delivery=delivery.hex()
    )


def failed(operation: str, error: Exception, delivery: bytes) -> None:
    """Log a fault of our own, with its traceback."""
    logger.error(
        "failed",
        operation=operation,
        error=type(error).__name__,
        delivery=delivery.hex(),
        exc_info=error,
    )
