"""The handling of an HTTP request that all contracts share.

1. The body is read, within its size bound and the deadline.
2. If the caller hangs up while the request is handled, the handler is cancelled; a movement that is
   decided all the same is listed by the cashier as an unknown outcome.
3. Every error is converted into the contract's answer, and counted.
4. The answer is sent; if it cannot be delivered, this is counted, and its movement is listed.

Every request is a delivery, named by 16 random bytes. The log, the refusal log and the journal hold
the name, and the answer carries it in hexadecimal as `Request-Id`.

A contract provides the function that answers a request and the one that converts an error. The
contracts do not import each other.
"""

import asyncio
import secrets
import time
from binascii import hexlify
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, Generic, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.telemetry.metrics import Requests

BODY_BYTES_MAX: Final = 256 * 1024
"""Callback contract, section 1: a larger body is a 413. An ordinary bet has about 400 bytes, a slip
of 50 legs in a script that is not Latin about 81 KB."""

DRAIN_BYTES_MAX: Final = 16 * BODY_BYTES_MAX
"""How much of an oversized body is read and discarded, so that its sender gets the answer and keeps
the connection: 4 MiB, for a file sent by mistake. Beyond it the connection is closed."""

REQUEST_ID: Final = b"request-id"
"""The header that names the delivery answered, in hexadecimal, as the log does."""

Clock: TypeAlias = Callable[[], datetime]


def request_id_header(delivery: bytes) -> tuple[bytes, bytes]:
    """Return the header of the answer to this delivery."""
    return REQUEST_ID, hexlify(delivery)


class BodyTooLargeError(Exception):
    """The body is too large."""

    def __init__(self, *, ended: bool) -> None:
        super().__init__(BodyTooLargeError.__doc__)
        self.ended = ended
        """whether the body was read to its end, so that the connection can be used again"""


class BodyUnfinishedError(Exception):
    """The body did not end before the deadline."""

    def __init__(self) -> None:
        super().__init__(BodyUnfinishedError.__doc__)


class CallerGoneError(Exception):
    """The caller hung up before the answer."""


class Envelope(NamedTuple):
    """An HTTP request without its body."""

    headers: Iterable[tuple[bytes, bytes]]
    """names in lower case, in the order received"""
    query: bytes
    peer: str | None
    """the address of the other end of the connection"""

    @classmethod
    def of(cls, scope: Scope) -> "Envelope":
        """Return the envelope of an ASGI request."""
        client = scope.get("client")
        return cls(scope["headers"], scope["query_string"], client[0] if client else None)

    def joined(self, name: bytes) -> bytes | None:
        """Return all values of a header, joined in the order received; None: it is absent."""
        values = [value for n, value in self.headers if n == name]
        return b",".join(values) if values else None

    @property
    def forwarded_for(self) -> bytes | None:
        """All values of X-Forwarded-For."""
        return self.joined(b"x-forwarded-for")


async def read_body(receive: Receive, time_left: timedelta) -> bytes:
    """Read a request's body from ASGI, within the time that is left.

    Raises BodyTooLargeError beyond BODY_BYTES_MAX, BodyUnfinishedError when it does not end in
    time, CallerGoneError when the connection ends first.
    """
    parts: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(time_left.total_seconds()):
            while more and size <= DRAIN_BYTES_MAX:
                message = await receive()
                if message["type"] != "http.request":
                    raise CallerGoneError
                part: bytes = message.get("body", b"")
                size += len(part)
                if size <= BODY_BYTES_MAX:
                    parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError:
        if size <= BODY_BYTES_MAX:
            raise BodyUnfinishedError from None
    if size > BODY_BYTES_MAX:
        raise BodyTooLargeError(ended=not more)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class DoorAnswer(Protocol):
    """The properties of a contract's answer that are counted."""

    @property
    def status(self) -> int: ...  # noqa: D102 - the HTTP status
    @property
    def code(self) -> int: ...  # noqa: D102 - the contract's code
    @property
    def event_type(self) -> str: ...  # noqa: D102 - of the movement; empty: there is none
    @property
    def delivery(self) -> bytes: ...  # noqa: D102 - the delivery answered; empty: not set yet

    def _replace(self, *, delivery: bytes) -> Self: ...


A = TypeVar("A", bound=DoorAnswer)


