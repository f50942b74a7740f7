"""Parsing of settings: lists, seconds, currencies, keys; each mistake is one sentence.

A message about a wrong value never quotes it, since it may be a secret.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

AGENT_KEY_BYTES = 32
"""A256GCM takes keys of 256 bits, no more and no less."""

PUBLIC_KEY_BYTES = 32
"""An Ed25519 key."""

WEBHOOK_SECRETS_MAX = 2
WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret begins with
WEBHOOK_SECRET_BYTES = range(24, 65)
"""By the Standard Webhooks specification."""

EVENT_TYPES = (
    "account.opened",
    "account.updated",
    "movement.posted",
    "movement.declined",
    "limit.hit",
    "round.settled",
    "alarm.raised",
    "events.voided",
)
"""The same as `LoggedType` of the wallet, which settings do not know; a test holds them equal."""

CURRENCY = re.compile(r"([A-Z][A-Z0-9]{1,11}):([0-8])", re.ASCII)
CURRENCY_CODE = re.compile(r"[A-Z][A-Z0-9]{1,11}", re.ASCII)
PERIOD_OF = re.compile(r"agent:[A-Za-z0-9_.-]{1,64}|currency:[A-Z][A-Z0-9]{1,11}", re.ASCII)
PRODUCT = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
"""The same as `PRODUCT` of the money rules, which settings do not know."""

GAME_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
AMOUNT = re.compile(r"([A-Z][A-Z0-9]{1,11}):([0-9]{1,18}(?:\.[0-9]{1,18})?)", re.ASCII)
SECONDS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?", re.ASCII)


PLACEHOLDER = re.compile(
    r"changeme|changethis|replaceme|replacethis|replacewith|placeholder|yourkey|yoursecret"
    r"|yourcallback|yourpassword|keyhere|secrethere|keyinuse"
)
"""What stands where a secret is to be put, as in deploy/example.env; letters alone are compared."""

DISTINCT_CHARACTERS_MIN = 4
"""A random key of 16 hexadecimal digits has fewer once in some hundreds of millions of times."""


class SettingsError(Exception):
    """The settings are not understood."""


def public_key_fault(text: str) -> str | None:
    """Say why a text is no public key that seals, or None."""
    try:
        raw = base64.b64decode(text.rstrip("=") + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != PUBLIC_KEY_BYTES:
        return "must be public keys of 43 characters of base64url, as `wallet seal key` prints them"
    return None


def secret_fault(secret: str, length_min: int) -> str | None:
    """Say why a secret is none, in words that go after "a key that"; None: it may be one."""
    if is_placeholder(secret):
        return "is a placeholder"
    if len(secret) < length_min:
        return f"is shorter than {length_min} characters"
    if len(set(secret)) < DISTINCT_CHARACTERS_MIN:
        return "repeats a few characters"
    return None


def is_placeholder(secret: str) -> bool:
    """Say whether this is what an example has where the secret goes."""
    letters = re.sub(r"[^a-z]", "", secret.lower())
    return PLACEHOLDER.search(letters) is not None


def has_placeholder_password(url: str) -> bool:
    """Say whether the password in an address was never changed."""
    authority = url.partition("://")[2].partition("/")[0]
    password = authority.rpartition("@")[0].partition(":")[2]
    return is_placeholder(unquote(password))


def words(value: object) -> object:
    """Split a comma-separated list; blanks around its members do not count."""
    if not isinstance(value, str):
        return value
    words = tuple(word.strip() for word in value.split(","))
    if "" in words:
        raise ValueError("must be a comma-separated list without empty members")
    return words


def currencies(value: object) -> object:
    """Read `BTC:8,USDT:6`: codes and their decimals."""
    if not isinstance(value, str):
        return value
    scales: dict[str, int] = {}
    for word in value.split(","):
        match = CURRENCY.fullmatch(word.strip())
        if match is None or match[1] in scales:
            raise ValueError(
                "must list each currency once, as code:decimals with 0 to 8 decimals, "
                "for instance BTC:8,USDT:6"
            )
        scales[match[1]] = int(match[2])
    return scales


def cooling_periods(value: object) -> object:
    """Read JSON: `agent:<id>` or `currency:<code>` → seconds."""
    if not isinstance(value, str):
        return value
    periods = _object_of(value)
    if periods is None or not all(
        PERIOD_OF.fullmatch(name) and type(seconds) is int for name, seconds in periods.items()
    ):
        raise ValueError(
            'must be a JSON object of seconds, such as {"agent:uk": 86400, "currency:INR": 604800}'
        )
    return periods


def games(value: object) -> object:
    """Read JSON: game id → product."""
    if not isinstance(value, str):
        return value
    products = _object_of(value)
    if products is None or not all(
        GAME_ID.fullmatch(game_id) and isinstance(product, str) and PRODUCT.fullmatch(product)
        for game_id, product in products.items()
    ):
        raise ValueError(
            'must be a JSON object of game ids and products, such as {"1037566": "sport"}'
        )
    return {int(game_id): product for game_id, product in products.items()}


def time_zone(value: str) -> str:
    """Hold the name of a time zone to the IANA database."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be an IANA time zone such as UTC or Europe/London") from None
    return value


