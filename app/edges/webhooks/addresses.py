"""Which addresses an endpoint may have: an operator's server, and nothing inside our own network.

A name is looked up by us, every address that it has is held to the rule, and the connection goes to
one of exactly these: what the name says a moment later changes nothing. Redirects are not followed,
so nothing else decides where a request goes.
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

HTTPS_PORT: Final = 443
HTTP_PORT: Final = 80
LOOKUP_SECONDS_MAX: Final = 5


class AddressRefusedError(Exception):
    """The endpoint's name has an address that it may not have."""


class Place(NamedTuple):
    """Where an endpoint is."""

    host: str
    port: int
    is_tls: bool
    target: str
    """path and query, as the request line has them"""
    authority: str
    """as the Host header has it"""


def place_of(url: str) -> Place:
    """Read an endpoint's URL, which the settings have checked."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    port = parts.port or (HTTPS_PORT if is_tls else HTTP_PORT)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.hostname or "", port, is_tls, target, parts.netloc)


async def addresses_of(
    place: Place,
    networks: Sequence[IPv4Network | IPv6Network],
    *,
    may_be_loopback: bool,
) -> list[str]:
    """Look a name up; raise AddressRefusedError or OSError.

    `networks`: those that the endpoint may be in beside the public ones.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LOOKUP_SECONDS_MAX):
        found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    texts = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    for text in texts:
        address = _bare(text)
        is_named = any(address in network for network in networks)
        is_own = may_be_loopback and address.is_loopback
        is_public = address.is_global and not address.is_multicast
        if not (is_named or is_own or is_public):
            raise AddressRefusedError
        if not place.is_tls and not address.is_loopback:
            raise AddressRefusedError
    return texts


def _bare(text: str) -> IPv4Address | IPv6Address:
    """Return an address; one of IPv4 that is written as IPv6 is what it stands for."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address
