"""How a request is handed over to uvicorn: one at a time, whole heads, bodies that end.

`Handover` is the transport that an untouched uvicorn protocol is given, as uvicorn itself gives its
transport to a WebSocket protocol. The connection stays ours, and with it all that uvicorn's
protocol does not bound: what stands between two requests, their number, their heads, their time.
`attended` goes around the application, and tells the connection when a request is answered.
"""

import asyncio
import contextlib
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

STATE_KEY: Final = "wallet.handover"
"""Where the application's state, which uvicorn copies for each request, has the connection."""


class AnswerLostError(ConnectionResetError):
    """The caller hung up before the answer arrived."""


class Owner(Protocol):
    """The connection that hands requests over."""

    @property
    def transport(self) -> asyncio.Transport:
        """The connection's transport."""

    @property
    def is_gone(self) -> bool:
        """Whether the connection was lost."""

    @property
    def peer_has_finished(self) -> bool:
        """Whether the caller has ended their side of the connection."""

    def pause_handover(self) -> None:
        """Hand over no more of the body for now."""

    def resume_handover(self) -> None:
        """Hand over more of the body."""

    def answer_is_complete(self, *, is_last: bool) -> None:
        """The request was answered; `is_last`: the connection ends with it."""

    async def is_delivered(self) -> bool:
        """Whether a caller who has ended their side got what was written."""


class Handover(asyncio.Transport):
    """The transport of the inner protocol; it writes only while a request is handed over."""

    def __init__(self, owner: Owner) -> None:
        """Stand between the connection and the protocol within."""
        super().__init__()
        self._owner = owner
        self._parts: list[bytes] = []
        self._call_soon = asyncio.get_running_loop().call_soon
        self.is_under_way = False
        """whether a request is handed over and not answered yet"""
        self._is_attended = False
        """whether the application has begun with it"""
        self._is_last = False
        self.has_written = False
        """whether anything of the answer was written"""

    def begin(self) -> None:
        """A request is handed over."""
        self.is_under_way, self.has_written = True, False
        self._is_attended, self._is_last = False, False

    @override
    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._owner.transport.get_extra_info(name, default)

    @override
    def is_closing(self) -> bool:
        return not self.is_under_way or self._owner.transport.is_closing()

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write at the end of this turn of the loop: uvicorn writes head and body apart.

        Each would be a packet of its own, and a wake-up for whoever reads it.
        """
        if self.is_under_way:
            if not self._parts:
                self._call_soon(self.flush)
            self._parts.append(bytes(data))
            self.has_written = True

    def flush(self) -> None:
        """Write what has been gathered."""
        parts, self._parts = self._parts, []
        if parts and not self._owner.transport.is_closing():
            self._owner.transport.write(b"".join(parts))

    @override
    def close(self) -> None:
        """Close after this answer; between two requests the connection knows when it is over.

        While the application is at work, its own end is waited for: it may want to know whether the
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

    async def finish(self) -> None:
        """Write what is left; raise AnswerLostError if the caller has hung up."""
        self.flush()
        owner = self._owner
        if owner.is_gone or (owner.peer_has_finished and not await owner.is_delivered()):
            raise AnswerLostError

    def application_begins(self) -> None:
        """The application has the request."""
        self._is_attended = True

    def application_ends(self, *, has_failed: bool) -> None:
        """The application has returned; what uvicorn still says of it comes first."""
        self._is_last = self._is_last or has_failed
        self._call_soon(self._end_request)

    def _end_request(self) -> None:
        if self.is_under_way:
            self.flush()
            self.is_under_way = False
            self._owner.answer_is_complete(is_last=self._is_last)


def attended(app: ASGIApp) -> ASGIApp:
    """Tell the connection when the application has answered, and the application when in vain.

    To a caller who has ended their side, an answer is sent and then looked after: if they had hung
    up, `send` raises OSError, as ASGI has it; an application need not mind.
    """

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        handover: Handover = scope["state"].pop(STATE_KEY)

        async def sending(message: Message) -> None:
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
