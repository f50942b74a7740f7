"""What is kept of a refusal that is no outcome, and of a repeat with other content, for ever."""

from datetime import datetime
from typing import NamedTuple


class RefusalRecord(NamedTuple):
    """One refused request, as the append-only list of refusals keeps it.

    Texts are as the caller sent them, truncated by the edge; nothing of them is trusted.
    """

    user_id: str
    """empty where the request named no player"""
    source: str
    """`callback`, or the agent that asked"""
    operation: str
    transaction_id: str | None
    event_id: str | None
    event_type: str | None
    direction: str | None
    amount: str | None
    refusal: str
    """the name of a Refusal, or of what was wrong with the request's form"""
    reason: str
    """in words, for people"""
    differs: str | None
    """the field whose content differs from that of the first request under this id"""
    asked: str | None
    """JSON text of the request's fields without the token, bounded by the edge"""
    delivery: bytes
    event_time: datetime
    """when the request had arrived here"""
    ledger_time: datetime | None = None
    """when it was refused, by the ledger's clock; None: not written yet"""
