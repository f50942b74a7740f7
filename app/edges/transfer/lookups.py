"""The operations that only look (transfer contract, section 2): outcomes, history, events."""

from typing import Final

from app.cashier import event_log, lookups
from app.edges.transfer.answers import (
    CURSOR_LENGTH_MAX,
    Answer,
    events_shown,
    history_shown,
    read_cursor,
    transaction_shown,
)
from app.edges.transfer.codes import Code, DecidedError, RefusedError
from app.edges.transfer.reading import read_event_cursor, read_event_types
from app.edges.transfer.request import Request
from app.ledger.history import RoundState
from app.ledger.transaction import Ledger
from app.wallet.journal import EPOCH
from app.wallet.moments import LATEST
from app.wallet.refusals import Refusal

HISTORY_COUNT: Final = 100
HISTORY_COUNT_MAX: Final = 1000
EVENTS_COUNT: Final = 100
EVENTS_COUNT_MAX: Final = 1000
"""The bounds that docs/contracts/transfer.md states; it is ours."""


class Lookups:
    """The operations that only look."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def check(self, request: Request) -> Answer:
        """Return the outcome of a transaction of this agent."""
        transaction_id = request.fields.text("transaction_id")
        known = await lookups.check_transaction(self._ledger, request.agent, transaction_id)
        return transaction_shown(transaction_id, known)

    async def history(self, request: Request) -> Answer:
        """Return one page of rounds, newest first."""
        fields = request.fields
        try:
            state = RoundState(fields.text("type"))
        except ValueError:
            raise RefusedError(Code.VALUE, "must be ALL, END or ING", "type") from None
        count_max = HISTORY_COUNT
        if "limit" in fields:
            count_max = fields.integer("limit", 1, HISTORY_COUNT_MAX)
        page = await lookups.history(
            self._ledger,
            agent=request.agent,
            state=state,
            user_id=fields.text_or_none("user_id"),
            since=fields.moment("from") if "from" in fields else EPOCH,
            until=fields.moment("to") if "to" in fields else LATEST,
            after=read_cursor(str(fields.text("cursor", length_max=CURSOR_LENGTH_MAX)))
            if "cursor" in fields
            else None,
            count_max=count_max,
        )
        if isinstance(page, Refusal):
            raise DecidedError(page)
        return history_shown(page)

    async def events(self, request: Request) -> Answer:
        """Return what has happened since a cursor, in the order in which it could be seen."""
        fields, count_max = request.fields, EVENTS_COUNT
        if "limit" in fields:
            count_max = fields.integer("limit", 1, EVENTS_COUNT_MAX)
        page = await event_log.page_after(
            self._ledger,
            request.agent,
            read_event_cursor(fields),
            types=read_event_types(fields),
            count_max=count_max,
        )
        if page is None:
            raise RefusedError(
                Code.VALUE,
                "is not a cursor of this ledger, which was restored to a moment before it; "
                "begin again with one that is older, and leave out what was heard by its id",
                "after",
            )
        return events_shown(page)
