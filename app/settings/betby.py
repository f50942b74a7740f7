"""Settings of Betby's own contract: brands, keys, tolerance, and what its guide leaves open."""

import json
import warnings
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic_settings import NoDecode

from app.settings.group import SettingsGroup
from app.settings_parsing import CURRENCY_CODE

BETBY_SOURCE = "betby"
"""The source of Betby's movements in the journal; an agent of that name would share its keys."""

ALGORITHMS = ("RS256", "ES256")
RSA_BITS_MIN = 2048
TOLERANCE_SECONDS_MAX = 300
SCALE_MAX = 18
NO_DEBIT = ("freebet_refund", "freebet_freemoney")
"""The free bets whose stake is the operator's: the player pays nothing."""

_NAMES = {
    "brands",
    "keys",
    "signing_key",
    "issuer",
    "clock_tolerance_seconds",
    "scales",
    "no_debit",
    "bonus_wins_to",
    "jwt_status",
}


class BetbyKey(BaseModel):
    """A public key that Betby signs with, and the one algorithm that it is used for."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kid: str | None
    alg: Literal["RS256", "ES256"]
    jwk: Mapping[str, str]


class Betby(BaseModel):
    """Betby's door: who calls it, and what its guide leaves open."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    brands: tuple[str, ...]
    """the brand ids that calls are for (`aud`); tokens for the game are issued by the first"""
    keys: tuple[BetbyKey, ...]
    signing_key: SecretStr
    """our private key for those tokens: a JWK on P-256, as JSON text"""
    issuer: str | None
    """who signs calls (`iss`); None: anybody who has the key"""
    clock_tolerance_seconds: int
    scales: Mapping[str, int]
    """decimals of Betby's unit of a currency, where they are not the currency's own"""
    no_debit: tuple[str, ...]
    """the kinds of bonus whose stake moves nothing"""
    bonus_wins_to: Literal["real", "bonus"]
    """the pocket of a win that names a bonus; real: as the bet had been paid"""
    jwt_status: Literal[400, 401, 403]
    """the HTTP status of a call whose signature or claims are not accepted"""


