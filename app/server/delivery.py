"""Whether an answer reaches a caller who has ended their side of the connection.

A caller who ends their side (`shutdown(SHUT_WR)`) and waits, and one who has hung up (`close`),
look the same until something is written to them: the first one's system acknowledges it, the second
one's resets the connection. The kernel's state of the connection (TCP_INFO) shows which.
"""

import asyncio
import socket
import struct
import sys
from typing import Final

WAITS_SECONDS: Final = (0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""The waits between checks; any round trip is over within the first few. An answer that is not
acknowledged within a second and a half counts as undelivered: its movement is listed."""

_TCP_CLOSED: Final = 7
"""The state of a connection whose other end refused what was written (TCP_CLOSE, linux/tcp.h)."""

_TCP_INFO: Final = struct.Struct("=B23xI")
"""Of `struct tcp_info`: the state, and how many segments are not acknowledged (tcpi_unacked)."""


async def is_delivered(transport: asyncio.Transport) -> bool:
    """Whether all written bytes were acknowledged; assumed if the system cannot tell."""
    if sys.platform != "linux":
        return True
    connection = transport.get_extra_info("socket")
    if connection is None:
        return True
    for wait in WAITS_SECONDS:
        await asyncio.sleep(wait)
        if transport.is_closing():
            return False
        try:
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        except OSError:
            return False
        state, unacknowledged = _TCP_INFO.unpack(info)
        if state == _TCP_CLOSED:
            return False
        if unacknowledged == 0 and transport.get_write_buffer_size() == 0:
            return True
    return False
