"""The mark of a shadow: a ledger that decides another wallet's traffic and answers nobody."""

from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.transaction import Ledger

_STATE: Final = """
SELECT (SELECT begun_at FROM shadow_marks) AS begun_at, EXISTS (SELECT FROM players) AS has_players
"""

_MARK: Final = """
INSERT INTO shadow_marks (begun_at, by) VALUES (coalesce($1::timestamptz, now()), $2)
ON CONFLICT DO NOTHING
"""


class ShadowState(NamedTuple):
    """Whether a ledger is a shadow's."""

    begun_at: datetime | None
    """when it was marked; None: it is no shadow"""
    has_players: bool


async def find_shadow(book: Book) -> ShadowState:
    """Return whether the ledger is a shadow's, and whether anybody has an account in it."""
    row = await book.connection.fetchrow(_STATE)
    return ShadowState(*row)  # type: ignore[misc]  # a query without FROM is one row


async def shadow_state(ledger: Ledger) -> ShadowState:
    """Return the same, by itself."""
    return await ledger.read_only(find_shadow, confirmed=False)


async def mark_as_shadow(ledger: Ledger, by: str) -> None:
    """Mark the ledger; nothing ever takes the mark away."""

    async def work(book: Book) -> None:
        await book.connection.execute(_MARK, book.now_given(), by)

    await ledger.serializable(work)
