"""Settings of those who call and are called: keys, networks, tokens, webhooks."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretBytes,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from app import settings_parsing
from app.settings.group import Seconds, SettingsGroup

AGENT_KEYS_MAX = 2
"""The key in use and, while it is being changed, the next one."""

AGENT_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
CALLBACK_SOURCE = "callback"
"""The source of the game side in the journal; an agent of that name would share its keys."""


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
AgentKey = Annotated[SecretBytes, BeforeValidator(settings_parsing.agent_key)]
EventType = Annotated[str, AfterValidator(settings_parsing.event_type)]


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


class CallerSettings(SettingsGroup):
    """Who calls the two contracts, who plays with which tokens, and where events are sent."""

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

    request_keys: Annotated[
        tuple[AgentKey, ...], NoDecode, BeforeValidator(settings_parsing.words)
    ] = ()
    """Keys that seal the archived requests of moveFunds, comma-separated: base64url of 256 bits;
    the first one seals, all open. Unset: requests are not kept."""

    request_days: Annotated[int, Field(ge=1, le=36600)] = 90
    """How many days archived requests are kept."""

    trusted_networks: Networks = ()
    """The networks the callback API may be called from, comma-separated; unset: any."""

    proxy_networks: Networks = ()
    """The networks of our own TLS front, whose X-Forwarded-For is believed; unset: nobody's."""

    clock_window_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """How far an agent's clock may be from ours."""

    transfer_op: Literal["required", "optional"] = "required"
    """Whether an agent's envelope names its operation (`op`), and has an id (`jti`) where what it
    asks takes effect once; optional: for this release, those that do not are admitted."""

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
