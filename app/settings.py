"""The settings, typed: environment variables named WALLET_…; secrets have no default.

Only the composition, the server and the console read settings; everybody else receives what it
needs. `load_settings` turns whatever is wrong into one sentence that names the variable and never
quotes a value, since values may be secrets.
"""

import base64
import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretBytes,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app import settings_parsing
from app.database_url import connect_arguments
from app.settings_parsing import SettingsError

PREFIX = "WALLET_"

AGENT_KEYS_MAX = 2
"""The key in use and, while it is being changed, the next one."""

AGENT_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
CALLBACK_SOURCE = "callback"
"""The source of the game side in the journal; an agent of that name would share its keys."""

CALLBACK_KEY_LENGTH_MIN = 16
"""A signature is as good as its key; a shorter one may be found by trying."""

DATABASE_SCHEMES = ("postgresql+asyncpg", "postgresql", "postgres")

DEMO_CALLBACK_KEY = "demo-callback-key-known-to-everybody"
DEMO_AGENT_ID = "demo"
DEMO_AGENT_KEY = base64.urlsafe_b64encode(b"a demo key that everybody knows!").decode().rstrip("=")
_DEMO_CURRENCIES = {"BTC": 8}


def agent_fault(name: str) -> str | None:
    """Return what is wrong with an agent's id, or None; for the settings and the console."""
    if not AGENT_ID.fullmatch(name):
        return "must name agents by 1 to 64 of the characters A-Z a-z 0-9 _ . -"
    if name.lower() == CALLBACK_SOURCE:
        return f"must not name an agent {CALLBACK_SOURCE}"
    return None


T = TypeVar("T")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(settings_parsing.words)]
Port = Annotated[int, Field(ge=0, le=65535)]
AgentKey = Annotated[SecretBytes, BeforeValidator(settings_parsing.agent_key)]
EventType = Annotated[str, AfterValidator(settings_parsing.event_type)]
Seconds = Annotated[int, Field(ge=1, le=366 * 86400)]


class Agent(BaseModel):
    """One operator's platform: its keys, and the networks it may call from (none named: any)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: Annotated[tuple[AgentKey, ...], Field(min_length=1, max_length=AGENT_KEYS_MAX)]
    networks: tuple[Network, ...] = ()


class Webhook(BaseModel):
    """Where one operator's platform hears of events, and what signs them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(settings_parsing.webhook_url)]
    secret: Annotated[tuple[SecretStr, ...], BeforeValidator(settings_parsing.webhook_secrets)]
    types: tuple[EventType, ...] = settings_parsing.EVENT_TYPES
    networks: tuple[Network, ...] = ()


