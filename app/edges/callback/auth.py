r"""The gate: a stranger stops here, before anything is believed (callback contract, section 2).

1. The caller's network, where a list of them is set. Behind our own front the caller is the last
   of X-Forwarded-For that is not the front itself; from anybody else that header is not believed.
2. The signature: SHA-256 over PHP's JSON of the sorted fields, followed by one of the keys.
"""

import hmac
from collections.abc import Iterable, Mapping
from hashlib import sha256
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from json.encoder import encode_basestring_ascii
from typing import Final, TypeAlias

from app.edges.callback.errors import SignatureError, StrangerError

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address

NO_FIELDS: Final[Mapping[str, str]] = {}
"""Signed as `[]`: PHP's JSON of an empty array."""

_DELETE: Final = "\x7f"


class Gate:
    """Knows the keys and the networks, and lets in whom they let in."""

    def __init__(
        self,
        keys: Iterable[str],
        *,
        trusted: Iterable[Network] = (),
        proxies: Iterable[Network] = (),
    ) -> None:
        """`keys`: all are good, so that one can be changed. `trusted`: () is anybody."""
        self._keys = tuple(key.encode() for key in keys)
        if not self._keys or not all(self._keys):
            raise ValueError("the callback API needs a key, and no key may be empty")
        self._trusted = tuple(trusted)
        self._proxies = tuple(proxies)

    def check_caller(self, peer: str | None, forwarded_for: bytes | None) -> None:
        """Raise StrangerError unless the caller's network is trusted."""
        if not self._trusted:
            return
        address = self.caller(peer, forwarded_for)
        if address is None or not _is_within(address, self._trusted):
            raise StrangerError

    def caller(self, peer: str | None, forwarded_for: bytes | None) -> Address | None:
        """Who calls: the peer, or whom our own front says it is. None: it cannot be told."""
        address = _address(peer)
        hops = (forwarded_for or b"").decode("latin-1").split(",") if forwarded_for else []
        while hops and address is not None and _is_within(address, self._proxies):
            address = _address(hops.pop())
        return address

    def check_signature(self, texts: Mapping[str, str], signature: bytes | None) -> None:
        """Raise SignatureError unless the signature fits the fields under one of the keys."""
        if not self.is_signed(texts, signature):
            raise SignatureError

    def is_signed(self, texts: Mapping[str, str], signature: bytes | None) -> bool:
        """Whether the signature fits; every key is tried, so that the time tells nothing."""
        signed = canonical(texts).encode()
        given = signature or b""
        fits = False
        for key in self._keys:
            fits |= hmac.compare_digest(sha256(signed + key).hexdigest().encode(), given)
        return fits


def canonical(texts: Mapping[str, str]) -> str:
    r"""The text that is signed: PHP's json_encode of the fields, sorted by name.

    Python's encoder differs from PHP's in two characters: PHP writes `/` as `\/`, and DEL as it is.
    """
    if not texts:
        return "[]"
    quoted = [f"{_quoted(name)}:{_quoted(texts[name])}" for name in sorted(texts)]
    return f"{{{','.join(quoted)}}}".replace("/", r"\/")


def _quoted(text: str) -> str:
    if _DELETE in text:
        parts = (encode_basestring_ascii(part)[1:-1] for part in text.split(_DELETE))
        return f'"{_DELETE.join(parts)}"'
    return encode_basestring_ascii(text)


def _address(text: str | None) -> Address | None:
    """Read an address, with or without a port; an IPv4 address inside IPv6 is the IPv4 address."""
    host = (text or "").strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
