"""The settings of a server: every group of them, and the demo's public keys."""

import base64
from typing import Annotated

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from app import settings_parsing
from app.settings.callers import CallerSettings
from app.settings.database import DatabaseSettings
from app.settings.money import MoneySettings
from app.settings.processes import ProcessSettings

DEMO_CALLBACK_KEY = "demo-callback-key-known-to-everybody"
DEMO_AGENT_ID = "demo"
DEMO_AGENT_KEY = base64.urlsafe_b64encode(b"a demo key that everybody knows!").decode().rstrip("=")


class Settings(MoneySettings, CallerSettings, ProcessSettings, DatabaseSettings):
    """The settings of a server; read once, at the start, and never changed."""

    @property
    def demo(self) -> bool:
        """Whether the keys are those that everybody knows."""
        return DEMO_CALLBACK_KEY in {key.get_secret_value() for key in self.callback_keys}


class ConsoleSettings(Settings):
    """The settings of console commands, which need no callback key."""

    callback_keys: Annotated[
        tuple[SecretStr, ...], NoDecode, BeforeValidator(settings_parsing.words)
    ] = ()
    """The keys of the callback API, if there are any."""
