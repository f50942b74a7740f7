"""JWTs in and out: Betby's calls are verified, and the tokens that games are launched with signed.

1. `kid` names the key; a token that names none is verified with the only key there is.
2. The key has one algorithm, and the token's must be that: neither `none` nor a public key used as
   a shared secret can pass.
3. The claims: `aud` has a brand of ours, `exp` is to come, `iat` is not; `jti` and `iss` are there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from app.cashier.players import IssuedToken
from app.edges.betby.codes import NotSignedError
from app.edges.http import BODY_BYTES_MAX
from app.edges.wire import Member, NotUnderstoodError, Number, b64url, read_members
from app.wallet.identifiers import is_identifier
from app.wallet.journal import EPOCH

ALGORITHMS: Final = ("RS256", "ES256")

PARTS: Final = 3
"""A compact JWS has a header, a payload and a signature."""

HEADER_CHARACTERS_MAX: Final = 4096

SIGNATURE_CHARACTERS_MAX: Final = 4096
"""An RSA key of 16384 bits signs with 2731."""


def _registry(algorithm: str) -> jws.JWSRegistry:
    """Return what allows this algorithm alone, up to the size of a body (`edges.http`)."""
    # A header that is not critical and that nobody here knows says nothing.
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = HEADER_CHARACTERS_MAX
    registry.max_payload_length = BODY_BYTES_MAX
    registry.max_signature_length = SIGNATURE_CHARACTERS_MAX
    return registry


_REGISTRIES: Final = {algorithm: _registry(algorithm) for algorithm in ALGORITHMS}


class PublicKey(NamedTuple):
    """A key of Betby's, and the one algorithm that it is used for."""

    kid: str | None
    algorithm: str
    key: RSAKey | ECKey

    @classmethod
    def of(cls, kid: str | None, algorithm: str, jwk: Mapping[str, str]) -> "PublicKey":
        """Import a public JWK."""
        members: dict[str, str | list[str]] = dict(jwk)
        kind = RSAKey if algorithm == "RS256" else ECKey
        return cls(kid, algorithm, kind.import_key(members))


class Verifier:
    """Verifies the calls of Betby."""

    def __init__(
        self,
        keys: Sequence[PublicKey],
        brands: Sequence[str],
        *,
        issuer: str | None,
        tolerance: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        """`issuer`: who must have signed, None: anybody with a key; `clock` is UTC."""
        self._keys = tuple(keys)
        self._brands = frozenset(brands)
        self._issuer = issuer
        self._tolerance = tolerance
        self._clock = clock

    def payload_of(self, token: str) -> Member:
        """Return the claim `payload` of a call; raise NotSignedError if it is not Betby's."""
        claims = self._claims(token)
        self._check(claims)
        if "payload" not in claims:
            raise NotSignedError("the JWT has no claim payload")
        return claims["payload"]

    def _claims(self, token: str) -> Mapping[str, Member]:
        parts = token.split(".")
        if len(parts) != PARTS or len(parts[0]) > HEADER_CHARACTERS_MAX:
            raise NotSignedError("payload is not a compact JWT")
        try:
            header = read_members(b64url(parts[0]))
        except (ValueError, NotUnderstoodError):
            raise NotSignedError("the JWT's header is not a JSON object") from None
        key = self._key_named(_text(header, "kid"))
        if _text(header, "alg") != key.algorithm or "crit" in header:
            raise NotSignedError("the JWT's alg is not the key's")
        try:
            signed = jws.deserialize_compact(token, key.key, registry=_REGISTRIES[key.algorithm])
            return read_members(signed.payload)
        except (JoseError, ValueError, TypeError):
            raise NotSignedError("the JWT's signature is not of the key") from None
        except NotUnderstoodError:
            raise NotSignedError("the JWT's claims are not a JSON object") from None

    def _key_named(self, kid: str | None) -> PublicKey:
        if kid is None and len(self._keys) == 1:
            return self._keys[0]
        for key in self._keys:
            if kid is not None and key.kid == kid:
                return key
        raise NotSignedError("the JWT's kid names no key")

    def _check(self, claims: Mapping[str, Member]) -> None:
        audience = claims["aud"].value if "aud" in claims else None
        audiences = audience if isinstance(audience, list) else [audience]
        texts = {each for each in audiences if isinstance(each, str) and type(each) is not Number}
        if not texts & self._brands:
            raise NotSignedError("the JWT's aud is no brand of ours")
        issuer = _text(claims, "iss")
        if issuer is None or self._issuer not in {None, issuer}:
            raise NotSignedError("the JWT's iss is not the one expected")
        jti = _text(claims, "jti")
        if jti is None or not is_identifier(jti):
            raise NotSignedError("the JWT has no jti")
        now = Decimal((self._clock() - EPOCH) // timedelta(microseconds=1)) / 1_000_000
        tolerance = Decimal(self._tolerance // timedelta(seconds=1))
        expires_at, issued_at = _seconds(claims, "exp"), _seconds(claims, "iat")
        begins_at = _seconds(claims, "nbf") if "nbf" in claims else issued_at
        if expires_at is None or issued_at is None or begins_at is None:
            raise NotSignedError("the JWT has no moments exp and iat")
        if expires_at <= now - tolerance:
            raise NotSignedError("the JWT has expired")
        if max(issued_at, begins_at) > now + tolerance:
            raise NotSignedError("the JWT is of a moment to come")


class LaunchTokens:
    """Signs the tokens that a game is launched with; the session's own token is the `jti`."""

    def __init__(self, brand: str, key: str) -> None:
        """`key`: a private JWK on P-256, as JSON text."""
        self._brand = brand
        self._key = ECKey.import_key(json.loads(key))

    def sign(self, issued: IssuedToken) -> str:
        """Return the token of a session."""
        player = issued.player
        header = {"alg": "ES256", "typ": "JWT"}
        kid = self._key.as_dict(private=False).get("kid")
        if isinstance(kid, str):
            header["kid"] = kid
        claims = {
            "iss": self._brand,
            "sub": player.user_id,
            "name": player.nickname,
            "iat": (player.now - EPOCH) // timedelta(seconds=1),
            "exp": (issued.expires_at - EPOCH) // timedelta(seconds=1),
            "jti": issued.token,
            "lang": player.language,
            "currency": player.currency.code,
        }
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])

    def session_of(self, token: str) -> str:
        """Return the session's own token of one that was signed here, expired or not.

        ValueError: it was signed elsewhere.
        """
        try:
            claims = jwt.decode(token, self._key, algorithms=["ES256"]).claims
        except (JoseError, TypeError):
            raise ValueError("the token was signed elsewhere") from None
        jti = claims.get("jti")
        if not isinstance(jti, str):
            raise ValueError("the token has no jti")  # noqa: TRY004 - not a wrong type
        return jti


def _text(members: Mapping[str, Member], name: str) -> str | None:
    value = members[name].value if name in members else None
    return value if isinstance(value, str) and not isinstance(value, Number) else None


def _seconds(claims: Mapping[str, Member], name: str) -> Decimal | None:
    value = claims[name].value if name in claims else None
    if not isinstance(value, Number):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None
