"""Betby's keys in the demo: made once for a data folder, and kept there for the simulator.

One key signs Betby's calls, the other the tokens of the game client. The demo's money is not real,
and its server listens on this machine only.
"""

import json
import os
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.jwk import ECKey

from app.console.errors import ConsoleError
from app.settings import Betby, Settings, read_betby

FILE: Final = "betby.json"
BRAND: Final = "demo"
KID: Final = "demo"


class DemoKeys(NamedTuple):
    """The private keys of both sides."""

    theirs: str
    """Betby's, as PEM"""
    ours: dict[str, str]
    """as a JWK"""


def demo_keys(folder: Path) -> DemoKeys:
    """Return the keys of a data folder, made if there are none."""
    path = folder / FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return DemoKeys(kept["theirs"], kept["ours"])
    except FileNotFoundError:
        return _made(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConsoleError(
            f"{path} has no keys of Betby's demo that can be read: move it away, and a new one is "
            "made."
        ) from error


def with_betby(settings: Settings, folder: Path) -> Settings:
    """Return the demo's settings with Betby's contract, unless that is set already."""
    if settings.betby is not None:
        return settings
    betby = read_betby(setting_of(demo_keys(folder)))
    if not isinstance(betby, Betby):
        raise TypeError("the demo's setting is the setting's text")
    return settings.model_copy(update={"betby": betby})


def setting_of(keys: DemoKeys) -> str:
    """Return the value of WALLET_BETBY for these keys."""
    theirs = serialization.load_pem_private_key(keys.theirs.encode(), password=None)
    public = theirs.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return json.dumps(
        {
            "brands": [BRAND],
            "keys": [{"kid": KID, "alg": "ES256", "pem": public.decode()}],
            "signing_key": keys.ours,
        }
    )


def _made(path: Path) -> DemoKeys:
    theirs = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    jwk = ECKey.generate_key("P-256", {"kid": KID}).as_dict(private=True)
    ours = {name: str(jwk[name]) for name in ("kty", "crv", "x", "y", "d", "kid")}
    keys = DemoKeys(theirs.decode(), ours)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(keys._asdict(), file)
    return keys
