"""What Betby's simulator is given: the key that signs its calls, and the units of amounts."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

LIFE_SECONDS: Final = 60
_P256_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private key of Betby's side; never shown, never written."""

    kid: str | None
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def of_pem(cls, kid: str | None, pem: bytes) -> "SigningKey":
        """Read a private key; ValueError for any other than RSA or P-256."""
        key = serialization.load_pem_private_key(pem, password=None)
        if isinstance(key, rsa.RSAPrivateKey):
            return cls(kid, key)
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return cls(kid, key)
        raise ValueError("the key is neither RSA nor on P-256")

    def sign(self, payload: object, brand: str, jti: str) -> str:
        """Return a call as Betby signs it."""
        is_rsa = isinstance(self.private, rsa.RSAPrivateKey)
        header = {"alg": "RS256" if is_rsa else "ES256", "typ": "JWT"}
        if self.kid is not None:
            header["kid"] = self.kid
        now = int(datetime.now(UTC).timestamp())
        claims = {
            "iss": "betby",
            "aud": brand,
            "iat": now,
            "exp": now + LIFE_SECONDS,
            "jti": jti,
            "payload": payload,
        }
        signed = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
        return f"{signed}.{_b64(self._signature(signed.encode()))}"

    def _signature(self, signed: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.private.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")


@dataclass(frozen=True, slots=True)
class BetbyStage:
    """How Betby calls the server."""

    brand: str
    key: SigningKey
    #: Decimals of Betby's unit where it is not the currency's minor unit.
    scales: Mapping[str, int]
    #: What a repeated bet hears.
    repeated_make: str = "replay"


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
