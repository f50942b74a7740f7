"""The settings of a server: every group of them, and the demo's public keys."""

import base64
from typing import Annotated, Self

from pydantic import BeforeValidator, SecretStr, model_validator
from pydantic_settings import NoDecode

from app import settings_parsing
from app.settings.betby import BETBY_SOURCE, BetbySettings
from app.settings.callers import CallerSettings
from app.settings.database import DatabaseSettings
from app.settings.money import MoneySettings
from app.settings.processes import ProcessSettings

DEMO_CALLBACK_KEY = "demo-callback-key-known-to-everybody"
DEMO_AGENT_ID = "demo"
DEMO_AGENT_KEY = base64.urlsafe_b64encode(b"a demo key that everybody knows!").decode().rstrip("=")


class Settings(MoneySettings, BetbySettings, CallerSettings, ProcessSettings, DatabaseSettings):
    """The settings of a server; read once, at the start, and never changed."""

    @model_validator(mode="after")
    def _buckets_are_lanes(self) -> Self:
        """Check that a batch is of one bucket."""
        if self.buckets > 1 and self.lanes > 1:
            raise ValueError("WALLET_LANES must be 1 with several WALLET_BUCKETS: each has a lane")
        return self

    @property
    def demo(self) -> bool:
        """Whether the keys are those that everybody knows."""
        return DEMO_CALLBACK_KEY in {key.get_secret_value() for key in self.callback_keys}

    @model_validator(mode="after")
    def _no_agent_is_betby(self) -> Self:
        """Check that Betby's movements can be told from an agent's in the journal."""
        if self.betby is not None and BETBY_SOURCE in {name.lower() for name in self.agents}:
            raise ValueError(
                f"WALLET_AGENTS must not name an agent {BETBY_SOURCE} beside WALLET_BETBY"
            )
        return self


class ConsoleSettings(Settings):
    """The settings of console commands, which need no callback key."""

    callback_keys: Annotated[
        tuple[SecretStr, ...], NoDecode, BeforeValidator(settings_parsing.words)
    ] = ()
    """The keys of the callback API, if there are any."""
