"""One caller's connection, whatever is said on it: its admission, its times, and its end.

`HttpConnection` adds the requests. Two moments stand on every connection, and one scan of all
connections reads them (`connections.py`): `quiet_since`, for the order in which idle connections
make room for new ones, and `expires_at`, after which it is closed.
"""

import asyncio
import time
from enum import Enum, auto
from typing import Final

from typing_extensions import override

from app.server.connections import NANOSECONDS, NEVER, Connections
from app.server.delivery import is_delivered

LINGER_SECONDS: Final = 2
LINGER_BYTES_MAX: Final = 4 * 1024 * 1024
"""How long, and how much, is read and discarded after the last answer while a caller still sends.

A connection closed with unread bytes is reset, and the answer is lost (RFC 9112, 9.6). Two seconds
are several round trips of any network; the bytes are those that `edges/http.py` discards, too.
"""


class Stage(Enum):
    """The state of a connection."""

    HEAD = auto()
    """between requests, or a head has partly arrived"""
    HELD_BODY = auto()
    """a body is buffered for the fast path"""
    HANDED_BODY = auto()
    """a body is handed over as it arrives"""
    ANSWERING = auto()
    """a complete request waits for its answer"""
    ENDING = auto()
    """the last answer is written; further bytes are discarded"""


class CallerConnection(asyncio.Protocol):
    """A connection with one caller, in the bounds of its port."""

    def __init__(self, connections: Connections) -> None:
        """`connections` are all those of the port, which this one joins when it is made."""
        self._connections = connections
        self.transport: asyncio.Transport
        self.peer: str | None = None
        self.is_gone = False
        """whether the connection was lost"""
        self.peer_has_finished = False
        """whether the caller has ended their side of the connection"""
        self.quiet_since: int | None = None
        self.expires_at = NEVER
        self.writable: asyncio.Event | None = None
        """what to wait for while the caller does not read what was written before"""

        self._stage = Stage.HEAD
        self._data: bytes | bytearray = b""
        self._at = 0
        """the position in `_data` of the first unread byte"""
        self._is_paused = False
        self._thrown_away = 0

    def _open(self, transport: asyncio.Transport) -> bool:
        """Start; return False if the port has no room for another connection."""
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) else None
        now = time.monotonic_ns()
        self.quiet_since = now
        self.expires_at = now + self._connections.deadline_ns
        return self._connections.admit(self)

    @override
    def eof_received(self) -> bool:
        """Keep the connection if a complete request waits for its answer; else close it."""
        self.peer_has_finished = True
        return self._stage is Stage.ANSWERING

    async def is_delivered(self) -> bool:
        """Whether a caller who has ended their side received what was written."""
        return await is_delivered(self.transport)

    def expire(self) -> None:
        """Close: its time is over."""
        if self.writable is not None or self._stage is Stage.ENDING:
            self.transport.abort()  # The caller does not read what was written.
        else:
            self.transport.close()

    def make_room(self) -> None:
        """Close to make room for another connection."""
        self.quiet_since = None
        self.transport.close()

    def _expire_after_deadline(self) -> None:
        self.expires_at = time.monotonic_ns() + self._connections.deadline_ns

    # --- reading ----------------------------------------------------------------------------------

    def _pause_reading(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_paused and not self.peer_has_finished:
            self._is_paused = False
            self.transport.resume_reading()

    # --- the end ----------------------------------------------------------------------------------

    def _end(self, *, lingers: bool = True) -> None:
        """Close; `lingers`: only after a caller who still sends could read the last answer."""
        if not lingers or self.peer_has_finished or self.transport.is_closing():
            self.transport.close()
            return
        self._stage, self._at, self._thrown_away = Stage.ENDING, len(self._data), 0
        self.quiet_since = now = time.monotonic_ns()
        self.expires_at = now + LINGER_SECONDS * NANOSECONDS
        self.transport.write_eof()
        self._resume_reading()

    def _throw_away(self) -> None:
        """Discard what a caller still sends after the last answer."""
        self._thrown_away += len(self._data) - self._at
        self._at = len(self._data)
        if self._thrown_away > LINGER_BYTES_MAX:
            self.transport.abort()
