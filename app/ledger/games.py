"""Games' names as the ledger stores them: a list that is only added to."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from app.ledger.money.book import Book

_NAMED: Final = """
SELECT DISTINCT ON (game_id) game_id, product, since FROM game_names ORDER BY game_id, since DESC
"""

_ADD: Final = """
INSERT INTO public.game_names (game_id, since, product, source)
VALUES ($1, coalesce($4::timestamptz, now()) + $5, $2, $3)
"""

NAMED_AFTER: Final = timedelta(seconds=30)
"""When a name begins. It is committed before that (`NAMING_MAX`), so that every movement from then
on is decided with it: what a bet counted against can be told from the bet's moment for ever."""

NAMING_MAX: Final = NAMED_AFTER / 2


class NamedGame(NamedTuple):
    """A game, the product that it belongs to, and since when."""

    game_id: int
    product: str
    since: datetime


async def named_games(book: Book) -> list[NamedGame]:
    """The current names of all games that have one."""
    return [NamedGame(*row) for row in await book.connection.fetch(_NAMED)]


async def add_name(book: Book, game_id: int, product: str, source: str) -> None:
    """Name a game from NAMED_AFTER on; the transaction may take NAMING_MAX."""
    await book.connection.execute(_ADD, game_id, product, source, book.now_given(), NAMED_AFTER)