def _object_of(value: str) -> dict[str, object] | None:
    """Read a JSON object that names no member twice; None: it is none."""
    try:
        read = json.loads(value, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def amounts(value: object) -> object:
    """Read `USD:5.00,JPY:500`: currencies and an amount of each, in major units."""
    if not isinstance(value, str):
        return value
    by_currency: dict[str, str] = {}
    for word in value.split(","):
        match = AMOUNT.fullmatch(word.strip())
        if match is None or match[1] in by_currency:
            raise ValueError(
                "must list each currency once, as code:amount, for instance USD:5.00,JPY:500"
            )
        by_currency[match[1]] = match[2]
    return by_currency


def seconds(value: object) -> object:
    """Read plain decimal seconds: no sign, no exponent."""
    if isinstance(value, str) and not SECONDS.fullmatch(value.strip()):
        raise ValueError("must be seconds, for instance 10 or 2.5")
    return value


def agent_key(value: object) -> object:
    """Read one base64url key; what is told about a wrong one does not quote it."""
    if not isinstance(value, str):
        raise ValueError("must give every key as base64url text")  # noqa: TRY004 — told as one
    bare = value.rstrip("=")
    try:
        key = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != AGENT_KEY_BYTES or base64.urlsafe_b64encode(key).decode().rstrip("=") != bare:
        raise ValueError("must give every key as 256 bits of base64url, which is 43 characters")
    return key


def agents(value: object) -> object:
    """Read JSON: agent id → list of keys, or → {"keys": […], "networks": […]}."""
    if not isinstance(value, str):
        return value
    try:
        agents = json.loads(value, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        agents = None
    if not isinstance(agents, dict):
        raise ValueError('must be a JSON object such as {"agent": ["base64url key"]}')  # noqa: TRY004
    return {
        name: {"keys": tuple(given)} if isinstance(given, list) else given
        for name, given in agents.items()
    }


def webhooks(value: object) -> object:
    """Read JSON: agent id → {"url": …, "secret": …, "types": […], "networks": […]}."""
    if not isinstance(value, str):
        return value
    endpoints = _object_of(value)
    if endpoints is None or not all(isinstance(given, dict) for given in endpoints.values()):
        raise ValueError(
            'must be a JSON object such as {"agent": {"url": "https://…", "secret": "whsec_…"}}'
        )
    return endpoints


def event_type(value: str) -> str:
    """Hold the name of a type of events to those there are."""
    if value not in EVENT_TYPES:
        raise ValueError(f"must name types of events by {', '.join(EVENT_TYPES)}")
    return value


def webhook_url(value: str) -> str:
    """Hold an endpoint's address to https, or to http on this machine."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
        parts = urlsplit("")
    is_whole = (
        value.isascii()
        and value.isprintable()
        and " " not in value
        and host != ""
        and port != 0
        and parts.username is None
        and not parts.fragment
    )
    is_here = host == "localhost" or _is_loopback(host)
    if not is_whole or not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
        raise ValueError(
            "must give every url as https://host/path, without a user or a fragment; http:// works"
            " on this machine only"
        )
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def webhook_secrets(value: object) -> object:
    """Read one secret, or a list of two while one is being changed."""
    secrets = (value,) if isinstance(value, str) else value
    if not isinstance(secrets, list | tuple) or not 1 <= len(secrets) <= WEBHOOK_SECRETS_MAX:
        raise ValueError("must give every endpoint one secret, or a list of two while it changes")
    for secret in secrets:
        if not isinstance(secret, str) or not _is_webhook_secret(secret):
            raise ValueError(
                "must give every secret as whsec_ and the base64 of 24 to 64 bytes, as"
                " `wallet agent webhook-secret` makes it"
            )
    return tuple(secrets)


def _is_webhook_secret(secret: str) -> bool:
    if not secret.startswith(WEBHOOK_SECRET_PREFIX):
        return False
    try:
        key = base64.b64decode(secret[len(WEBHOOK_SECRET_PREFIX) :], validate=True)
    except (binascii.Error, ValueError):
        return False
    is_random = len(set(key)) >= DISTINCT_CHARACTERS_MIN and not is_placeholder(secret)
    return len(key) in WEBHOOK_SECRET_BYTES and is_random


def platform_keys(value: object) -> object:
    """Read a JWK set: public keys on P-256 (ES256) or Ed25519 (EdDSA)."""
    if not isinstance(value, str):
        return value
    # Few have such keys, and the library takes a part of every other command's start.
    from joserfc.errors import JoseError  # noqa: PLC0415

    try:
        keys = json.loads(value, object_pairs_hook=_once)["keys"]
        return tuple(_public_jwk(key) for key in keys)
    except (ValueError, RecursionError, TypeError, KeyError, JoseError):
        raise ValueError(
            'must be a JWK set, {"keys": […]}, of public keys on P-256 or Ed25519'
        ) from None


def _public_jwk(key: Mapping[str, str]) -> dict[str, str]:
    """Hold one key to what the platform's tokens may be signed with; a private one is refused."""
    from joserfc.jwk import ECKey, OKPKey  # noqa: PLC0415 - as above

    names = {"EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}[key["kty"]]
    members: dict[str, str | list[str]] = {name: key[name] for name in names}
    if members["crv"] not in {"P-256", "Ed25519"} or "d" in key:
        raise ValueError
    # A point that is not on the curve is found here.
    _ = (ECKey if key["kty"] == "EC" else OKPKey).import_key(members).public_key
    return {name: str(key[name]) for name in (*names, "kid") if name in key}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a JSON object that names a member twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is given twice")
    return members