class DatabaseSettings(BaseSettings):
    """The settings of a command that uses the database and does not serve: no keys."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_default=False,
    )

    database_url: SecretStr | None = None
    """Where the service finds its database; unset: the embedded PostgreSQL."""

    owner_database_url: SecretStr | None = None
    """The same database for `wallet migrate`, as the role that owns it; unset: as the service."""

    reports_database_url: SecretStr | None = None
    """A replica of the database for long reads (reports, the audit); unset: the database itself.
    No decision about money is ever read there."""

    ops_database_url: SecretStr | None = None
    """The same database, or a replica, for the back office's reading, as the role wallet_ops."""

    data_dir: Path = Path(".wallet")
    """Where the embedded PostgreSQL keeps its data."""

    adjust_solo_max: Annotated[
        Mapping[str, str], NoDecode, BeforeValidator(settings_parsing.amounts)
    ] = {}
    """What one person alone may move by an adjustment, as code:amount; unset: nothing."""

    seal_key: Path | None = None
    """The file of the private key that seals the ledger; unset: it is not sealed."""

    seal_to: Path | None = None
    """The file outside the database that every seal is appended to."""

    seal_keys_known: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(settings_parsing.words)
    ] = ()
    """Public keys that sealed before, comma-separated, for `wallet audit`."""

    @model_validator(mode="after")
    def _sealing_is_whole(self) -> Self:
        """Check that a seal would be kept in both places."""
        if (self.seal_key is None) is not (self.seal_to is None):
            raise ValueError("WALLET_SEAL_KEY and WALLET_SEAL_TO must be set together")
        return self

    @field_validator("seal_keys_known")
    @classmethod
    def _are_public_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Check that each is a public key."""
        for key in value:
            fault = settings_parsing.public_key_fault(key)
            if fault is not None:
                raise ValueError(fault)
        return value

    @field_validator(
        "database_url", "owner_database_url", "reports_database_url", "ops_database_url"
    )
    @classmethod
    def _is_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        """Accept the usual URL schemes, and refuse addresses that cannot be used."""
        if value is None:
            return None
        scheme, separator, rest = value.get_secret_value().partition("://")
        if scheme not in DATABASE_SCHEMES or not separator or not rest:
            raise ValueError("must be an address such as postgresql://role:password@host/database")
        url = f"{DATABASE_SCHEMES[0]}://{rest}"
        connect_arguments(url)
        return SecretStr(url)


class Settings(DatabaseSettings):
    """The settings of a server; read once, at the start, and never changed."""

    host: str = "127.0.0.1"
    """The address the two contracts listen on."""

    port: Port = 8080
    """The port the two contracts listen on."""

    private_host: str = "127.0.0.1"
    """The address that metrics and health listen on."""

    private_port: Port = 8081
    """The port that metrics and health listen on."""

    backoffice_host: str = "127.0.0.1"
    """The address the back office listens on."""

    backoffice_port: Port = 8082
    """The port the back office listens on."""

    callback_keys: Annotated[
        tuple[SecretStr, ...], NoDecode, BeforeValidator(settings_parsing.words)
    ]
    """The keys that sign the callback API, comma-separated; several while one is being changed."""

    agents: Annotated[Mapping[str, Agent], NoDecode, BeforeValidator(settings_parsing.agents)] = {}
    """The transfer API's callers, as JSON: agent id → list of one or two base64url 256-bit keys, or
    → {"keys": […], "networks": ["10.0.0.0/8"]}."""

    webhooks: Annotated[
        Mapping[str, Webhook], NoDecode, BeforeValidator(settings_parsing.webhooks)
    ] = {}
    """Where `wallet deliver` sends events, as JSON: agent id → {"url": …, "secret": …}; `types` and
    `networks` are optional."""

    deliver_port: Port = 8090
    """The port that metrics and health of `wallet deliver` listen on, at the private host."""

    duplicate_reply: Literal["conflict", "replay"] = "conflict"
    """The answer to a repeat of an accepted movement: code 409, or the first answer again."""

    key_scope: Literal["transaction", "transaction_event"] = "transaction"
    """What makes a movement the same: its transactionId, or that with eventType and direction."""

    stake_order: Literal["real_first", "bonus_first"] = "real_first"
    """Which pocket a stake is taken from first."""

    overtaken_bet: Literal["refuse", "flag"] = "refuse"
    """What is done with a bet whose abort came before it; stored at the ledger's first start."""

    overtaken_seconds: Annotated[int, Field(ge=0, le=86400)] = 600
    """How long after its abort a bet is taken to be the voided one."""

    sport_game_id: Annotated[int, Field(ge=0, lt=10**18)] | None = None
    """The one gameId of all sports bets; unset: sport is not told apart."""

    trusted_networks: Networks = ()
    """The networks the callback API may be called from, comma-separated; unset: any."""

    proxy_networks: Networks = ()
    """The networks of our own TLS front, whose X-Forwarded-For is believed; unset: nobody's."""

    deadline_seconds: Annotated[
        Decimal, BeforeValidator(settings_parsing.seconds), Field(gt=0, le=60)
    ] = Decimal(10)
    """How long a request may take; a movement not begun by then is dropped."""

    token_life_seconds: Seconds = 86400
    """How long a player's token lives."""

    token_renewal: Literal["fixed", "sliding"] = "fixed"  # noqa: S105 — no secret, a choice
    """Whether a token's life begins once, or anew each time it is used."""

    platform_issuer: Annotated[str, Field(min_length=1)] | None = None
    """Who signs players' tokens on the operator's own platform (JWT `iss`); unset: nobody does."""

    platform_audience: Annotated[str, Field(min_length=1)] | None = None
    """For whom those tokens are signed (JWT `aud`)."""

    platform_keys: Annotated[
        tuple[Mapping[str, str], ...], NoDecode, BeforeValidator(settings_parsing.platform_keys)
    ] = ()
    """What those tokens are verified with: a JWK set of public keys, P-256 (ES256) or Ed25519
    (EdDSA), each with a `kid` while one is being changed."""

    currencies: Annotated[
        Mapping[str, int], NoDecode, BeforeValidator(settings_parsing.currencies)
    ] = {}
    """Currencies beside the contract's, as code:decimals, for instance BTC:8,USDT:6."""

    limit_cooling_seconds: Annotated[int, Field(ge=0, le=366 * 86400)] = 86400
    """How long a raised limit waits; a lowered one holds at once."""

    limit_cooling_by: Annotated[
        Mapping[str, Annotated[int, Field(ge=0, le=366 * 86400)]],
        NoDecode,
        BeforeValidator(settings_parsing.cooling_periods),
    ] = {}
    """Other periods, as JSON: {"agent:uk": 86400, "currency:INR": 604800}; the longer one rules."""

    limit_raise: Literal["confirm", "automatic"] = "confirm"
    """Whether a raised limit must be confirmed when it has waited, or then holds by itself."""

    limit_zone: Annotated[str, AfterValidator(settings_parsing.time_zone)] = "UTC"
    """The IANA time zone whose days limits count in; stored at the ledger's first start."""

    deposit_check: Literal["optional", "required"] = "optional"
    """Whether a deposit needs a check that allowed it."""

    games: Annotated[Mapping[int, str], NoDecode, BeforeValidator(settings_parsing.games)] = {}
    """What games are, as JSON: {"1037566": "sport"}; the ledger keeps a name that it has."""

    clock_window_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """How far an agent's clock may be from ours."""

    transfer_op: Literal["required", "optional"] = "required"
    """Whether an agent's envelope names its operation (`op`), and has an id (`jti`) where what it
    asks takes effect once; optional: for this release, those that do not are admitted."""

    fast_path: Literal["on", "off"] = "on"
    """Whether moveFunds is answered without the framework; off: everything goes through it."""

    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """How many server processes share the port."""

    lanes: Annotated[int, Field(ge=1, le=32)] = 1
    """How many queues of movements one process serves at once."""

    pool_size: Annotated[int, Field(ge=3, le=100)] = 8
    """How many database connections one process opens, two for each lane included."""

    sandbox: Literal["on", "off"] = "off"
    """Whether the money is not real; on: every answer says so, and simulations are let in."""

    expect_sync: Literal["on", "off"] = "off"
    """Whether a synchronous standby is expected; on: the service says so wherever there is none."""

    @property
    def deadline(self) -> timedelta:
        """The deadline as a duration."""
        return timedelta(microseconds=int(self.deadline_seconds * 1_000_000))

    @property
    def demo(self) -> bool:
        """Whether the keys are those that everybody knows."""
        return DEMO_CALLBACK_KEY in {key.get_secret_value() for key in self.callback_keys}

    @field_validator("agents", "webhooks")
    @classmethod
    def _are_agents(cls, value: Mapping[str, T]) -> Mapping[str, T]:
        """Check that the agents' ids can be distinguished in the journal."""
        for name in value:
            fault = agent_fault(name)
            if fault is not None:
                raise ValueError(fault)
        return value

    @model_validator(mode="after")
    def _platform_is_whole(self) -> Self:
        """Check that either all or none of the platform's settings are given."""
        parts = (self.platform_issuer, self.platform_audience, self.platform_keys)
        if any(parts) and not all(parts):
            raise ValueError(
                "WALLET_PLATFORM_ISSUER, WALLET_PLATFORM_AUDIENCE and WALLET_PLATFORM_KEYS "
                "must be set together"
            )
        return self

    @model_validator(mode="after")
    def _pool_holds_the_lanes(self) -> Self:
        """Check that the lanes leave a connection for reads."""
        if self.pool_size <= 2 * self.lanes:
            raise ValueError("WALLET_POOL_SIZE must be larger than twice WALLET_LANES")
        return self


class ConsoleSettings(Settings):
    """The settings of console commands, which need no callback key."""

    callback_keys: Annotated[
        tuple[SecretStr, ...], NoDecode, BeforeValidator(settings_parsing.words)
    ] = ()
    """The keys of the callback API, if there are any."""


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
