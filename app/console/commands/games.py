"""`wallet game …`: which product each game belongs to, for limits and reports of products.

A bet keeps the product that its game had when it was placed.
"""

from typing import Annotated, Final

import typer

from app.cashier.games import list_games, name_game
from app.console.ledger_access import ask, commands, who
from app.console.output.layout import Rows
from app.console.output.printer import AsJson, print_json, say, tell
from app.console.output.printer import show as show_parts
from app.wallet.limit_terms import PRODUCT
from app.wallet.words import moment

GAME_ID_MAX: Final = 10**18 - 1

games: Final = commands("game", "Which product a game belongs to: sport, casino, live …")


def _checked_product(value: str) -> str:
    if not PRODUCT.fullmatch(value):
        raise typer.BadParameter(
            "must be such as sport, casino or live: 1 to 32 lower-case letters, digits, - or _"
        )
    return value


GameId = Annotated[int, typer.Argument(metavar="ID", help="The gameId.", min=0, max=GAME_ID_MAX)]
Product = Annotated[str, typer.Option(help="Such as casino.", callback=_checked_product)]


@games.command("set")
def set_game(game_id: GameId, product: Product, as_json: AsJson = False) -> None:
    """Name a game's product, from half a minute on: every server has read it by then."""
    before = ask(lambda ledger: name_game(ledger, game_id, product, who()), changes=True)
    if before == product:
        sentence = f"Game {game_id} is {product} already."
    elif before is None:
        sentence = f"Game {game_id} is {product} in half a minute; it had no name before."
    else:
        sentence = f"Game {game_id} was {before} and is {product} in half a minute."
    document = {"game_id": game_id, "product": product, "before": before}
    tell(sentence, document, as_json=as_json)


@games.command("show")
def show(as_json: AsJson = False) -> None:
    """Show every game that has a name."""
    named = ask(list_games)
    if as_json:
        records = [
            {"game_id": game.game_id, "product": game.product, "since": moment(game.since)}
            for game in named
        ]
        print_json({"games": records})
    elif named:
        rows = ((game.game_id, game.product, moment(game.since)) for game in named)
        show_parts(Rows("Games", ("game", "product", "since"), rows, amounts="game"))
    else:
        say("No game has a name; `wallet game set ID --product casino` gives one.")
