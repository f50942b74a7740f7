"""Log lines of requests: ids, operations and codes; never a token, a key or an envelope.

A transaction id repeated with different content is an alarm, since the operator's books and ours
may differ.
"""

from typing import Final

import structlog

from app.edges.transfer.answers import Answer
from app.wallet.alarms import alarm_of
from app.wallet.limits import LimitHit
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Receipt

logger: Final = structlog.get_logger("transfer")


def decided(movement: Movement, receipt: Receipt, answer: Answer) -> None:
    """Log one decided movement, and its alarm if it raises one."""
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
        **_limit_facts(receipt),
    )
    alarm = alarm_of(movement, receipt)
    if alarm is not None:
        differs = getattr(receipt, "differs", None)
        logger.error("alarm", alarm=alarm.value, differs=differs, **facts)


def _limit_facts(receipt: Receipt) -> dict[str, str]:
    """Which limit refused a movement, as the game side's lines have it."""
    if not isinstance(receipt, Declined) or not isinstance(receipt.detail, LimitHit):
        return {}
    hit, text = receipt.detail, receipt.entry.currency.text
    return {
        "limit": hit.limit_name,
        "limit_amount": text(hit.limit),
        "limit_used": text(hit.used),
        "limit_left": text(hit.left),
    }


def answered(operation: str, agent: str, answer: Answer, delivery: bytes) -> None:
    """Log a request of a known agent, and its answer."""
    balance = {} if answer.balance is None else {"balance": answer.balance}
    logger.info(
        "request",
        operation=operation,
        agent=agent,
        code=answer.code,
        **balance,
        delivery=delivery.hex(),
    )


def no_such_operation(peer: str | None, delivery: bytes) -> None:
    """Log a request to a path that is not an operation."""
    logger.info("wrong address", status=404, peer=peer, delivery=delivery.hex())
