"""Maintenance notices of the game side: stored as sent, shown to operations."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from app.ledger.money.book import Book
from app.ledger.transaction import Ledger


class Notice(NamedTuple):
    """One call of `/notification/maintenance` (callback contract, section 1)."""

    status: str
    batch_id: str | None
    game_ids: list[Any] | None
    additions: Any
    brand_name: str | None
    countries: list[Any] | None
    currencies: list[Any] | None
    provider_ids: list[Any] | None
    received_at: datetime
    body: str
    """the JSON text as sent"""


AS_JSON = frozenset({"game_ids", "additions", "countries", "currencies", "provider_ids"})
"""Fields stored as JSON, whatever their type: `additions` may be a text as well as an object."""


async def keep_notice(ledger: Ledger, notice: Notice) -> None:
    """Store a notice."""
    fields = [
        json.dumps(value) if name in AS_JSON and value is not None else value
        for name, value in notice._asdict().items()
    ]

    async def work(book: Book) -> None:
        await book.keep_notice(fields)

    await ledger.serializable(work)
