"""What the log hears of a request: ids, types and codes; never a token, a key or a signature.

Two kinds of line are alarms, for somebody's money is not where he expects it: a credit that found
nothing to belong to, and a transaction id that came back with other content.
"""

from datetime import UTC, datetime
from logging import INFO
from typing import Final

import structlog

from app.edges.callback.answers import Answer
from app.telemetry.logs import Line, write_line
from app.wallet.events import Direction
from app.wallet.movement import Movement
from app.wallet.outcomes import Posting, Receipt, Refused, Replay
from app.wallet.refusals import Refusal

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
    if logger.is_enabled_for(INFO):
        write_line(_line(movement, receipt, answer))
    match receipt:
        case Posting(entry):
            if entry.flags:
                _alarm("flagged", movement, flags=[flag.value for flag in entry.flags])
        case Refused(refusal) if (
            refusal is Refusal.NO_MATCHING_MOVEMENT and movement.direction is Direction.CREDIT
        ):
            _alarm("credit without a matching movement", movement)
        case Refused() | Replay():
            if receipt.differs is not None:
                _alarm("repeat with other content", movement, differs=receipt.differs)
        case _:
            pass


def _line(movement: Movement, receipt: Receipt, answer: Answer) -> DecidedLine:
    """Lay the fields out; enum members as their values, which is what a terminal shows as well."""
    return DecidedLine(
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
        type(receipt).__name__,
        movement.delivery.hex(),
    )


def _alarm(words: str, movement: Movement, **facts: object) -> None:
    logger.error(
        "alarm",
        alarm=words,
        transaction_id=movement.key.transaction_id,
        event_type=movement.event_type.value,
        amount=movement.amount,
        user_id=movement.user_id,
        event_id=movement.event_id,
        delivery=movement.delivery.hex(),
        **facts,
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


def not_admitted(operation: str, reason: str, caller: str) -> None:
    """Log a stranger: the wrong network, or no signature of ours."""
    logger.warning("security", operation=operation, reason=reason, caller=caller)


def not_readable(operation: str, reason: str, caller: str) -> None:
    """Log a request that could not be read, and was refused before its signature was looked at."""
    logger.warning("unreadable", operation=operation, reason=reason, caller=caller)


def unavailable(operation: str, error: Exception) -> None:
    """Log that the ledger could not answer."""
    logger.error("unavailable", operation=operation, error=type(error).__name__)


def failed(operation: str, error: Exception) -> None:
    """Log a fault of our own, with its traceback."""
    logger.error("failed", operation=operation, error=type(error).__name__, exc_info=error)
