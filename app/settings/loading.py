"""Reading the settings: whatever is wrong becomes one sentence that names the variable.

It never quotes a value, since values may be secrets.
"""

import base64
import difflib
import ipaddress
import os
from collections.abc import Callable
from typing import TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from app import settings_parsing
from app.settings.callers import Agent
from app.settings.database import DatabaseSettings
from app.settings.group import PREFIX
from app.settings.server import (
    DEMO_AGENT_ID,
    DEMO_AGENT_KEY,
    DEMO_CALLBACK_KEY,
    ConsoleSettings,
    Settings,
)
from app.settings_parsing import SettingsError

CALLBACK_KEY_LENGTH_MIN = 16
"""A signature is as good as its key; a shorter one may be found by trying."""

_DEMO_CURRENCIES = {"BTC": 8}

T = TypeVar("T")


def load_settings(*, demo: bool = False) -> Settings:
    """Read the environment; raise `SettingsError` with one sentence if a value is invalid.

    In a demo the keys are public, so it listens on this machine only, and has data of its own.
    """
    settings = _read(_demo_settings if demo else Settings)
    if demo:
        _hold_the_demo_to_this_machine(settings)
    elif settings.demo or _demo_agent_keys(settings):
        raise SettingsError("The demo keys are known to everybody: they work with --demo only.")
    else:
        _refuse_weak_secrets(settings)
    return settings


def load_database_settings() -> DatabaseSettings:
    """Read the database's settings only; others may be missing, but not misspelt."""
    return _read(DatabaseSettings)


def load_console_settings(*, may_be_demo: bool = True) -> Settings:
    """Read the settings of a console command, which requires no key.

    If neither keys nor a database are given, only the demo can be meant, and its settings are
    returned, unless the caller excludes that (`may_be_demo=False`).
    """
    settings = _read(ConsoleSettings)
    has_keys = settings.callback_keys or settings.agents
    if may_be_demo and not has_keys and settings.database_url is None:
        return _read(_demo_settings)
    return settings


def setting_names() -> tuple[str, ...]:
    """Return the name of each environment variable we know."""
    return tuple(PREFIX + name.upper() for name in Settings.model_fields)


def _read(settings_of: Callable[[], T]) -> T:
    """Read settings from the environment; raise `SettingsError` with one sentence."""
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in setting_names():
            raise SettingsError(_unknown(name))
    try:
        return settings_of()
    except ValidationError as error:
        # The cause would carry the values.
        raise SettingsError(_sentence(error.errors(include_url=False)[0])) from None


def _demo_settings() -> Settings:
    """Take everything but the keys from the environment; if no currencies are named, Bitcoin."""
    agent = Agent.model_validate({"keys": (DEMO_AGENT_KEY,)})
    settings = Settings(
        callback_keys=(SecretStr(DEMO_CALLBACK_KEY),), agents={DEMO_AGENT_ID: agent}
    )
    currencies = settings.currencies or _DEMO_CURRENCIES
    return settings.model_copy(update={"currencies": currencies, "sandbox": "on"})


def _demo_agent_keys(settings: Settings) -> bool:
    """Whether an agent uses the demo's public key."""
    known = base64.urlsafe_b64decode(DEMO_AGENT_KEY + "=")
    return any(
        key.get_secret_value() == known for agent in settings.agents.values() for key in agent.keys
    )


def _refuse_weak_secrets(settings: Settings) -> None:
    """Refuse secrets that are placeholders or can be guessed; the message never quotes them."""
    for key in settings.callback_keys:
        fault = settings_parsing.secret_fault(key.get_secret_value(), CALLBACK_KEY_LENGTH_MIN)
        if fault is not None:
            raise SettingsError(f"{PREFIX}CALLBACK_KEYS must not have a key that {fault}.")
    for name, agent in settings.agents.items():
        if any(len(set(key.get_secret_value())) == 1 for key in agent.keys):
            raise SettingsError(
                f"{PREFIX}AGENTS must not have a key that is a placeholder, as the agent {name} "
                "has; `wallet agent key` makes one."
            )
    for name, url in (
        ("DATABASE_URL", settings.database_url),
        ("OWNER_DATABASE_URL", settings.owner_database_url),
        ("OPS_DATABASE_URL", settings.ops_database_url),
    ):
        if url is not None and settings_parsing.has_placeholder_password(url.get_secret_value()):
            raise SettingsError(f"{PREFIX}{name} must not have a password that is a placeholder.")


def _hold_the_demo_to_this_machine(settings: Settings) -> None:
    """Refuse to serve with public keys beyond this machine, or on a named database."""
    for name, host in (
        ("HOST", settings.host),
        ("PRIVATE_HOST", settings.private_host),
        ("BACKOFFICE_HOST", settings.backoffice_host),
    ):
        if not _is_loopback(host):
            raise SettingsError(
                f"{PREFIX}{name} must be a loopback address with --demo, whose keys are known to "
                "everybody."
            )
    if settings.database_url is not None or settings.owner_database_url is not None:
        raise SettingsError(
            f"{PREFIX}DATABASE_URL must not be set with --demo, which keeps data of its own."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _unknown(name: str) -> str:
    """Return a message that names an unknown variable, and the one that may be meant."""
    close = difflib.get_close_matches(name.upper(), setting_names(), n=1)
    meant = f"; did you mean {close[0]}?" if close else "."
    return f"{name} is not a setting of the wallet{meant}"


def _sentence(error: ErrorDetails) -> str:
    """Turn pydantic's finding into a sentence without the value."""
    name = PREFIX + str(error["loc"][0]).upper() if error["loc"] else ""
    if error["type"] == "missing" and len(error["loc"]) == 1:
        return f"{name} is missing, and the wallet does not start without it."
    said = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
    said = said[0].lower() + said[1:] if name else said
    return f"{name} {said}.".strip()
