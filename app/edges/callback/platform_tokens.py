"""Tokens that the operator's own platform signs: JWT, ES256 or EdDSA, under a key set of ours.

`greet` is called with the token of a request that is believed, before the ledger is asked about it.
A token seen for the first time is verified, and its hash kept with its player: from then on it is a
token like any other, and a win that comes late never meets an unknown one. What does not verify is
kept nowhere, and the ledger then says what it says of any token that it does not know.

The algorithm is the key's, never the token's choice: `none`, and a public key used as a secret,
have nothing to hold on to.
"""

import base64
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
from app.ledger.transaction import Ledger
from app.wallet.journal import EPOCH
from app.wallet.moments import LATEST_SECONDS

ALGORITHMS: Final = {"ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}
"""Each with the one kind of key, and the one curve, that may verify it."""

DOTS: Final = 2
"""A JWT has three parts; a token of ours has no dot at all."""

CLOCK_SKEW: Final = timedelta(seconds=60)
"""How far the platform's clock may go ahead of ours."""

KNOWN_MAX: Final = 100_000
"""Tokens this process remembers to have kept: 32 bytes each, and a saved question to the ledger."""

PublicKey = ECKey | OKPKey


class Claims(NamedTuple):
    """What a verified token says."""

    subject: str
    """the player's userId"""
    expires_at: datetime


class PlatformTokens:
    """Knows the platform's keys, and the tokens that were kept already."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        issuer: str,
        audience: str,
        keys: Iterable[Mapping[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        """`keys`: public JWKs on P-256 or Ed25519; each may have a `kid`. `clock`: UTC."""
        self._ledger = ledger
        self._issuer = issuer
        self._audience = audience
        self._keys = [(key.get("kty"), key.get("kid"), _public_key(key)) for key in keys]
        self._clock = clock
        self._known: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    async def register(self, user_id: str, token: str) -> None:
        """Keep a token of the platform's with its player, if this is its first use."""
        if token.count(".") != DOTS:
            return
        known = (user_id, token_hash(token))
        if known in self._known:
            return
        claims = self.verified(token)
        if claims is None or claims.subject != user_id:
            return
        if not await register_external_token(self._ledger, user_id, token, claims.expires_at):
            return
        self._known[known] = None
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    def verified(self, token: str) -> Claims | None:
        """What the token says, if the platform signed it for us; expired or not."""
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
    # A header that says nothing to us, and is not critical, is no fault.
    algorithm: jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    for algorithm in ALGORITHMS
}


def _public_key(key: Mapping[str, str]) -> PublicKey:
    """Import a public JWK; ValueError if it is none of ours."""
    for kind, curve in ALGORITHMS.values():
        if (key.get("kty"), key.get("crv")) == (kind, curve) and "d" not in key:
            members: dict[str, str | list[str]] = {
                name: key[name] for name in ("kty", "crv", "x", "y") if name in key
            }
            public = ECKey.import_key(members) if kind == "EC" else OKPKey.import_key(members)
            _ = public.public_key  # A point that is not on the curve is found here.
            return public
    raise ValueError("a platform key must be a public JWK on P-256 or Ed25519")


def _payload(token: str, key: PublicKey, algorithm: str) -> bytes | None:
    """The signed bytes, or None: not signed by this key."""
    with warnings.catch_warnings():
        # RFC 9864 has another name for EdDSA; the contract has this one.
        warnings.simplefilter("ignore", SecurityWarning)
        try:
            return jws.deserialize_compact(token, key, registry=_REGISTRIES[algorithm]).payload
        except (JoseError, ValueError, TypeError):
            return None


def _segment(token: str) -> bytes:
    """The header's bytes; ValueError if they are none."""
    text = token.partition(".")[0]
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _text(members: Mapping[str, Member], name: str) -> str | None:
    value: JsonValue = members[name].value if name in members else None
    return value if isinstance(value, str) and not isinstance(value, Number) else None


def _seconds(claims: Mapping[str, Member], name: str) -> int | None:
    """A time in whole unix seconds; None if it is none that a clock could show."""
    value = claims[name].value if name in claims else None
    if not isinstance(value, Number):
        return None
    try:
        seconds = Decimal(value)
    except InvalidOperation:
        return None
    return int(seconds) if 0 <= seconds <= LATEST_SECONDS else None
