"""The callers of the contracts: the aggregator's signature, the operator's envelope, by hand.

Written from the contracts and RFC 7516; it shares nothing with the service. How Betby signs is in
`betby_caller`.
"""

import base64
import hashlib
import http.client
import json
import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CALLBACK_KEY = "a key of the model's"


class Reply(NamedTuple):
    status: int
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        """The answer's members, numbers exact."""
        said = json.loads(self.body, parse_float=Decimal, parse_int=Decimal)
        assert isinstance(said, dict)
        return said

    @property
    def code(self) -> int:
        """The callback API's code; 0 when all is well."""
        said = self.said
        assert said["status"] is ("errors" not in said), said
        return int(said["errors"]["code"]) if "errors" in said else 0


def sign(fields: Mapping[str, str], key: str = CALLBACK_KEY) -> str:
    """Sign as the callback contract's section 2 says."""
    signed = {name: fields[name] for name in sorted(fields) if name != "extraData"}
    text = json.dumps(signed, separators=(",", ":")).replace("/", "\\/") if signed else "[]"
    return sign_text(text, key)


def sign_text(text: str, key: str = CALLBACK_KEY) -> str:
    """Sign the canonical text of some fields."""
    return hashlib.sha256((text + key).encode()).hexdigest()


def seal(members: Mapping[str, Any], agent: str, key: bytes) -> bytes:
    """Put a request in a compact JWE, `dir` + A256GCM."""
    header = _word(json.dumps({"alg": "dir", "enc": "A256GCM", "kid": agent}).encode())
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, json.dumps(members).encode(), header)
    return b".".join((header, b"", _word(nonce), _word(sealed[:-16]), _word(sealed[-16:])))


def opened(body: bytes, key: bytes) -> bytes:
    """Open an answer that came in an envelope."""
    header, _, nonce, sealed, tag = body.split(b".")
    return AESGCM(key).decrypt(_bytes(nonce), _bytes(sealed) + _bytes(tag), header)


def _word(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def _bytes(word: bytes) -> bytes:
    return base64.urlsafe_b64decode(word + b"=" * (-len(word) % 4))


class Caller:
    """One connection to the service, kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def close(self) -> None:
        self._connection.close()

    def send(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        self._connection.request(method, target, body, dict(headers))
        response = self._connection.getresponse()
        return Reply(response.status, response.read())

    def ask(self, method: str, fields: Mapping[str, str]) -> Reply:
        """Ask one of the callback API's questions."""
        headers = {"Hash-Authorization": sign(fields)}
        return self.send("GET", f"/{method}?{urlencode(fields)}", None, headers)

    def move_funds(self, fields: Mapping[str, str], how: str = "form") -> Reply:
        """Call moveFunds: as a form, as JSON, or by the query."""
        headers = {"Hash-Authorization": sign(fields)}
        target, body = "/moveFunds", b""
        if how == "form":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields).encode()
        elif how == "json":
            headers["Content-Type"] = "application/json"
            body = json.dumps(fields).encode()
        else:
            target = f"/moveFunds/?{urlencode(fields)}"
        return self.send("POST", target, body, headers)

    def operate(self, operation: str, members: Mapping[str, Any], agent: str, key: bytes) -> Reply:
        """Ask for one of the transfer API's operations."""
        headers = {"Content-Type": "application/jose", "Accept": "application/jose"}
        reply = self.send("POST", f"/transfer/v1/{operation}", seal(members, agent, key), headers)
        return Reply(reply.status, opened(reply.body, key))

    def betby(self, method: str, body: bytes) -> Reply:
        """Call one of the methods of Betby's contract."""
        headers = {"Content-Type": "application/json"}
        return self.send("POST", f"/betby/bet/{method}", body, headers)
