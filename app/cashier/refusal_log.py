"""The trail of refusals that were met outside the money transaction, kept for ever."""

from datetime import datetime
from typing import NamedTuple

from app.ledger.money.book import Book, RefusalNote
from app.ledger.transaction import Ledger


class RefusedRequest(NamedTuple):
    """A signed request that was refused before it became a movement.

    Or an enquiry that was refused.
    """

    delivery: bytes
    source: str
    operation: str
    user_id: str | None
    transaction_id: str | None
    event_id: str | None
    event_type: str | None
    direction: str | None
    amount: str | None
    code: str
    """the name of a Refusal, or of what was wrong with the form"""
    reason: str
    asked: str
    """JSON text of the fields without the token, bounded by the edge"""
    received_at: datetime


async def log_refusal(ledger: Ledger, request: RefusedRequest) -> None:
    """Append one refusal to the trail."""
    note = RefusalNote(
        user_id=request.user_id or "",
        source=request.source,
        operation=request.operation,
        transaction_id=request.transaction_id,
        event_id=request.event_id,
        event_type=request.event_type,
        direction=request.direction,
        amount=request.amount,
        refusal=request.code,
        reason=request.reason,
        differs=None,
        asked=request.asked,
        delivery=request.delivery,
        event_time=request.received_at,
    )

    async def work(book: Book) -> None:
        await book.log_refusals([note])

    await ledger.serializable(work)
