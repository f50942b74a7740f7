"""Ports for servers that bind one themselves, later."""

import secrets
import socket
from contextlib import suppress

TRIES_MAX = 100


def free_port() -> int:
    """Return a free port below those that the kernel gives to connections.

    One of those could be given away before the server binds it: other tests have hundreds.
    """
    for _ in range(TRIES_MAX):
        port = secrets.choice(range(20_000, 32_000))
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("every port is taken")
