"""One connection of a caller: requests are read one at a time, and answered in their order.

1. A complete head is read, within its bounds of size and time, and checked.
2. The fast path answers it once its body has arrived; or it is handed over to uvicorn.
3. The next request is read only after the answer. Until then at most one read of further bytes is
   buffered, and reading is paused. So a malformed request never takes the place of the answer to an
   earlier one, and nothing that follows it is executed.

All requests pass through here, with the fast path on or off: uvicorn's own protocol loses the body
of a request that offers an Upgrade, queues requests without bound and waits for heads for ever.
"""

import asyncio
import secrets
import time
from typing import Any, Final

import structlog
from typing_extensions import override
from uvicorn.config import Config
from uvicorn.server import ServerState

from app.server.bodies import BodyReader, SizedBody, body_of
from app.server.caller_connection import LINGER_BYTES_MAX, CallerConnection, Stage
from app.server.connections import NEVER, Connections
from app.server.fast_path import FastPath
from app.server.handover import Handover
from app.server.heads import HEAD_BYTES_MAX, HEAD_END, Head, RequestError, read_head

logger: Final = structlog.get_logger("server")

PATIENCE_SECONDS: Final = 0.1
"""How late a body may follow its head on the fast path; many clients send the two apart.

Nagle's algorithm together with a delayed acknowledgement holds a body back for 40 ms (Linux).
"""

CR: Final = 13

_NO_HEAD: Final = Head()
_NO_BODY: Final = SizedBody(0)
"""The body reader between two requests."""


