"""Games' names as the ledger stores them: a list that is only added to."""

from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.money.book import Book

_NAMED: Final = """
SELECT DISTINCT ON (game_id) game_id, product, since FROM game_names ORDER BY game_id, since DESC
"""

_ADD: Final = """
INSERT INTO game_names (game_id, since, product, source)
VALUES ($1, coalesce($4::timestamptz, now()), $2, $3)
"""


class NamedGame(NamedTuple):
    """A game, the product that it belongs to, and since when."""

    game_id: int
    product: str
    since: datetime


async def named_games(book: Book) -> list[NamedGame]:
    """The current names of all games that have one."""
    return [NamedGame(*row) for row in await book.connection.fetch(_NAMED)]


async def add_name(book: Book, game_id: int, product: str, source: str) -> None:
    """Name a game from now on."""
    await book.connection.execute(_ADD, game_id, product, source, book.now_given())
