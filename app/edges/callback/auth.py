r"""The authenticator: refuses untrusted callers (callback contract, section 2).

1. The caller's network, where a list of them is set.
2. The signature: SHA-256 over PHP's JSON of the sorted fields, followed by one of the keys.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import Final

import msgspec

from app.edges.callback.errors import SignatureError, UntrustedCallerError
from app.edges.networks import Network, caller_address, is_within

NO_FIELDS: Final[Mapping[str, str]] = {}
"""No fields; signed as `[]`, PHP's JSON of an empty array."""


class Authenticator:
    """Checks a caller's network and signature."""

    def __init__(
        self,
        keys: Iterable[str],
        *,
        trusted: Iterable[Network] = (),
        proxies: Iterable[Network] = (),
    ) -> None:
        """`keys`: all are valid, so that one can be replaced. `trusted`: () means any network."""
        self._keys = tuple(key.encode() for key in keys)
        if not self._keys or not all(self._keys):
            raise ValueError("the callback API needs a key, and no key may be empty")
        self._trusted = tuple(trusted)
        self.admits_anybody = not self._trusted
        """whether there is no list of networks, so that the caller's address is not needed"""
        self._proxies = tuple(proxies)

    def check_caller(self, peer: str | None, forwarded_for: bytes | None) -> None:
        """Raise UntrustedCallerError unless the caller's network is trusted."""
        if self.admits_anybody:
            return
        if not is_within(caller_address(peer, forwarded_for, self._proxies), self._trusted):
            raise UntrustedCallerError

    def caller(self, peer: str | None, forwarded_for: bytes | None) -> str:
        """Return the caller's address, for the log."""
        return str(caller_address(peer, forwarded_for, self._proxies) or peer)

    def check_signature(self, texts: Mapping[str, str], signature: bytes | None) -> None:
        """Raise SignatureError unless the signature is that of the fields under one of the keys."""
        if not self.is_signed(texts, signature):
            raise SignatureError

    def is_signed(self, texts: Mapping[str, str], signature: bytes | None) -> bool:
        """Whether the signature is valid; every key is tried, so that the time reveals nothing."""
        signed = canonical(texts).encode()
        given = signature or b""
        fits = False
        for key in self._keys:
            fits |= hmac.compare_digest(sha256(signed + key).hexdigest().encode(), given)
        return fits


def canonical(texts: Mapping[str, str]) -> str:
    r"""Return the signed text: PHP's json_encode of the fields, sorted by name.

    PHP differs from msgspec in two ways: it writes `/` as `\/`, and non-ASCII text as `\u....`.
    """
    if not texts:
        return "[]"
    text = _ENCODER.encode(texts).decode()
    if not text.isascii():
        text = _NOT_ASCII.sub(_escaped, text)
    return text.replace("/", r"\/")


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


def _escaped(found: re.Match[str]) -> str:
    """Escape non-ASCII text by UTF-16 code units, as PHP does."""
    return encode_basestring_ascii(found[0])[1:-1]
