"""The hatch: a short request is answered there, without the ceremony of ASGI.

1. A POST on one of the application's hatch targets is held until its last byte.
2. Then one coroutine answers it, in one write.
3. Every other request goes to uvicorn, as if nobody had held it: one that is too long, too.

For any request uvicorn makes a scope, an event to wait for, and a check of every header; together
they cost as much as all the rest of a bet's way through this process. What holds for a connection
(keep-alive, requests sent without waiting, the goodbye at shutdown) stays uvicorn's: while the
hatch is busy a `Visit` stands where uvicorn looks for its own request.
"""

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from typing import Any, Protocol, cast

from typing_extensions import override
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle
from uvicorn.server import ServerState

from app.server.one_write import OneWriteProtocol

Headers = Sequence[tuple[bytes, bytes]]

HELD_BYTES_MAX = 64 * 1024
"""A longer body goes to uvicorn, which lets the application read it in pieces."""

PATIENCE_SECONDS = 0.1
"""So long may pass between the end of the head and the last byte: many send head and body apart."""


class HatchAnswer(Protocol):
    """What goes out: the HTTP status, the body, and whether the connection ends with it."""

    @property
    def status(self) -> int: ...  # noqa: D102 - as above
    @property
    def body(self) -> bytes: ...  # noqa: D102 - as above
    @property
    def is_last(self) -> bool: ...  # noqa: D102 - as above


class Hatch(Protocol):
    """What an ASGI application has as its `hatch` if it answers some requests there."""

    @property
    def targets(self) -> Collection[bytes]:
        """Request targets, exactly as they stand in the request line."""

    @property
    def headers(self) -> Headers:
        """Header lines of every answer; its length, and uvicorn's own, come of themselves."""

    def answer(self, headers: Headers, body: bytes, peer: str | None) -> Awaitable[HatchAnswer]:
        """Answer a POST; `headers` with lower-case names, in the order in which they came."""


class _Unheard:
    """An event that nobody waits for."""

    def set(self) -> None:
        """Happen."""


class Visit:
    """A request at the hatch, as far as uvicorn's own bookkeeping looks at it."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")

    message_event = _Unheard()

    def __init__(self, *, keep_alive: bool, response_complete: bool = False) -> None:
        """`keep_alive`: whether another request may follow on this connection."""
        self.disconnected = False
        self.keep_alive = keep_alive
        self.response_complete = response_complete


class HatchProtocol(OneWriteProtocol):
    """HTTP/1.1 as uvicorn speaks it, with a hatch for an application that has one."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn makes it for each connection."""
        super().__init__(config, server_state, app_state, _loop)
        self.cycle = cast("RequestResponseCycle", Visit(keep_alive=True, response_complete=True))
        self._hatch: Hatch | None = getattr(config.loaded_app, "hatch", None)
        self._held: list[bytes] | None = None
        """the body of a request that may be for the hatch, as far as it has come"""
        self._held_bytes = 0
        self._held_headers: list[tuple[bytes, bytes]] = []
        self._patience: asyncio.TimerHandle | None = None
        self._dated: Headers = ()
        self._head = b""
        """header lines of every answer, as long as uvicorn's own (the date) stay the same"""

    @override
    def data_received(self, data: bytes) -> None:
        """Read what has come; what is still to come is waited for with patience, but not long."""
        super().data_received(data)
        if self._held is not None:
            if self.transport.is_closing():
                self._release()
            elif self._is_long():
                self._pass_on()
            elif self._patience is None:
                self._patience = self.loop.call_later(PATIENCE_SECONDS, self._pass_on)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was held: it will never be whole."""
        self._release()
        super().connection_lost(exc)

    @override
    def shutdown(self) -> None:
        """Answer what is under way, then close; what is still held is uvicorn's to wait for."""
        if self._held is not None:
            self._pass_on()
        super().shutdown()

    @override
    def on_message_begin(self) -> None:
        """Begin a request; its scope is made only for those who need one."""
        self.url, self.headers, self.expect_100_continue = b"", [], False

    @override
    def on_headers_complete(self) -> None:
        """Hold what may be for the hatch."""
        hatch = self._hatch
        if (
            hatch is not None
            and self.url in hatch.targets
            and self.parser.get_method() == b"POST"
            and self.cycle.response_complete
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
            and self.parser.get_http_version() == "1.1"
        ):
            self._held, self._held_bytes, self._held_headers = [], 0, self.headers
            self.headers = []  # What is named after the body is no header.
        else:
            self._begin_long_way(self.headers)

    @override
    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)
            self._held_bytes += len(body)

    @override
    def on_message_complete(self) -> None:
        """Answer at the hatch what has come whole."""
        if self._held is not None and self._is_long():
            self._pass_on()
        if self._held is None or self._hatch is None:
            super().on_message_complete()
            return
        parts = self._release()
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        visit = Visit(keep_alive=self.parser.should_keep_alive())
        self.cycle = cast("RequestResponseCycle", visit)
        task = self.loop.create_task(self._serve(self._hatch, visit, self._held_headers, body))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _is_long(self) -> bool:
        return self._held_bytes > HELD_BYTES_MAX

    def _release(self) -> list[bytes]:
        """Hold nothing any more; return what was held."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        parts, self._held = self._held or [], None
        return parts

    def _pass_on(self) -> None:
        """Hand to uvicorn what was held."""
        parts = self._release()
        self._begin_long_way(self._held_headers)
        for part in parts:
            super().on_body(part)

    def _begin_long_way(self, headers: list[tuple[bytes, bytes]]) -> None:
        url, expected = self.url, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expected
        self.headers.extend(headers)  # The scope holds this very list,
        super().on_headers_complete()
        self.headers = []  # and what is named after the body does not come into it.

    async def _serve(self, hatch: Hatch, visit: Visit, headers: Headers, body: bytes) -> None:
        try:
            answer = await hatch.answer(headers, body, self.client[0] if self.client else None)
            if self.flow.write_paused:
                await self.flow.drain()
            if not (visit.disconnected or self.transport.is_closing()):
                self._say(hatch, visit, answer)
        except BaseException:
            # No answer says that the outcome is not known.
            self.transport.close()
            raise

    def _say(self, hatch: Hatch, visit: Visit, answer: HatchAnswer) -> None:
        ends = answer.is_last or not visit.keep_alive
        self.gathering.write_at_once(
            b"%b%bcontent-length: %d\r\n%b\r\n%b"
            % (
                STATUS_LINE[answer.status],
                self._head_lines(hatch),
                len(answer.body),
                b"connection: close\r\n" if ends else b"",
                answer.body,
            )
        )
        visit.response_complete = True
        if ends:
            self.transport.close()
        self.on_response_complete()

    def _head_lines(self, hatch: Hatch) -> bytes:
        dated = self.server_state.default_headers
        if dated is not self._dated:
            lines = [b"%b: %b\r\n" % header for header in (*dated, *hatch.headers)]
            self._dated, self._head = dated, b"".join(lines)
        return self._head
