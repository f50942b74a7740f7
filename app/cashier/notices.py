"""Maintenance notices of the game side: kept as sent, shown to ops."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from app.ledger.book import Book
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


async def keep_notice(ledger: Ledger, notice: Notice) -> None:
    """Keep a notice for ever."""
    fields = [
        value if isinstance(value, (str, datetime)) or value is None else json.dumps(value)
        for value in notice
    ]

    async def work(book: Book) -> None:
        await book.keep_notice(fields)

    await ledger.serializable(work)
