"""The fast path: `POST /moveFunds` is answered without a framework, in one write.

For every request a framework makes a scope and an event to wait for, and checks every header; this
costs as much as all the rest of a bet's handling in this process. Here a request that has arrived
completely is one call of its handler, the same function that the framework's route calls.
"""

from binascii import hexlify
from collections.abc import Awaitable, Collection
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from app.server.heads import STATUS_LINES, Head, Headers

if TYPE_CHECKING:
    from app.server.http_connection import HttpConnection


class FastAnswer(Protocol):
    """An answer: status, body, whether the connection is closed after it, and its delivery."""

    @property
    def status(self) -> int: ...  # noqa: D102 - as above
    @property
    def body(self) -> bytes: ...  # noqa: D102 - as above
    @property
    def is_last(self) -> bool: ...  # noqa: D102 - as above
    @property
    def delivery(self) -> bytes: ...  # noqa: D102 - sent as `Request-Id`


A = TypeVar("A", bound=FastAnswer)


class FastHandler(Protocol[A]):
    """The handler of requests on the fast path."""

    @property
    def targets(self) -> Collection[bytes]:
        """The request targets, exactly as in the request line."""

    @property
    def body_bytes_max(self) -> int:
        """A longer body goes to the framework, which reads it in pieces."""

    @property
    def headers(self) -> Headers:
        """The header lines of every answer; length and date are added by the server."""

    def answer(self, headers: Headers, body: bytes, peer: str | None) -> Awaitable[A]:
        """Answer a POST; `headers` have lower-case names and are in the order received.

        The call is cancelled when the caller hangs up.
        """

    def unheard(self, answer: A | None) -> None:
        """Note that the caller hung up, before the answer (None) or before its delivery."""


class FastPath(Generic[A]):
    """The fast path of a process."""

    def __init__(self, handler: FastHandler[A]) -> None:
        """`handler` answers the requests that take the fast path."""
        self._handler = handler
        self._targets = frozenset(handler.targets)
        self.body_bytes_max = handler.body_bytes_max
        self._dated: Headers | None = None
        self._lines = b""
        """header lines of every answer, cached while the date stays the same"""

    def takes(self, head: Head) -> bool:
        """Whether this request may be answered here, if its body is short and arrives soon."""
        return (
            head.target in self._targets
            and head.method == b"POST"
            and head.is_http_1_1
            and not head.expects_continue
            and head.content_length <= self.body_bytes_max
        )

    async def serve(
        self, caller: "HttpConnection", head: Head, body: bytes, dated: Headers
    ) -> None:
        """Answer one request; `dated` are the server's header lines, with the date."""
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
                caller.transport.close()  # No answer: the outcome is unknown.
            raise
        if not is_heard:
            handler.unheard(answer)
        caller.answer_is_complete(is_last=is_last)

    def _date(self, dated: Headers) -> None:
        lines = [b"%b: %b\r\n" % header for header in (*dated, *self._handler.headers)]
        self._dated, self._lines = dated, b"".join(lines)
