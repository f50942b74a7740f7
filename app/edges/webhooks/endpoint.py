"""An endpoint, as the settings name it."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from app.wallet.event_log import LoggedType


class EndpointChoice(NamedTuple):
    """An endpoint, as the settings name it."""

    agent: str
    url: str
    secrets: Sequence[str]
    types: frozenset[LoggedType]
    networks: Sequence[IPv4Network | IPv6Network] = ()
    """where it may be beside the public addresses"""
    may_be_loopback: bool = False
    """in the demo"""
