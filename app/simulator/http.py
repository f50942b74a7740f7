"""HTTP/1.1 over raw streams: one connection, one request at a time, every wait bounded.

A general client costs this program more time than the wallet takes to answer; what it needs of
HTTP fits on a page. It follows no redirect and knows no compression, and neither does the contract.
"""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from app.simulator.encoder import EncodedRequest

# An answer of the callback is a few hundred bytes.
_HEAD_BYTES_MAX = 64 * 1024
_BODY_BYTES_MAX = 1024 * 1024
_GOODBYE_SECONDS = 1
_NO_BODY = frozenset({204, 304})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class BrokenReplyError(Exception):
    """The server's bytes are no HTTP answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    http: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is."""

    host: str
    port: int
    tls: bool
    #: What stands before every path; empty or ``/something``.
    path: str

    @classmethod
    def of(cls, base_url: str) -> "Address":
        """Read a base URL."""
        parts = urlsplit(base_url)
        if parts.scheme not in _DEFAULT_PORTS or parts.hostname is None:
            raise ValueError("the base URL is http://host:port or https://host:port")
        port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
        return cls(parts.hostname, port, parts.scheme == "https", parts.path.rstrip("/"))

    @property
    def host_header(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class _Connection:
    """One open connection."""

    def __init__(
        self, address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._address = address
        self._reader = reader
        self._writer = writer
        self._kept = False

    @property
    def reusable(self) -> bool:
        """Whether the last answer was read to its end and the server still listens."""
        return self._kept and not self._reader.at_eof()

    @classmethod
    async def open(cls, address: Address) -> "_Connection":
        context = ssl.create_default_context() if address.tls else None
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=context, limit=_HEAD_BYTES_MAX
        )
        return cls(address, reader, writer)

    async def exchange(self, request: EncodedRequest) -> Reply:
        """Send a request and read its answer."""
        self._kept = False
        self._writer.write(_printed(request, self._address))
        await self._writer.drain()
        http, headers = await self._head()
        while 100 <= http < 200:  # noqa: PLR2004 - interim answers announce the real one
            http, headers = await self._head()
        body = await self._body(http, headers)
        self._kept = headers.get("connection", "").lower() != "close"
        return Reply(http, body)

    async def _head(self) -> tuple[int, dict[str, str]]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head[:-4].split("\r\n")
        version, _, rest = status.partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or not code.isdecimal():
            raise BrokenReplyError(status[:100])
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(code), headers

    async def _body(self, http: int, headers: dict[str, str]) -> bytes:
        if http in _NO_BODY:
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._chunks()
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _BODY_BYTES_MAX:
            raise BrokenReplyError("an answer without a length, or too long")
        return await self._reader.readexactly(int(length))

    async def _chunks(self) -> bytes:
        body = b""
        while len(body) <= _BODY_BYTES_MAX:
            line = await self._reader.readuntil(b"\r\n")
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError:
                raise BrokenReplyError("a chunk without a size") from None
            if size == 0:
                while await self._reader.readuntil(b"\r\n") != b"\r\n":
                    pass
                return body
            body += (await self._reader.readexactly(min(size, _BODY_BYTES_MAX) + 2))[:-2]
        raise BrokenReplyError("an answer too long")

    async def close(self) -> None:
        """Close, whatever state the connection is in."""
        self._writer.close()
        # The peer may be gone already, or never close its side.
        with suppress(OSError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._writer.wait_closed()


def _printed(request: EncodedRequest, address: Address) -> bytes:
    """Print a request."""
    lines = [
        f"{request.method} {address.path}{request.target} HTTP/1.1",
        f"Host: {address.host_header}",
        *(f"{name}: {value}" for name, value in request.headers),
    ]
    if request.method == "POST":
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join((*lines, "\r\n")).encode() + request.body


class Client:
    """Connections to one server, kept open between requests."""

    def __init__(self, address: Address, timeout_seconds: int, connections_max: int) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._idle: list[_Connection] = []
        self._places = asyncio.Semaphore(connections_max)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._idle:
            await self._idle.pop().close()

    async def send(self, request: EncodedRequest) -> Reply:
        """Send once.

        Raises OSError, EOFError, TimeoutError or BrokenReplyError.
        """
        async with self._places:
            connection: _Connection | None = None
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    connection = await self._connection()
                    return await connection.exchange(request)
            except asyncio.LimitOverrunError as error:
                raise BrokenReplyError("an answer with endless headers") from error
            finally:
                if connection is not None:
                    if connection.reusable:
                        self._idle.append(connection)
                    else:
                        await connection.close()

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            await connection.close()
        return await _Connection.open(self._address)
