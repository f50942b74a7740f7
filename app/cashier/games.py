"""Games' names: which product each game belongs to, by setting or by command."""

from collections.abc import Mapping

from app.ledger.games import NAMING_MAX, NamedGame, add_name, named_games
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger


async def name_game(ledger: Ledger, game_id: int, product: str, source: str) -> str | None:
    """Name a game's product from half a minute on; return the product before, or None."""

    async def work(book: Book) -> str | None:
        before = {game.game_id: game.product for game in await named_games(book)}.get(game_id)
        if before != product:
            await add_name(book, game_id, product, source)
        return before

    return await ledger.serializable(work, deadline=NAMING_MAX)


async def name_games_by_setting(ledger: Ledger, games: Mapping[int, str]) -> list[int]:
    """Name the games that have no name yet; return those that the ledger names otherwise."""
    if not games:
        return []

    async def work(book: Book) -> list[int]:
        known = {game.game_id: game.product for game in await named_games(book)}
        for game_id, product in games.items():
            if game_id not in known:
                await add_name(book, game_id, product, "setting")
        return [
            game_id for game_id, product in games.items() if known.get(game_id, product) != product
        ]

    return await ledger.serializable(work, deadline=NAMING_MAX)


async def list_games(ledger: Ledger) -> list[NamedGame]:
    """Return every game that has a name, with its current one."""

    async def work(book: Book) -> list[NamedGame]:
        return await named_games(book)

    return await ledger.read_only(work)
