"""How the simulator calls as Betby: the brand, the key that signs, and the units of amounts."""

from pathlib import Path

from app.console.betby_demo import demo_keys, with_betby
from app.console.errors import ConsoleError
from app.settings import Settings
from app.simulator.betby import BetbyStage, SigningKey


def betby_stage(settings: Settings, key_file: Path | None) -> BetbyStage:
    """Return how Betby calls; ConsoleError says what is missing."""
    is_demo = settings.demo and settings.betby is None
    if is_demo:
        settings = with_betby(settings, settings.data_dir)
    betby = settings.betby
    if betby is None:
        raise ConsoleError(
            "This server does not serve Betby's contract: set WALLET_BETBY, or leave --door out."
        )
    if is_demo:
        pem = demo_keys(settings.data_dir).theirs.encode()
    elif key_file is not None:
        pem = key_file.read_bytes()
    else:
        raise ConsoleError(
            "Betby's calls are signed with its private key: name the file of one whose public key "
            "is in WALLET_BETBY with --betby-key."
        )
    try:
        key = SigningKey.of_pem(betby.keys[0].kid, pem)
    except ValueError as error:
        raise ConsoleError(
            "--betby-key names no private key that the simulator can use: it must be RSA or on "
            "P-256, as PEM without a password."
        ) from error
    return BetbyStage(betby.brands[0], key, betby.scales, settings.betby_repeated_make)