def read_betby(value: object) -> object:
    """Read the JSON of the setting; raise ValueError with what must be changed, never a value."""
    if not isinstance(value, str):
        return value
    try:
        said = json.loads(value, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise ValueError("must be a JSON object with brands, keys and signing_key")  # noqa: TRY004
    unknown = sorted(set(said) - _NAMES)
    if unknown:
        raise ValueError(f"knows no member of this name: its members are {', '.join(_SORTED)}")
    return Betby(
        brands=_texts(said.get("brands"), "brands", "brand ids"),
        keys=_keys(said.get("keys")),
        signing_key=SecretStr(_signing_key(said.get("signing_key"))),
        issuer=_issuer(said.get("issuer")),
        clock_tolerance_seconds=_tolerance(said.get("clock_tolerance_seconds", 15)),
        scales=_scales(said.get("scales", {})),
        no_debit=_texts(
            said.get("no_debit", list(NO_DEBIT)), "no_debit", "kinds of bonus", least=0
        ),
        bonus_wins_to=_choice(said.get("bonus_wins_to", "real"), "bonus_wins_to", "real", "bonus"),
        jwt_status=_status(said.get("jwt_status", 400)),
    )


_SORTED = sorted(_NAMES)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _texts(value: object, name: str, what: str, *, least: int = 1) -> tuple[str, ...]:
    is_list = isinstance(value, list) and len(value) >= least
    if not is_list or not all(isinstance(each, str) and each for each in value or ()):  # type: ignore[attr-defined]  # a list
        raise ValueError(f"must have {name}, a list of {what} as texts")
    return tuple(map(str, value))  # type: ignore[call-overload]  # a list, as was checked


def _issuer(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError("must have an issuer that is a text, or none")
    return value


def _tolerance(value: object) -> int:
    if type(value) is not int or not 0 <= value <= TOLERANCE_SECONDS_MAX:
        raise ValueError(
            f"must have clock_tolerance_seconds between 0 and {TOLERANCE_SECONDS_MAX}, a number"
        )
    return value


def _scales(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or not all(
        CURRENCY_CODE.fullmatch(code) and type(scale) is int and 0 <= scale <= SCALE_MAX
        for code, scale in value.items()
    ):
        raise ValueError(
            'must have scales that say the decimals of Betby\'s unit, such as {"BTC": 8}'
        )
    return value


def _choice(value: object, name: str, *choices: str) -> Literal["real", "bonus"]:
    if value not in choices:
        raise ValueError(f"must have {name} that is {' or '.join(choices)}")
    return "bonus" if value == "bonus" else "real"


def _status(value: object) -> Literal[400, 401, 403]:
    match value:
        case 400:
            return 400
        case 401:
            return 401
        case 403:
            return 403
        case _:
            pass
    raise ValueError("must have a jwt_status of 400, 401 or 403")


def _keys(value: object) -> tuple[BetbyKey, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('must have keys, a list such as [{"kid": …, "alg": "RS256", "pem": …}]')
    keys = tuple(_key(each) for each in value)
    kids = [key.kid for key in keys]
    if len(set(kids)) != len(kids):
        raise ValueError("must have keys of different kid")
    return keys


def _key(value: object) -> BetbyKey:
    # Few have such keys, and the library takes a part of every other command's start.
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415
    from joserfc.jwk import ECKey, RSAKey  # noqa: PLC0415

    fault = ValueError(
        "must have keys with alg RS256 or ES256 and a public key of that kind (RSA of 2048 bits or "
        "more, or P-256), as pem or as the members of a JWK"
    )
    if not isinstance(value, dict) or value.get("alg") not in ALGORITHMS or "d" in value:
        raise fault
    kind, kid = (RSAKey if value["alg"] == "RS256" else ECKey), value.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise fault
    pem = value.get("pem")
    members = {name: text for name, text in value.items() if name not in {"alg", "kid", "pem"}}
    try:
        with warnings.catch_warnings():
            # A key that is too short is refused here, in a sentence.
            warnings.simplefilter("ignore", SecurityWarning)
            key = kind.import_key(pem if isinstance(pem, str) else members)
        public = key.as_dict(private=False)
        is_strong = (
            key.public_key.key_size >= RSA_BITS_MIN
            if isinstance(key, RSAKey)
            else public.get("crv") == "P-256"
        )
        if not is_strong or (isinstance(pem, str) and (key.is_private or members)):
            raise fault
    except (JoseError, ValueError, TypeError, KeyError):
        raise fault from None
    return BetbyKey(
        kid=kid,
        alg=value["alg"],
        jwk={
            name: str(public[name]) for name in ("kty", "crv", "x", "y", "n", "e") if name in public
        },
    )


def _signing_key(value: object) -> str:
    from joserfc.errors import JoseError  # noqa: PLC0415 - as above
    from joserfc.jwk import ECKey  # noqa: PLC0415

    fault = ValueError("must have a signing_key, a private JWK on P-256 (ES256)")
    if not isinstance(value, dict) or value.get("crv") != "P-256" or "d" not in value:
        raise fault
    names = ("kty", "crv", "x", "y", "d", "kid")
    members = {name: value[name] for name in names if name in value}
    try:
        _ = ECKey.import_key(members).private_key
    except (JoseError, ValueError, TypeError, KeyError):
        raise fault from None
    return json.dumps(members)


class BetbySettings(SettingsGroup):
    """The door of Betby's own contract, which is closed unless `betby` is set."""

    betby: Annotated[Betby | None, NoDecode, BeforeValidator(read_betby)] = None
    """Betby's own contract under /betby/, as JSON: brands, keys, signing_key and more; unset: this
    contract is not served."""

    betby_repeated_make: Literal["replay", "refuse"] = "replay"
    """The answer to a repeat of a bet that Betby made: the first answer again, or code 2004."""
