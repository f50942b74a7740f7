"""The operations that only look (transfer contract, section 2)."""

from datetime import datetime
from typing import Final

from app.cashier import event_log, lookups
from app.edges.transfer.answers import (
    Answer,
    events_shown,
    history_shown,
    statement_shown,
    transaction_shown,
)
from app.edges.transfer.codes import Code, DecidedError, RefusedError
from app.edges.transfer.cursors import (
    CURSOR_LENGTH_MAX,
    read_rounds_cursor,
    read_statement_cursor,
)
from app.edges.transfer.forms import Fields
from app.edges.transfer.reading import read_event_cursor, read_event_types
from app.edges.transfer.request import Request
from app.ledger.history import RoundState
from app.ledger.transaction import Ledger
from app.wallet.journal import EPOCH
from app.wallet.moments import LATEST
from app.wallet.refusals import Refusal

HISTORY_COUNT: Final = 100
HISTORY_COUNT_MAX: Final = 1000
STATEMENT_COUNT: Final = 100
STATEMENT_COUNT_MAX: Final = 1000
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
        cursor, (since, until) = _cursor(fields), _period(fields)
        page = await lookups.history(
            self._ledger,
            agent=request.agent,
            state=state,
            user_id=fields.text_or_none("user_id"),
            since=since,
            until=until,
            after=None if cursor is None else read_rounds_cursor(cursor),
            count_max=_count_max(fields, HISTORY_COUNT, HISTORY_COUNT_MAX),
        )
        if isinstance(page, Refusal):
            raise DecidedError(page)
        return history_shown(page)

    async def statement(self, request: Request) -> Answer:
        """Return one page of what was decided of a player's money, newest first."""
        fields = request.fields
        user_id = fields.text("user_id")
        cursor, (since, until) = _cursor(fields), _period(fields)
        page = await lookups.statement(
            self._ledger,
            agent=request.agent,
            user_id=user_id,
            since=since,
            until=until,
            before=None if cursor is None else read_statement_cursor(cursor, user_id),
            count_max=_count_max(fields, STATEMENT_COUNT, STATEMENT_COUNT_MAX),
        )
        if isinstance(page, Refusal):
            raise DecidedError(page)
        return statement_shown(user_id, page)

    async def events(self, request: Request) -> Answer:
        """Return what has happened since a cursor, in the order in which it could be seen."""
        fields = request.fields
        page = await event_log.page_after(
            self._ledger,
            request.agent,
            read_event_cursor(fields),
            types=read_event_types(fields),
            count_max=_count_max(fields, EVENTS_COUNT, EVENTS_COUNT_MAX),
        )
        if page is None:
            raise RefusedError(
                Code.VALUE,
                "is not a cursor of this ledger, which was restored to a moment before it; "
                "begin again with one that is older, and leave out what was heard by its id",
                "after",
            )
        return events_shown(page)


def _count_max(fields: Fields, otherwise: int, maximum: int) -> int:
    return fields.integer("limit", 1, maximum) if "limit" in fields else otherwise


def _period(fields: Fields) -> tuple[datetime, datetime]:
    return (
        fields.moment("from") if "from" in fields else EPOCH,
        fields.moment("to") if "to" in fields else LATEST,
    )


def _cursor(fields: Fields) -> str | None:
    return fields.text_or_none("cursor", length_max=CURSOR_LENGTH_MAX)
