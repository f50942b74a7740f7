"""What the log hears of a request: ids, operations and codes; never a token, a key or an envelope.

An alarm is raised for a transaction id that came back with other content: the operator's books and
ours may differ there.
"""

from typing import Final

import structlog

from app.edges.transfer.answers import Answer
from app.ledger.errors import LedgerAwayError
from app.wallet.alarms import alarm_of
from app.wallet.movement import Movement
from app.wallet.outcomes import Receipt

logger: Final = structlog.get_logger("transfer")


def decided(movement: Movement, receipt: Receipt, answer: Answer) -> None:
    """Log one decided movement, and raise the alarm that may belong to it."""
    facts = {
        "agent": movement.key.source,
        "transaction_id": movement.key.transaction_id,
        "event_type": movement.event_type.value,
        "amount": movement.amount,
        "user_id": movement.user_id,
        "delivery": movement.delivery.hex(),
    }
    logger.info(
        "movement",
        code=answer.code,
        balance=answer.balance,
        receipt=type(receipt).__name__,
        **facts,
    )
    alarm = alarm_of(movement, receipt)
    if alarm is not None:
        differs = getattr(receipt, "differs", None)
        logger.error("alarm", alarm=alarm.value, differs=differs, **facts)


def answered(operation: str, agent: str, answer: Answer, delivery: bytes) -> None:
    """Log a request of a known agent, and what it was told."""
    told = {} if answer.balance is None else {"balance": answer.balance}
    logger.info(
        "request",
        operation=operation,
        agent=agent,
        code=answer.code,
        **told,
        delivery=delivery.hex(),
    )


def no_such_operation(peer: str | None, delivery: bytes) -> None:
    """Log a request to an address where there is no operation."""
    logger.info("wrong address", status=404, peer=peer, delivery=delivery.hex())


def not_admitted(operation: str, code: int, reason: str, peer: str | None, delivery: bytes) -> None:
    """Log a request whose agent is not known: no envelope, no key of ours."""
    logger.warning(
        "security",
        operation=operation,
        code=code,
        reason=reason,
        peer=peer,
        delivery=delivery.hex(),
    )


def unavailable(operation: str, agent: str | None, error: Exception, delivery: bytes) -> None:
    """Log that the ledger could not answer; of an outage the ledger tells once, and the end."""
    if isinstance(error, LedgerAwayError):
        return
    logger.error(
        "unavailable",
        operation=operation,
        agent=agent,
        error=type(error).__name__,
        delivery=delivery.hex(),
    )


def failed(operation: str, agent: str | None, error: Exception, delivery: bytes) -> None:
    """Log a fault of our own, with its traceback."""
    logger.error(
        "failed",
        operation=operation,
        agent=agent,
        error=type(error).__name__,
        delivery=delivery.hex(),
        exc_info=error,
    )
