"""The record of a refusal that is not final, and of a repeat with different content."""

from datetime import datetime
from typing import NamedTuple


class RefusalRecord(NamedTuple):
    """One refused request, as the append-only refusal log stores it.

    Texts are as the caller sent them, truncated by the edge, and must not be trusted.
    """

    user_id: str
    """empty where the request named no player"""
    source: str
    """`callback`, or the agent that sent the request"""
    operation: str
    transaction_id: str | None
    event_id: str | None
    event_type: str | None
    direction: str | None
    amount: str | None
    refusal: str
    """the name of a Refusal, or of the fault in the request's form"""
    reason: str
    """a sentence for people"""
    differs: str | None
    """the field whose content differs from that of the first request under this id"""
    asked: str | None
    """JSON text of the request's fields without the token, bounded by the edge"""
    delivery: bytes
    event_time: datetime
    """when the request had been received"""
    ledger_time: datetime | None = None
    """when it was refused, by the ledger's clock; None: not written yet"""
