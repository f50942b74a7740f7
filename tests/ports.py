"""Ports for servers that bind one themselves, later."""

import secrets
import socket
from contextlib import suppress

TRIES_MAX = 1_000
FIRST, COUNT = 20_000, 6_000
"""below those that the kernel gives to connections: other tests have hundreds of these"""

_held: list[socket.socket] = []
"""What says to everybody else that a port is ours, to the end of this process."""


def free_port() -> int:
    """Return a free port that nobody else is given while this process lives.

    Between this answer and the server's start it is bound by nobody. So each port has a second one,
    `COUNT` above, that is bound here and now and kept: who holds that one has the port.
    """
    for _ in range(TRIES_MAX):
        port = FIRST + secrets.randbelow(COUNT)
        with suppress(OSError):
            held = socket.socket()
            try:
                held.bind(("127.0.0.1", port + COUNT))
                socket.create_server(("127.0.0.1", port)).close()
            except OSError:
                held.close()
                raise
            _held.append(held)
            return port
    raise AssertionError("every port is taken")
