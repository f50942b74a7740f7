"""What the log hears of a request: ids, types and codes; never a token, a key or a signature.

Two kinds of line are alarms, for somebody's money is not where he expects it: a credit that found
nothing to belong to, and a transaction id that came back with other content.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import structlog

from app.edges.callback.answers import Answer
from app.edges.callback.parsing import truncated
from app.ledger.errors import LedgerAwayError
from app.telemetry.logs import Line, write_line
from app.wallet.alarms import Alarm, alarm_of
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
    receipt: str
    delivery: str


def decided(movement: Movement, receipt: Receipt, answer: Answer) -> None:
    """Log one decided movement, and raise the alarms that belong to it."""
    write_line(
        DecidedLine(
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
            type(receipt).__name__,
            movement.delivery.hex(),
        )
    )
    alarm = alarm_of(movement, receipt)
    if alarm is not None:
        _raise_alarm(alarm, movement, **_details(receipt))


def _details(receipt: Receipt) -> dict[str, object]:
    """What a person needs to know beside the movement itself."""
    match receipt:
        case Posting(entry):
            return {"flags": entry.flags}
        case Declined(_, _, detail):
            return {"abort": detail}
        case Refused() | Replay():
            return {"differs": receipt.differs} if receipt.differs else {}


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
        event_type=movement.event_type,
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
        event_type=movement.event_type,
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


def not_admitted(operation: str, reason: str, caller: str) -> None:
    """Log a stranger: the wrong network, or no signature of ours."""
    logger.warning("security", operation=operation, reason=reason, caller=caller)


def not_readable(operation: str, reason: str, caller: str) -> None:
    """Log a request that could not be read, and was refused before its signature was looked at."""
    logger.warning("unreadable", operation=operation, reason=reason, caller=caller)


def unavailable(operation: str, error: Exception) -> None:
    """Log that the ledger could not answer; of an outage the ledger tells once, and the end."""
    if isinstance(error, LedgerAwayError):
        return
    logger.error("unavailable", operation=operation, error=type(error).__name__)


def failed(operation: str, error: Exception) -> None:
    """Log a fault of our own, with its traceback."""
    logger.error("failed", operation=operation, error=type(error).__name__, exc_info=error)
