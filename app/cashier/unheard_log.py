"""Log lines of movements that were decided after their callers had given up.

A door logs a movement when it answers; these have no answer, and their alarms are as true.
"""

from typing import Final

import structlog

from app.wallet.alarms import alarm_of
from app.wallet.movement import Movement
from app.wallet.outcomes import Posting, Receipt, Refused, Replay

logger: Final = structlog.get_logger("batching")


def log_unheard(movement: Movement, receipt: Receipt) -> None:
    """Log one such movement, and its alarm if it raises one."""
    facts = {"source": movement.key.source, **movement.facts()}
    kind = type(receipt).__name__
    logger.warning("decided after its caller gave up", receipt=kind, **facts)
    alarm = alarm_of(movement, receipt)
    if alarm is not None:
        logger.error("alarm", alarm=alarm.value, **facts, **_details(receipt))


def _details(receipt: Receipt) -> dict[str, object]:
    """What the alarm's line says beside the movement."""
    match receipt:
        case Posting(entry):
            return {"flags": [flag.value for flag in entry.flags]}
        case Replay() | Refused():
            return {"differs": receipt.differs}
        case _:
            return {}
