"""One connection to an endpoint: one request at a time, its answer read within bounds.

A lean client over httptools: no task, no future and no timer for each request, which would cost
more than everything else that a delivery does. Of an answer only the status counts; its body is
read up to a bound and dropped.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools
from typing_extensions import override

BODY_BYTES_MAX: Final = 64 * 1024
HEAD_BYTES_MAX: Final = 64 * 1024
"""Of an answer; what a receiver says is not read, so more is a mistake or an attack."""

INFORMATIONAL: Final = range(100, 200)

ANSWER_TOO_LARGE: Final = "answer too large"
NOT_HTTP: Final = "not HTTP"
CLOSED: Final = "connection closed"

OnAnswer = Callable[["Connection", int], None]
OnLost = Callable[["Connection", str], None]


class Connection(asyncio.Protocol):
    """A connection that is open until one side ends it."""

    def __init__(self, on_answer: OnAnswer, on_lost: OnLost) -> None:
        """`on_answer` gets the status of the request under way; `on_lost` why there is none."""
        self._on_answer = on_answer
        self._on_lost = on_lost
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._bytes = 0
        self._keeps_alive = True
        self.is_busy = False
        self.answers = 0
        self.has_answer_begun = False
        self.sent_at = 0
        """by the loop's monotonic clock, in nanoseconds"""

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, now: int) -> None:
        """Send a request; the one before it was answered."""
        if self._transport is None:
            raise AssertionError("a request needs an open connection")
        self.is_busy, self.has_answer_begun = True, False
        self.sent_at, self._bytes = now, 0
        self._transport.write(request)

    def give_up(self, reason: str) -> None:
        """End the connection, and tell why the request under way has no answer."""
        self._lose(reason)

    def close(self) -> None:
        """End the connection; what is under way has no answer."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        if not self.is_busy:
            # Nobody asked: whoever answers before the question cannot be understood later, either.
            self.close()
            return
        self.has_answer_begun = True
        self._bytes += len(data)
        if self._bytes > HEAD_BYTES_MAX + BODY_BYTES_MAX:
            self._lose(ANSWER_TOO_LARGE)
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._lose(NOT_HTTP)
        except httptools.HttpParserError:
            self._lose(NOT_HTTP)

    def on_message_complete(self) -> None:
        """Tell the status; called by the parser."""
        status = self._parser.get_status_code()
        if status in INFORMATIONAL or not self.is_busy:
            return
        self._keeps_alive = self._parser.should_keep_alive()
        self.is_busy = False
        self.answers += 1
        if not self._keeps_alive:
            self.close()
        self._on_answer(self, status)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.is_busy:
            self._lose(CLOSED)
        else:
            self._on_lost(self, CLOSED)
        self._transport = None

    def _lose(self, reason: str) -> None:
        was_busy, self.is_busy = self.is_busy, False
        self.close()
        if was_busy:
            self._on_lost(self, reason)