class Arrival:
    """One request, from its first byte to its answer."""

    __slots__ = (
        "_began",
        "_body",
        "_deadline",
        "_receive",
        "_task",
        "_watch",
        "delivery",
        "envelope",
        "is_gone",
        "operation",
        "received_at",
    )

    def __init__(
        self,
        operation: str,
        envelope: Envelope,
        delivery: bytes,
        received_at: datetime,
        deadline: timedelta,
        source: bytes | Receive,
    ) -> None:
        """`source`: the whole body, or ASGI's `receive`, which brings it and reports a hang-up."""
        self.operation = operation
        self.envelope = envelope
        self.delivery = delivery
        """16 random bytes that name this request"""
        self.received_at = received_at
        self.is_gone = False
        """whether the caller has hung up"""
        self._began = time.perf_counter_ns()
        self._deadline = deadline
        self._body: bytes | None = None
        self._receive: Receive | None = None
        if isinstance(source, bytes):
            self._body = source
        else:
            self._receive = source
        self._task: asyncio.Task[object] | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def elapsed_ns(self) -> int:
        """The time since the request arrived, in nanoseconds."""
        return time.perf_counter_ns() - self._began

    @property
    def time_left(self) -> timedelta:
        """The time until the deadline."""
        if self._receive is None:
            return self._deadline  # The body was complete on arrival, so no time has passed.
        return self._deadline - timedelta(microseconds=self.elapsed_ns // 1000)

    async def body(self) -> bytes:
        """Return the body; from now on a caller who hangs up cancels the handler."""
        if self._body is None:
            assert self._receive is not None
            self._body = await read_body(self._receive, self.time_left)
            self.watch()
        elif len(self._body) > BODY_BYTES_MAX:
            raise BodyTooLargeError(ended=True)
        return self._body

    def watch(self) -> None:
        """Cancel the handler if the caller hangs up; on the fast path the server does this."""
        if self._receive is not None:
            self._task = asyncio.current_task()
            self._watch = asyncio.create_task(self._until_gone(self._receive))

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass  # a body that the operation does not read
        self.is_gone = True
        if self._task is not None:
            self._task.cancel()

    def ends(self) -> None:
        """Stop watching for a hang-up."""
        if self._watch is not None:
            self._watch.cancel()

    def was_cancelled_by_caller(self) -> bool:
        """Whether the caller's hang-up caused a cancellation, which is then undone."""
        if self.is_gone and self._task is not None:
            self._task.uncancel()
            return True
        return False


class EntryPoint(Generic[A]):
    """The entry point of one contract: every request passes it, and every answer is counted."""

    def __init__(
        self,
        requests: Requests,
        *,
        deadline: timedelta,
        clock: Clock,
        apologise: Callable[[Arrival, Exception], A],
        unheard: Callable[[A], None],
    ) -> None:
        """`requests` counts the answers; `clock` returns the current time, UTC.

        `apologise` converts an error into the contract's answer; `unheard` lists the movement of an
        answer that was not delivered.
        """
        self.requests = requests
        self._deadline = deadline
        self._clock = clock
        self._apologise = apologise
        self._unheard = unheard

    async def answer(
        self,
        operation: str,
        respond: Callable[[Arrival], Awaitable[A]],
        envelope: Envelope,
        source: bytes | Receive,
    ) -> A:
        """Answer one request; raise CallerGoneError if the caller has hung up.

        `source`: the whole body, or ASGI's `receive`. If the body is given, the server cancels this
        call when the caller hangs up, and calls `unheard`.
        """
        delivery = secrets.token_bytes(16)
        arrival = Arrival(operation, envelope, delivery, self._clock(), self._deadline, source)
        try:
            answer = await respond(arrival)
        except CallerGoneError:
            self.requests.gone += 1
            raise
        except asyncio.CancelledError:
            if arrival.was_cancelled_by_caller():
                self.requests.gone += 1
                raise CallerGoneError from None
            raise
        except Exception as error:  # noqa: BLE001 - the outermost handler: no input makes a 500
            answer = self._apologise(arrival, error)
        finally:
            arrival.ends()
        self.requests.count(
            operation, answer.event_type, answer.code, answer.status, arrival.elapsed_ns
        )
        return answer if answer.delivery else answer._replace(delivery=delivery)

    def unheard(self, answer: A | None) -> None:
        """Count a caller who hung up, and list the movement of the answer, if there was one."""
        self.requests.gone += 1
        if answer is not None:
            self._unheard(answer)

    async def respond(
        self,
        operation: str,
        respond: Callable[[Arrival], Awaitable[A]],
        scope: Scope,
        receive: Receive,
        response_of: Callable[[A], Response],
    ) -> Response:
        """Answer an ASGI request, with the response made by `response_of`."""
        try:
            answer = await self.answer(operation, respond, Envelope.of(scope), receive)
        except CallerGoneError:
            return NoResponse()
        response = response_of(answer)
        response.raw_headers.append(request_id_header(answer.delivery))
        return WatchedResponse(response, lambda: self.unheard(answer))

    def route(
        self,
        operation: str,
        respond: Callable[[Arrival], Awaitable[A]],
        response_of: Callable[[A], Response],
    ) -> Callable[[HttpRequest], Awaitable[Response]]:
        """Return the route of an operation, as a router takes it."""

        async def route(request: HttpRequest) -> Response:
            return await self.respond(
                operation, respond, request.scope, request.receive, response_of
            )

        return route


class WatchedResponse(Response):
    """A response that reports when it could not be delivered."""

    def __init__(self, response: Response, unheard: Callable[[], None]) -> None:
        """`unheard` is called if this response cannot be delivered."""
        super().__init__(status_code=response.status_code)
        self.raw_headers = response.raw_headers
        self._response = response
        self._on_unheard = unheard

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; the server raises OSError if the caller has hung up."""
        try:
            await self._response(scope, receive, send)
        except OSError:
            self._on_unheard()


class NoResponse(Response):
    """An empty response, for a caller who has hung up."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""
