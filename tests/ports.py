"""Ports for servers that bind one themselves, later."""

import errno
import secrets
import socket
from collections import deque

FIRST, BLOCK, BLOCKS = 20_000, 20, 300
"""below the ports that the kernel gives to connections: other tests have hundreds of these"""

MARKS = FIRST + BLOCK * BLOCKS
"""Above the blocks is a port for each of them: who has bound it has the block."""

_held: list[socket.socket] = []
"""The marks of this process's blocks, to its end."""

_ours: deque[int] = deque()
"""What is left of its last block."""


def free_port() -> int:
    """Return a free port that nobody else is given while this process lives.

    Between this answer and the server's start it is bound by nobody, so it is its process's before:
    ports are taken in blocks.
    """
    while True:
        port = _ours.popleft() if _ours else _of_a_new_block()
        bound = _bind(port)
        if bound is not None:
            bound.close()
            return port


def _of_a_new_block() -> int:
    for number in secrets.SystemRandom().sample(range(BLOCKS), BLOCKS):
        mark = _bind(MARKS + number)
        if mark is not None:
            _held.append(mark)
            _ours.extend(range(FIRST + number * BLOCK, FIRST + (number + 1) * BLOCK))
            return _ours.popleft()
    raise AssertionError("every port is taken")


def _bind(port: int) -> socket.socket | None:
    """Bind a port; None: somebody has it."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None
