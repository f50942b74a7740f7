"""The handover of requests to uvicorn: one at a time, with complete heads and bounded bodies.

`Handover` is the transport that an unmodified uvicorn protocol is given, as uvicorn itself gives
its transport to a WebSocket protocol. The connection stays ours, with the bounds that uvicorn's
protocol lacks: on pipelined bytes, on the number of requests, on their heads and on their time.
`attended` wraps the application, tells the connection when a request is answered, and names each
answer that has no name yet: a page's, or a fault's of the framework.
"""

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.server.heads import Head

if TYPE_CHECKING:
    from app.server.http_connection import HttpConnection

REQUEST_ID: Final = b"request-id"

STATE_KEY: Final = "wallet.handover"
"""The key of the connection in the application state, which uvicorn copies for each request."""


class AnswerLostError(ConnectionResetError):
    """The caller hung up before the answer was delivered."""


class Handover(asyncio.Transport):
    """The transport of uvicorn's protocol; it writes only while a request is handed over."""

    def __init__(
        self,
        owner: "HttpConnection",
        config: Config,
        app_state: dict[str, Any],
    ) -> None:
        """`owner` hands requests over; `config` and `app_state` are uvicorn's."""
        super().__init__()
        self._owner = owner
        self._is_chunked = False
        self._parts: list[bytes] = []
        self._call_soon = asyncio.get_running_loop().call_soon
        self.is_under_way = False
        """whether a request was handed over and is not answered yet"""
        self._is_attended = False
        """whether the application was called with it"""
        self._is_last = False
        self.has_written = False
        """whether anything of the answer was written"""
        self.inner = HttpToolsProtocol(config, owner.server_state, {**app_state, STATE_KEY: self})
        self.inner.connection_made(self)

    # --- what the connection hands over ---------------------------------------------------------

    def begin(self, head: Head, *, is_paused: bool) -> None:
        """Hand over a request's head; `is_paused`: the caller does not read for now."""
        if is_paused:
            self.inner.pause_writing()
        self.is_under_way, self.has_written = True, False
        self._is_attended, self._is_last = False, False
        self._is_chunked = head.is_chunked
        self.inner.data_received(head.forwarded())

    def pass_body(self, part: bytes) -> None:
        """Hand over a part of the body."""
        self.inner.data_received(b"%x\r\n%b\r\n" % (len(part), part) if self._is_chunked else part)

    def end_body(self) -> None:
        """Hand over the end of the body."""
        if self._is_chunked:
            self.inner.data_received(b"0\r\n\r\n")

    def close_after_answer(self) -> None:
        """Let the application know that no request follows this one."""
        self.inner.shutdown()

    def lose(self, error: Exception | None) -> None:
        """Let the application know that the connection is lost."""
        self.is_under_way = False
        self.inner.connection_lost(error)

    # --- the transport of uvicorn's protocol ----------------------------------------------------

    @override
    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._owner.transport.get_extra_info(name, default)

    @override
    def is_closing(self) -> bool:
        return not self.is_under_way or self._owner.transport.is_closing()

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Buffer until the end of this turn of the loop, since uvicorn writes head and body apart.

        Written apart, each would be a packet of its own.
        """
        if self.is_under_way:
            if not self._parts:
                self._call_soon(self.flush)
            self._parts.append(bytes(data))
            self.has_written = True

    def flush(self) -> None:
        """Write what is buffered."""
        parts, self._parts = self._parts, []
        if parts and not self._owner.transport.is_closing():
            self._owner.transport.write(b"".join(parts))

    @override
    def close(self) -> None:
        """Close after this answer; between two requests the connection itself decides.

        While the application runs, its end is waited for, since it may want to know whether the
        answer was delivered.
        """
        self._is_last = True
        if self.is_under_way and not self._is_attended:
            self._end_request()

    @override
    def abort(self) -> None:
        self._owner.transport.abort()

    @override
    def pause_reading(self) -> None:
        self._owner.pause_handover()

    @override
    def resume_reading(self) -> None:
        self._owner.resume_handover()

    # --- what the application lets it know -------------------------------------------------------

    async def finish(self) -> None:
        """Write what is buffered; raise AnswerLostError if the caller has hung up."""
        self.flush()
        owner = self._owner
        if owner.is_gone or (owner.peer_has_finished and not await owner.is_delivered()):
            raise AnswerLostError

    def application_begins(self) -> None:
        """Note that the application was called."""
        self._is_attended = True

    def application_ends(self, *, has_failed: bool) -> None:
        """Note that the application has returned; uvicorn may still write for it first."""
        self._is_last = self._is_last or has_failed
        self._call_soon(self._end_request)

    def _end_request(self) -> None:
        if self.is_under_way:
            self.flush()
            self.is_under_way = False
            self._owner.answer_is_complete(is_last=self._is_last)


def _named(start: Message) -> Message:
    """Return the start of an answer with a Request-Id; the contracts' have theirs."""
    headers = list(start.get("headers", ()))
    if any(name.lower() == REQUEST_ID for name, _ in headers):
        return start
    return {**start, "headers": [*headers, (REQUEST_ID, secrets.token_hex(16).encode())]}


def attended(app: ASGIApp) -> ASGIApp:
    """Wrap an application so that the connection learns when it has answered.

    The application learns whether its answer was delivered to a caller who had ended their side: if
    they had hung up, `send` raises OSError, as ASGI specifies.
    """

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        handover: Handover = scope["state"].pop(STATE_KEY)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = _named(message)
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                await handover.finish()

        has_failed = True
        handover.application_begins()
        try:
            with contextlib.suppress(AnswerLostError):
                await app(scope, receive, sending)
            has_failed = False
        finally:
            handover.application_ends(has_failed=has_failed)

    return served
