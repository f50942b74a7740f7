"""The caller's address: the peer's, or the one that our own TLS proxy forwards."""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address


def caller_address(
    peer: str | None, forwarded_for: bytes | None, proxies: Iterable[Network]
) -> Address | None:
    """Return the caller's address, or None if it is unknown.

    Behind our own proxies (`proxies`) the caller is the last address in X-Forwarded-For that is not
    a proxy's; from any other peer that header is ignored.
    """
    proxies = tuple(proxies)
    address = _address(peer)
    hops = forwarded_for.decode("latin-1").split(",") if forwarded_for else []
    while hops and address is not None and is_within(address, proxies):
        address = _address(hops.pop())
    return address


def is_within(address: Address | None, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks."""
    return address is not None and any(address in network for network in networks)


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
