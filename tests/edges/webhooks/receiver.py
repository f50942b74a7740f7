"""A receiver of webhooks on a real socket: verifies, remembers, and answers as a test wants."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Heard(NamedTuple):
    """A webhook as it was received."""

    id: str
    event: dict[str, Any]
    headers: Mapping[str, str]
    status: int | None
    """as it was answered; None: it was not"""

    @property
    def number(self) -> int:
        return int(self.event["cursor"].partition("-")[0])


Answer = Callable[[dict[str, Any]], Awaitable[int | None] | int | None]


async def _taken(_: dict[str, Any]) -> int:
    return 204


class Receiver:
    """The operator's endpoint."""

    def __init__(self, *, secret: str = SECRET, tls: ssl.SSLContext | None = None) -> None:
        self.heard: list[Heard] = []
        self.answer: Answer = _taken
        """the status of the answer to an event; None: hang up without one"""
        self.raw_answer: bytes | None = None
        self.changed = asyncio.Condition()
        self.connections = 0
        self._webhook = Webhook(secret)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}/hooks?from=wallet"

    async def open(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Be away: nothing listens, and no connection stays open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def taken(self) -> list[Heard]:
        """What was answered with success, in order."""
        return [heard for heard in self.heard if heard.status == 204]

    async def until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until something was heard."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(condition)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                while await self._one(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (li.partition(": ") for li in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        assert request == "POST /hooks?from=wallet HTTP/1.1"
        assert headers["host"] in self.url
        event = self._webhook.verify(body, dict(headers))
        assert event == json.loads(body)
        status = self.answer(event)
        if isinstance(status, Awaitable):
            status = await status
        async with self.changed:
            self.heard.append(Heard(headers["webhook-id"], event, headers, status))
            self.changed.notify_all()
        if status is None:
            return False
        more = b"location: http://127.0.0.1:1/\r\n" if 300 <= status < 400 else b""
        writer.write(
            self.raw_answer or b"HTTP/1.1 %d Said\r\n%bcontent-length: 2\r\n\r\nok" % (status, more)
            if status != 204
            else self.raw_answer or b"HTTP/1.1 204 No Content\r\n\r\n"
        )
        await writer.drain()
        return True
