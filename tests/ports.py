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


def free_port(count: int = 1) -> int:
    """Return the first of so many free ports in a row, which nobody else is given meanwhile.

    Between this answer and the server's start they are bound by nobody, so they are this process's
    before, and to its end: ports are taken in blocks.
    """
    while True:
        if len(_ours) < count:
            _take_a_block()
        row = [_ours.popleft() for _ in range(count)]
        bound = list(filter(None, map(_bind, row)))
        for each in bound:
            each.close()
        if len(bound) == count:
            return row[0]


def _take_a_block() -> None:
    for number in secrets.SystemRandom().sample(range(BLOCKS), BLOCKS):
        mark = _bind(MARKS + number)
        if mark is not None:
            _held.append(mark)
            _ours.clear()
            _ours.extend(range(FIRST + number * BLOCK, FIRST + (number + 1) * BLOCK))
            return
    raise AssertionError("every port is taken")


def _bind(port: int) -> socket.socket | None:
    """Bind a port; None: somebody has it."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None
