"""One write for one answer: the server writes head and body apart, each a packet and a wake-up.

What is written in one turn of the event loop leaves together at its end; what is whole already can
leave at once.
"""

import asyncio
from typing import cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class GatheringTransport:
    """A transport that writes once in a turn of the loop; in all else the one it stands for."""

    __slots__ = ("_call_soon", "_parts", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport) -> None:
        """Stand before this transport."""
        self._transport = transport
        self._parts: list[bytes] = []
        self._call_soon = asyncio.get_running_loop().call_soon
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> object:
        """Whatever is not about writing is the transport's own."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write this at the end of the turn."""
        if not self._parts:
            self._call_soon(self._flush)
        self._parts.append(data)

    def write_at_once(self, data: bytes) -> None:
        """Write this now, unless something waits that was written before it."""
        if self._parts:
            self._parts.append(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close once everything is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self.is_closing():
            self._transport.write(b"".join(parts))


class OneWriteProtocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it with httptools, each answer in one piece."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        self.gathering = GatheringTransport(transport)
        super().connection_made(cast("asyncio.Transport", self.gathering))
