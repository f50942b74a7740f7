"""What every door does with an HTTP request, whichever contract it speaks.

1. The body is read, within its bound and the deadline.
2. While the request is worked on, a caller who hangs up ends it: the wait for a movement's receipt
   is cancelled, and the cashier lists what was decided all the same.
3. One place turns every error into the contract's answer, and counts it.
4. The answer is sent; a caller who did not get it is counted, and what they did not hear is listed.

Every request is a delivery with a name of its own. The log, the trail of refusals and the journal
have it, and the answer says it as `Request-Id`.

A door brings what is its own: what it answers, and how it says an error. Doors do not know each
other.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, Generic, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.deadlines import Limit
from app.edges.delivery_ids import DeliveryNames, request_id_header
from app.telemetry.metrics import Requests

BODY_BYTES_MAX: Final = 256 * 1024
"""Callback contract, section 1: a larger body is a 413. An ordinary bet has about 400 bytes, a slip
of 50 legs in a script that is not Latin about 81 KB."""

DRAIN_BYTES_MAX: Final = 16 * BODY_BYTES_MAX
"""How much of an oversized body is read and thrown away, so that its sender hears the answer and
keeps the connection: 4 MiB, a file sent by mistake. Beyond it the connection ends with it."""

Clock: TypeAlias = Callable[[], datetime]


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
    """The caller hung up before they were answered."""


class Envelope(NamedTuple):
    """What an HTTP request says beside its body."""

    headers: Iterable[tuple[bytes, bytes]]
    """names in lower case, in the order in which they came"""
    query: bytes
    peer: str | None
    """the address that is at the other end of the connection"""

    @classmethod
    def of(cls, scope: Scope) -> "Envelope":
        """The envelope of ASGI's request."""
        client = scope.get("client")
        return cls(scope["headers"], scope["query_string"], client[0] if client else None)

    def joined(self, name: bytes) -> bytes | None:
        """All values of a header, in the order in which they were written; None: it is absent."""
        values = [value for n, value in self.headers if n == name]
        return b",".join(values) if values else None

    @property
    def forwarded_for(self) -> bytes | None:
        """All of X-Forwarded-For."""
        return self.joined(b"x-forwarded-for")


async def read_body(receive: Receive, time_left: timedelta) -> bytes:
    """Read a request's body from ASGI, within the time that is left.

    Raises BodyTooLargeError beyond BODY_BYTES_MAX, BodyUnfinishedError when it does not end in
    time, CallerGoneError when the connection ends first.
    """
    parts: list[bytes] = []
    size, more = 0, True
    try:
        with Limit(time_left):
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
    """What every contract's answer says to the counters."""

    @property
    def status(self) -> int: ...  # noqa: D102 - the HTTP status
    @property
    def code(self) -> int: ...  # noqa: D102 - the contract's code
    @property
    def event_type(self) -> str: ...  # noqa: D102 - of the movement it answers; empty: of none
    @property
    def delivery(self) -> bytes: ...  # noqa: D102 - the delivery that it answers; empty: not yet

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
        """`source`: the body, or where it and the caller's end are heard of (ASGI)."""
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
        """How long the request has been here, in nanoseconds."""
        return time.perf_counter_ns() - self._began

    @property
    def time_left(self) -> timedelta:
        """Until the deadline."""
        if self._receive is None:
            return self._deadline  # It came whole, and nothing was waited for.
        return self._deadline - timedelta(microseconds=self.elapsed_ns // 1000)

    async def body(self) -> bytes:
        """The body; from now on a caller who hangs up cancels the work."""
        if self._body is None:
            assert self._receive is not None
            self._body = await read_body(self._receive, self.time_left)
            self.watch()
        elif len(self._body) > BODY_BYTES_MAX:
            raise BodyTooLargeError(ended=True)
        return self._body

    def watch(self) -> None:
        """Cancel the work when the caller hangs up; where the body is here, the server does it."""
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
        """Watch no more."""
        if self._watch is not None:
            self._watch.cancel()

    def was_cancelled_by_caller(self) -> bool:
        """Whether a cancellation is the caller's; it is taken back then, as the work is over."""
        if self.is_gone and self._task is not None:
            self._task.uncancel()
            return True
        return False


class Door(Generic[A]):
    """One contract's way in: every request passes here, and every answer is counted."""

    def __init__(
        self,
        requests: Requests,
        *,
        deadline: timedelta,
        clock: Clock,
        apologise: Callable[[Arrival, Exception], A],
        unheard: Callable[[A], None],
    ) -> None:
        """`requests` counts the answers; `clock` tells when a request arrived, UTC.

        `apologise` says an error as the contract does; `unheard` lists what an answer said that
        did not arrive.
        """
        self.requests = requests
        self._deadline = deadline
        self._clock = clock
        self._apologise = apologise
        self._unheard = unheard
        self._deliveries = DeliveryNames()

    async def answer(
        self,
        operation: str,
        respond: Callable[[Arrival], Awaitable[A]],
        envelope: Envelope,
        source: bytes | Receive,
    ) -> A:
        """Answer one request; raise CallerGoneError if nobody waits for the answer any more.

        `source`: its body, or where it is received. With a body given, the server cancels the work
        when the caller hangs up, and says so with `unheard`.
        """
        delivery = self._deliveries.draw()
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
        except Exception as error:  # noqa: BLE001 - the outermost door: no input makes a 500
            answer = self._apologise(arrival, error)
        finally:
            arrival.ends()
        self.requests.count(
            operation, answer.event_type, answer.code, answer.status, arrival.elapsed_ns
        )
        return answer if answer.delivery else answer._replace(delivery=delivery)

    def unheard(self, answer: A | None) -> None:
        """Count a caller who hung up, and list what they were not told: None is nothing yet."""
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
        """Answer ASGI's request with the response that says it."""
        try:
            answer = await self.answer(operation, respond, Envelope.of(scope), receive)
        except CallerGoneError:
            return NoResponse()
        response = response_of(answer)
        response.raw_headers.append(request_id_header(answer.delivery))
        return WatchedResponse(response, lambda: self.unheard(answer))


class WatchedResponse(Response):
    """A response that says so when it did not arrive."""

    def __init__(self, response: Response, unheard: Callable[[], None]) -> None:
        """Send this response."""
        super().__init__(status_code=response.status_code)
        self.raw_headers = response.raw_headers
        self._response = response
        self._on_unheard = unheard

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a server tells by OSError that the caller has hung up."""
        try:
            await self._response(scope, receive, send)
        except OSError:
            self._on_unheard()


class NoResponse(Response):
    """Nothing is sent: nobody is there."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""
