"""Log lines of calls: ids, methods and codes; never a token, a key or a session.

An operation repeated with other content, and a settlement that differs from what was done, are
alarms: Betby's books and ours may differ.
"""

from typing import Final

import structlog

from app.edges.betby.answers import Answer
from app.wallet.alarms import Alarm, alarm_of
from app.wallet.movement import Movement
from app.wallet.outcomes import Receipt, Refused, Replay

logger: Final = structlog.get_logger("betby")


def decided(movement: Movement, receipt: Receipt, answer: Answer) -> None:
    """Log one decided movement, and its alarm if it raises one."""
    facts = movement.facts()
    logger.info(
        "movement",
        code=answer.code.value,
        balance=answer.balance,
        receipt=type(receipt).__name__,
        **facts,
    )
    alarm = alarm_of(movement, receipt)
    if alarm is not None:
        differs = receipt.differs if isinstance(receipt, Refused | Replay) else None
        named = None if differs is None else _FIELDS.get(differs, differs)
        raise_alarm(alarm, differs=named, **facts)


_FIELDS: Final = {
    "eventType": "transaction.operation",
    "direction": "transaction.operation",
    "userId": "player_id",
    "eventId": "bet_transaction_id",
    "parent": "parent_transaction_id",
}
"""This contract's names of the fields in which a repeat may differ."""


def raise_alarm(alarm: Alarm, **facts: object) -> None:
    """Log an alarm."""
    logger.error("alarm", alarm=alarm.value, **facts)


def answered(operation: str, answer: Answer, delivery: bytes) -> None:
    """Log a call that moves no money, and its answer."""
    logger.info("request", operation=operation, code=answer.code.value, delivery=delivery.hex())


def refused(operation: str, code: int, reason: str, delivery: bytes) -> None:
    """Log a signed call that was refused before the ledger decided."""
    logger.info("refused", operation=operation, code=code, reason=reason, delivery=delivery.hex())
