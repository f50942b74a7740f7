"""`wallet demo`: the banner of a running demo again, with fresh tokens and a fresh bet."""

from app.console.data_owner import console_settings
from app.console.database import ready_database
from app.console.demo import open_demo
from app.console.errors import ConsoleError
from app.console.game_side import address_of, find_wallet
from app.console.output.printer import say
from app.settings import DEMO_CALLBACK_KEY, Settings


def demo_command() -> None:
    """Print what `make run` printed again: players with fresh tokens, and a bet to paste."""
    settings = console_settings()
    if not settings.demo:
        raise ConsoleError("These settings are an operator's: the demo is started by `make run`.")
    wallet = find_wallet(address_of(settings), settings)
    if wallet.key != DEMO_CALLBACK_KEY:
        raise ConsoleError(f"The server at {wallet.address} is not a demo.")
    with ready_database(settings) as database:
        say(open_demo(settings, database, wallet.address, _backoffice(settings)))


def _backoffice(settings: Settings) -> str:
    """Return where the demo's back office listens."""
    host, port = settings.backoffice_host, settings.backoffice_port
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
