"""Betby as a caller: JWTs of its own keys, by hand, and the setting that names these keys.

Written from RFC 7515 and RFC 7519; it shares nothing with the service.
"""

import base64
import itertools
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

BRAND = "1653815133341880320"
ALGORITHMS = ("RS256", "ES256")
BIT_BYTES = 32
LIFE_SECONDS = 60

_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_EC = ec.generate_private_key(ec.SECP256R1())
_OURS = ec.generate_private_key(ec.SECP256R1())
_numbers = itertools.count(1)


def betby_setting(**changes: object) -> str:
    """Write the setting under which these calls are accepted."""
    numbers = _OURS.private_numbers()
    point = numbers.public_numbers
    signing_key = {
        "kty": "EC",
        "crv": "P-256",
        "x": _word(point.x.to_bytes(BIT_BYTES, "big")),
        "y": _word(point.y.to_bytes(BIT_BYTES, "big")),
        "d": _word(numbers.private_value.to_bytes(BIT_BYTES, "big")),
    }
    pems = (_pem(_RSA), _pem(_EC))
    keys = [
        {"kid": algorithm, "alg": algorithm, "pem": pem}
        for algorithm, pem in zip(ALGORITHMS, pems, strict=True)
    ]
    return json.dumps({"brands": [BRAND], "keys": keys, "signing_key": signing_key, **changes})


def signed(payload: Mapping[str, Any], now: datetime, algorithm: str = "RS256") -> bytes:
    """Return the body of a call: the payload in a JWT that lives for a minute."""
    at = int(now.timestamp())
    claims = {
        "iss": "betby",
        "aud": BRAND,
        "iat": at,
        "exp": at + LIFE_SECONDS,
        "jti": f"call-{next(_numbers)}",
        "payload": payload,
    }
    header = {"alg": algorithm, "kid": algorithm, "typ": "JWT"}
    text = f"{_json(header)}.{_json(claims)}"
    if algorithm == "RS256":
        signature = _RSA.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        r, s = decode_dss_signature(_EC.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(BIT_BYTES, "big") + s.to_bytes(BIT_BYTES, "big")
    return json.dumps({"payload": f"{text}.{_word(signature)}"}).encode()


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def _json(members: Mapping[str, Any]) -> str:
    return _word(json.dumps(members).encode())


def _word(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
