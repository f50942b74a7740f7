"""Tokens that the operator's own platform signs: JWT, ES256 or EdDSA, under configured keys.

`register` is called with the token of an authenticated request, before the ledger looks it up. A
token seen for the first time is verified, and its hash stored with its player: from then on it is
like any other token, and a win that comes late is never refused for an unknown one. A token that
does not verify is not stored, so the ledger refuses it as unknown.

The algorithm is determined by the key, never by the token, which excludes `none` and the use of a
public key as a shared secret.
"""

import base64
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey

from app.cashier.players import register_external_token, token_hash
from app.edges.wire import JsonValue, Member, NotUnderstoodError, Number, read_members
from app.ledger.errors import DeadlineError
from app.ledger.transaction import Ledger
from app.wallet.journal import EPOCH
from app.wallet.moments import LATEST_SECONDS

ALGORITHMS: Final = {"ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}
"""The algorithms, each with the key type and curve that verify it."""

DOTS: Final = 2
"""A JWT has three parts; a token of ours has no dot at all."""

CLOCK_SKEW: Final = timedelta(seconds=60)
"""How far the platform's clock may be ahead of ours."""

KNOWN_MAX: Final = 100_000
"""Hashes of stored tokens cached in this process, 32 bytes each, to save a database query."""

PublicKey = ECKey | OKPKey


class Claims(NamedTuple):
    """The claims of a verified token."""

    subject: str
    """the player's userId"""
    expires_at: datetime


class PlatformTokens:
    """Verifies and registers the platform's tokens."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        issuer: str,
        audience: str,
        keys: Iterable[Mapping[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        """`keys` are public JWKs on P-256 or Ed25519, each may have a `kid`; `clock` is UTC."""
        self._ledger = ledger
        self._issuer = issuer
        self._audience = audience
        self._keys = [(key.get("kty"), key.get("kid"), _public_key(key)) for key in keys]
        self._clock = clock
        self._known: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    async def register(self, user_id: str, token: str, *, deadline: timedelta) -> timedelta:
        """Store the hash of a token that the platform signed, at its first use.

        Returns what is left of the deadline. Raises DeadlineError, LedgerBusyError or
        LedgerAwayError.
        """
        began = time.monotonic_ns()
        await self._register(user_id, token, deadline)
        left = deadline - timedelta(microseconds=(time.monotonic_ns() - began) // 1000)
        if left <= timedelta(0):
            raise DeadlineError
        return left

    async def _register(self, user_id: str, token: str, deadline: timedelta) -> None:
        if token.count(".") != DOTS:
            return
        known = (user_id, token_hash(token))
        if known in self._known:
            return
        claims = self.verified(token)
        if claims is None or claims.subject != user_id:
            return
        if not await register_external_token(
            self._ledger, user_id, token, claims.expires_at, deadline=deadline
        ):
            return
        self._known[known] = None
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def verified(self, token: str) -> Claims | None:
        """Return the token's claims if the platform signed it for us, expired or not; else None."""
        try:
            header = read_members(_segment(token))
            algorithm = _text(header, "alg")
            kid = header["kid"].value if "kid" in header else None
            if algorithm not in ALGORITHMS or "crit" in header:
                return None
            kind, _ = ALGORITHMS[algorithm]
            for kty, name, key in self._keys:
                if kty == kind and (kid is None or name is None or kid == name):
                    payload = _payload(token, key, algorithm)
                    if payload is not None:
                        return self._claims(read_members(payload))
        except (NotUnderstoodError, ValueError):
            pass
        return None

    def _claims(self, claims: Mapping[str, Member]) -> Claims | None:
        subject = _text(claims, "sub")
        if subject is None or _text(claims, "iss") != self._issuer:
            return None
        audience = claims["aud"].value if "aud" in claims else None
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            return None
        expires_at = _seconds(claims, "exp")
        if expires_at is None:
            return None
        latest = (self._clock() + CLOCK_SKEW - EPOCH) // timedelta(seconds=1)
        for name in ("nbf", "iat"):
            if name in claims:
                begins_at = _seconds(claims, name)
                if begins_at is None or begins_at > latest:
                    return None
        return Claims(subject, EPOCH + timedelta(seconds=expires_at))


_REGISTRIES: Final = {
    # An unknown header that is not critical is ignored.
    algorithm: jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    for algorithm in ALGORITHMS
}


def _public_key(key: Mapping[str, str]) -> PublicKey:
    """Import a public JWK; raise ValueError if it cannot be used."""
    for kind, curve in ALGORITHMS.values():
        if (key.get("kty"), key.get("crv")) == (kind, curve) and "d" not in key:
            members: dict[str, str | list[str]] = {
                name: key[name] for name in ("kty", "crv", "x", "y") if name in key
            }
            public = ECKey.import_key(members) if kind == "EC" else OKPKey.import_key(members)
            _ = public.public_key  # Raises for a point that is not on the curve.
            return public
    raise ValueError("a platform key must be a public JWK on P-256 or Ed25519")


def _payload(token: str, key: PublicKey, algorithm: str) -> bytes | None:
    """Return the signed payload, or None if this key did not sign it."""
    with warnings.catch_warnings():
        # RFC 9864 renames EdDSA; the contract uses this name.
        warnings.simplefilter("ignore", SecurityWarning)
        try:
            return jws.deserialize_compact(token, key, registry=_REGISTRIES[algorithm]).payload
        except (JoseError, ValueError, TypeError):
            return None


def _segment(token: str) -> bytes:
    """Decode a token's header; raise ValueError if it is not base64url."""
    text = token.partition(".")[0]
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _text(members: Mapping[str, Member], name: str) -> str | None:
    value: JsonValue = members[name].value if name in members else None
    return value if isinstance(value, str) and not isinstance(value, Number) else None


def _seconds(claims: Mapping[str, Member], name: str) -> int | None:
    """Return a claim in whole Unix seconds, or None if it is not a representable time."""
    value = claims[name].value if name in claims else None
    if not isinstance(value, Number):
        return None
    try:
        seconds = Decimal(value)
    except InvalidOperation:
        return None
    return int(seconds) if 0 <= seconds <= LATEST_SECONDS else None