class HttpConnection(CallerConnection):
    """HTTP/1.1 and HTTP/1.0 with one caller."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        connections: Connections,
        fast_path: FastPath[Any] | None = None,
    ) -> None:
        """`config`, `server_state`, `app_state`: as uvicorn makes its own protocols."""
        super().__init__(connections)
        self._config = config
        self.server_state = server_state
        self._app_state = app_state
        self._fast_path = fast_path
        self._loop = asyncio.get_running_loop()

        self._searched = 0
        """the position in `_data` up to which the end of a head was searched"""
        self._head = _NO_HEAD
        self._body: BodyReader = _NO_BODY
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._patience: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._handover: Handover | None = None
        self._handover_waits = False
        self._is_answered = False
        """whether a request was answered before its body was complete"""
        self.is_last = False
        """whether the connection is closed after the request in progress"""

    # --- a connection's life --------------------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.server_state.connections.add(self)  # type: ignore[arg-type]  # what it calls is here
        if not self._open(transport):
            # It must not keep its descriptor, since there are none to spare.
            self._refuse(RequestError(503, "There are too many connections."), lingers=False)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone = True
        self._connections.discard(self)
        self.server_state.connections.discard(self)
        self._stage, self._data, self._at = Stage.ENDING, b"", 0
        self._release()
        if self._task is not None:
            self._task.cancel()
            self.task_is_over()
        if self._handover is not None:
            self._handover.lose(exc)
            self._handover = None

    def shutdown(self) -> None:
        """Answer the request in progress, then close: the server stops."""
        self.is_last = True
        match self._stage:
            case Stage.HEAD:
                self.transport.close()
            case Stage.HELD_BODY:
                self._hand_over_held()
            case _:
                pass

    @override
    def expire(self) -> None:
        if self.writable is None and self._stage is Stage.HEAD and self._at < len(self._data):
            self._refuse(RequestError(408, "The request did not come in time."))
        else:
            super().expire()

    # --- what comes in ----------------------------------------------------------------------------

    @override
    def data_received(self, data: bytes) -> None:
        if self._at == len(self._data):
            self._data, self._at, self._searched = data, 0, 0
        else:
            self._append(data)
        if self._stage is Stage.ANSWERING:
            self._pause_reading()
        elif self._stage is Stage.ENDING:
            self._throw_away()
        else:
            self._read()

    def _append(self, data: bytes) -> None:
        if isinstance(self._data, bytes):
            self._data = bytearray(self._data[self._at :])
        else:
            del self._data[: self._at]
        self._searched = max(0, self._searched - self._at)
        self._at = 0
        self._data += data

    def _read(self) -> None:
        """Read buffered bytes until a request waits for its answer or more bytes are needed."""
        try:
            if self._stage is Stage.HEAD:
                self._read_head()
            if self._stage is Stage.HELD_BODY:
                self._read_held_body()
            if self._stage is Stage.HANDED_BODY:
                self._hand_over_body()
            if self._stage is Stage.ANSWERING and self._at < len(self._data):
                self._pause_reading()
        except RequestError as error:
            self._refuse(error)

    def _read_head(self) -> None:
        """Read a head, if it is complete."""
        data = self._data
        at = self._at
        if data[at] == CR:
            at = self._skip_empty_lines()
        end = data.find(HEAD_END, self._searched or at)
        head_bytes = (len(data) if end < 0 else end + len(HEAD_END)) - at
        if head_bytes > HEAD_BYTES_MAX:
            raise RequestError(431, "The head is too long.")
        if end < 0:
            if self._searched == 0 and at < len(data):
                begun = time.monotonic_ns()
                self.expires_at = min(self.expires_at, begun + self._connections.deadline_ns)
            self._searched = max(at, len(data) - len(HEAD_END) + 1)
            return
        self._at = body_at = end + len(HEAD_END)
        self._searched = 0
        self.quiet_since, self.expires_at = None, NEVER
        if self.writable is not None:
            self._expire_after_deadline()
        head = self._head = read_head(bytes(data[at:body_at]))
        if not head.keep_alive:
            self.is_last = True
        fast_path = self._fast_path
        if fast_path is None or not fast_path.takes(head):
            self._body = body_of(head)
            self._hand_over(head)
        elif len(data) - body_at >= head.content_length and not head.is_chunked:
            self._at = body_at + head.content_length
            self._answer(fast_path, head, bytes(data[body_at : self._at]))
        else:
            self._stage, self._body = Stage.HELD_BODY, body_of(head)

    def _skip_empty_lines(self) -> int:
        """Skip line breaks that a few clients send after a body (RFC 9112, 2.2)."""
        while self._data[self._at : self._at + 2] == b"\r\n":
            self._at += 2
        return self._at

    # --- the fast path ----------------------------------------------------------------------------

    def _read_held_body(self) -> None:
        """Buffer the body; a request with a long or slow one is handed over."""
        count = len(self._held)
        self._at = self._body.read(self._data, self._at, self._held)
        self._held_bytes += sum(map(len, self._held[count:]))
        fast_path = self._fast_path
        if fast_path is None or self._held_bytes > fast_path.body_bytes_max:
            self._hand_over_held()
        elif self._body.is_complete:
            body = b"".join(self._held)
            self._release()
            self._answer(fast_path, self._head, body)
        elif self._patience is None:
            self._patience = self._loop.call_later(PATIENCE_SECONDS, self._lose_patience)

    def _answer(self, fast_path: FastPath[Any], head: Head, body: bytes) -> None:
        """Answer on the fast path."""
        state = self.server_state
        state.total_requests += 1
        self._stage = Stage.ANSWERING
        serving = fast_path.serve(self, head, body, state.default_headers)
        self._task = task = self._loop.create_task(serving)
        state.tasks.add(task)  # A done-callback would cost another turn of the loop.

    def _release(self) -> None:
        """Release everything held for the request."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._held, self._held_bytes = [], 0

    # --- handing over -----------------------------------------------------------------------------

    def _lose_patience(self) -> None:
        self._hand_over_held()
        self._read()

    def _hand_over_held(self) -> None:
        """Hand over a request with the part of its body that has arrived."""
        body = b"".join(self._held)
        self._release()
        self._hand_over(self._head)
        self._hand_over_part(body)

    def _hand_over(self, head: Head) -> None:
        """Hand over a request."""
        self._stage, self._is_answered = Stage.HANDED_BODY, False
        handover = self._handover
        if handover is None:
            handover = self._handover = Handover(self, self._config, self._app_state)
        handover.begin(head, is_paused=self.writable is not None)
        if self.is_last and self._stage is Stage.HANDED_BODY:
            handover.close_after_answer()

    def _hand_over_body(self) -> None:
        """Hand over the part of the body that has arrived."""
        if self._handover_waits:
            return
        parts: list[bytes] = []
        self._at = self._body.read(self._data, self._at, parts)
        self._hand_over_part(b"".join(parts))
        if self._body.is_complete and self._stage is Stage.HANDED_BODY:
            self._stage = Stage.ANSWERING
            if self._handover is not None:
                self._handover.end_body()
            if self._is_answered:
                self._end_or_go_on()

    def _hand_over_part(self, part: bytes) -> None:
        if not part or self._handover is None:
            return
        if self._is_answered:
            self._thrown_away += len(part)
            if self._thrown_away > LINGER_BYTES_MAX:
                self._end()
                return
        self._handover.pass_body(part)

    def pause_handover(self) -> None:
        """Stop handing over the body for now."""
        self._handover_waits = True
        self._pause_reading()

    def resume_handover(self) -> None:
        """Continue to hand over the body."""
        self._handover_waits = False
        self._loop.call_soon(self._go_on_handing_over)

    def _go_on_handing_over(self) -> None:
        if self._wants_body():
            self._read()
            if self._wants_body():
                self._resume_reading()

    def _wants_body(self) -> bool:
        return self._stage is Stage.HANDED_BODY and not self._handover_waits

    # --- what goes out ----------------------------------------------------------------------------

    def task_is_over(self) -> None:
        """Note that the fast path's task has ended."""
        if self._task is not None:
            self.server_state.tasks.discard(self._task)
            self._task = None

    def answer_is_complete(self, *, is_last: bool) -> None:
        """Note that the request was answered; `is_last`: the connection is closed."""
        if self._task is not None:
            self.task_is_over()
        if is_last:
            self.is_last = True
        if self._stage is Stage.ANSWERING:
            self._end_or_go_on()
        elif self._stage is Stage.HANDED_BODY:
            # A part of the body is still to arrive, and nothing will read it.
            if self.is_last:
                self._end()
            else:
                self._is_answered, self._thrown_away = True, 0
                self._expire_after_deadline()
                self.resume_handover()

    def _end_or_go_on(self) -> None:
        """Read the next request, or close."""
        if self.is_last:
            self._end(lingers=self._at < len(self._data) or self._is_paused)
            return
        self._stage = Stage.HEAD
        self.quiet_since = now = time.monotonic_ns()
        self.expires_at = now + self._connections.keep_alive_ns
        if self._at < len(self._data):
            self._read()
        if self._stage is Stage.HEAD and self.peer_has_finished:
            self.transport.close()
        elif self._is_paused and self._wants_more():
            self._resume_reading()

    def _wants_more(self) -> bool:
        """Whether the current or the next request is incomplete."""
        return self._stage in {Stage.HEAD, Stage.HELD_BODY} or self._wants_body()

    def _refuse(self, error: RequestError, *, lingers: bool = True) -> None:
        """Answer a request that cannot be read, and read no more."""
        self._release()
        if self._handover is not None:
            has_begun = self._is_answered or self._handover.has_written
            self._handover.lose(None)
            self._handover = None
            if has_begun and self._stage is Stage.HANDED_BODY:
                self.transport.close()
                return
        request_id = secrets.token_hex(16)
        logger.info(
            "not readable",
            status=error.status,
            reason=error.words,
            peer=self.peer,
            delivery=request_id,
        )
        self.transport.write(error.answer(self.server_state.default_headers, request_id))
        self._end(lingers=lingers)

    # --- a caller who does not read ---------------------------------------------------------------

    @override
    def pause_writing(self) -> None:
        self.writable = asyncio.Event()
        if self._handover is not None:
            self._handover.inner.pause_writing()
        if self._stage is not Stage.HEAD:
            self._expire_after_deadline()

    @override
    def resume_writing(self) -> None:
        if self.writable is not None:
            self.writable.set()
            self.writable = None
        if self._handover is not None:
            self._handover.inner.resume_writing()
        is_unanswered = self._stage is Stage.HANDED_BODY and not self._is_answered
        if self._stage is Stage.ANSWERING or is_unanswered:
            self.expires_at = NEVER
