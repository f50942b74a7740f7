"""The fast path: `POST /moveFunds` is answered without a framework, in one write.

For any request a framework makes a scope, an event to wait for, and a check of every header;
together they cost as much as all the rest of a bet's way through this process. Here a request that
has come whole is one call of its handler, which is the same function as behind the framework.
"""

import asyncio
from binascii import hexlify
from collections.abc import Awaitable, Collection, Sequence
from http import HTTPStatus
from typing import Final, Generic, Protocol, TypeVar

from app.server.heads import Head

Headers = Sequence[tuple[bytes, bytes]]

STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}


class FastAnswer(Protocol):
    """What goes out: status, body, whether the connection ends with it, and what it answers."""

    @property
    def status(self) -> int: ...  # noqa: D102 - as above
    @property
    def body(self) -> bytes: ...  # noqa: D102 - as above
    @property
    def is_last(self) -> bool: ...  # noqa: D102 - as above
    @property
    def delivery(self) -> bytes: ...  # noqa: D102 - the delivery's name, said as `Request-Id`


A = TypeVar("A", bound=FastAnswer)


class FastHandler(Protocol[A]):
    """What answers on the fast path."""

    @property
    def targets(self) -> Collection[bytes]:
        """Request targets, exactly as they stand in the request line."""

    @property
    def body_bytes_max(self) -> int:
        """A longer body goes to the framework, which reads it in pieces."""

    @property
    def headers(self) -> Headers:
        """Header lines of every answer; its length and its date come of themselves."""

    def answer(self, headers: Headers, body: bytes, peer: str | None) -> Awaitable[A]:
        """Answer a POST; `headers` with lower-case names, in the order in which they came.

        It is cancelled when the caller hangs up.
        """

    def unheard(self, answer: A | None) -> None:
        """Its caller has hung up, before it was answered (None) or before the answer arrived."""


class Caller(Protocol):
    """The connection that a request came by."""

    transport: asyncio.Transport
    peer: str | None
    is_gone: bool
    """whether the connection was lost"""
    is_last: bool
    """whether the connection ends with the request under way"""
    peer_has_finished: bool
    """whether the caller has ended their side of the connection"""
    writable: asyncio.Event | None
    """what to wait for while the caller does not read what was written before"""

    async def is_delivered(self) -> bool:
        """Whether a caller who has ended their side got what was written."""

    def task_is_over(self) -> None:
        """The task that answers has nothing more to do."""

    def answer_is_complete(self, *, is_last: bool) -> None:
        """The request was answered; `is_last`: the connection ends with it."""


class FastPath(Generic[A]):
    """The fast path of a process."""

    def __init__(self, handler: FastHandler[A]) -> None:
        """`handler`: answers the requests that take it."""
        self._handler = handler
        self._targets = frozenset(handler.targets)
        self.body_bytes_max = handler.body_bytes_max
        self._dated: Headers | None = None
        self._lines = b""
        """header lines of every answer, as long as the date stays the same"""

    def takes(self, head: Head) -> bool:
        """Whether this request may be answered here, if its body comes soon and is not long."""
        return (
            head.target in self._targets
            and head.method == b"POST"
            and head.is_http_1_1
            and not head.expects_continue
            and head.content_length <= self.body_bytes_max
        )

    async def serve(self, caller: Caller, head: Head, body: bytes, dated: Headers) -> None:
        """Answer one request; `dated`: header lines that the server has for every answer."""
        handler = self._handler
        answer: A | None = None
        try:
            answer = await handler.answer(head.headers, body, caller.peer)
            if caller.writable is not None:
                await caller.writable.wait()
            is_last = answer.is_last or caller.is_last
            if dated is not self._dated:
                self._date(dated)
            caller.transport.write(
                b"%b%brequest-id: %b\r\ncontent-length: %d\r\n%b\r\n%b"
                % (
                    STATUS_LINES[answer.status],
                    self._lines,
                    hexlify(answer.delivery),
                    len(answer.body),
                    b"connection: close\r\n" if is_last else b"",
                    answer.body,
                )
            )
            is_heard = not caller.peer_has_finished or await caller.is_delivered()
        except BaseException:
            caller.task_is_over()
            if caller.is_gone:
                handler.unheard(answer)
            else:
                caller.transport.close()  # No answer says that the outcome is not known.
            raise
        if not is_heard:
            handler.unheard(answer)
        caller.answer_is_complete(is_last=is_last)

    def _date(self, dated: Headers) -> None:
        lines = [b"%b: %b\r\n" % header for header in (*dated, *self._handler.headers)]
        self._dated, self._lines = dated, b"".join(lines)
