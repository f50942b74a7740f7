"""The door: HTTP in, HTTP out. It names the steps of a request and holds no rule.

1. The caller's network, where a list of them is set.
2. The body, with an end and a deadline.
3. The method of the desk.
4. One place where every error becomes the contract's shape: what is not understood 400, what is
   too large 413, what the ledger could not say, and any fault of our own, 503, so that the caller
   asks again.

`/moveFunds` is answered at the server's hatch, or else in front of the framework, for a framework's
route costs more than the request. Behind both stands the same function as an ordinary route, which
the documentation describes.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from fastapi import APIRouter, Security
from fastapi.security import APIKeyHeader
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from app.edges.callback import log, openapi
from app.edges.callback.answers import (
    ACCEPTED,
    CODES,
    DUPLICATE,
    FORMAT,
    Answer,
    not_understood,
)
from app.edges.callback.errors import EncodingError, SignatureError, UntrustedCallerError
from app.edges.callback.handlers import Handlers, Request
from app.edges.wire import (
    BodyTooLargeError,
    BodyUnfinishedError,
    CallerGoneError,
    check_size,
    read_body,
)
from app.ledger.errors import LedgerError
from app.telemetry.metrics import Requests
from app.wallet.events import GAME_EVENT_TYPES

NOT_SIGNED_WORDS: Final = "Request not validate"
"""The aggregator's own words (documented)."""

ASK_AGAIN_WORDS: Final = "the outcome is not known, ask again"

Method: TypeAlias = Callable[[Request], Awaitable[Answer]]
Clock: TypeAlias = Callable[[], datetime]

METHODS: Final = tuple(described.operation_id for described in openapi.OPERATIONS.values())

ANSWERS: Final = tuple(
    (method, event_type, code, status)
    for method in METHODS
    for event_type in ("", *(GAME_EVENT_TYPES if method == "moveFunds" else ()))
    for code, status in (
        *((code, 200) for code in sorted({ACCEPTED, DUPLICATE, *CODES.values()})),
        *(((FORMAT, 413), (FORMAT, 503)) if event_type == "" else ()),
    )
)
"""What the numbers show at 0 until it happens."""


JSON_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
)
LAST_HEADERS: Final = ((b"connection", b"close"),)


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

    @property
    def forwarded_for(self) -> bytes | None:
        """All of X-Forwarded-For, in the order in which it was written."""
        values = [value for name, value in self.headers if name == b"x-forwarded-for"]
        return b",".join(values) if values else None


class Endpoint:
    """Answers HTTP requests with the methods of a desk, within a deadline."""

    def __init__(self, handlers: Handlers, *, deadline: timedelta, clock: Clock) -> None:
        """`clock`: when a request arrived, UTC."""
        self.handlers = handlers
        self.requests = Requests(METHODS, answers=ANSWERS, not_admitted=("network", "signature"))
        self._deadline = deadline
        self._clock = clock

    async def answer(
        self, operation: str, method: Method, envelope: Envelope, body: bytes | Receive
    ) -> Answer:
        """Answer one request, whose body is here or still to be received.

        Raises CallerGoneError if nobody waits for the answer.
        """
        began, received_at, time_left = time.perf_counter_ns(), self._clock(), self._deadline
        try:
            content_type = signature = None
            for name, value in envelope.headers:
                if name == b"hash-authorization":
                    signature = value
                elif name == b"content-type":
                    content_type = value
            authenticator = self.handlers.authenticator
            if not authenticator.admits_anybody:
                authenticator.check_caller(envelope.peer, envelope.forwarded_for)
            if not isinstance(body, bytes):
                body = await read_body(body, time_left)
                time_left -= timedelta(microseconds=(time.perf_counter_ns() - began) // 1000)
            check_size(body)
            answer = await method(
                Request(body, envelope.query, content_type, signature, received_at, time_left)
            )
        except CallerGoneError:
            self.requests.gone += 1
            raise
        except Exception as error:  # noqa: BLE001 - the outermost door: no input makes a 500
            answer = self._apology(operation, error, envelope)
        taken = time.perf_counter_ns() - began
        self.requests.count(operation, answer.event_type, answer.code, answer.status, taken)
        return answer

    def _apology(self, operation: str, error: Exception, envelope: Envelope) -> Answer:
        """Say an error in the contract's shape, and log it."""
        caller = self.handlers.authenticator.caller(envelope.peer, envelope.forwarded_for)
        match error:
            case UntrustedCallerError() | SignatureError():
                is_untrusted = isinstance(error, UntrustedCallerError)
                self.requests.not_admitted["network" if is_untrusted else "signature"] += 1
                log.not_admitted(operation, str(error), caller)
                return not_understood(NOT_SIGNED_WORDS, is_last=is_untrusted)
            case EncodingError():
                log.not_readable(operation, str(error), caller)
                return not_understood(str(error))
            case BodyTooLargeError():
                log.not_readable(operation, str(error), caller)
                return not_understood(str(error), status=413, is_last=not error.ended)
            case BodyUnfinishedError():
                log.not_readable(operation, str(error), caller)
                return not_understood(ASK_AGAIN_WORDS, status=503, is_last=True)
            case LedgerError():
                log.unavailable(operation, error)
            case _:
                log.failed(operation, error)
        return not_understood(ASK_AGAIN_WORDS, status=503)


class MoveFundsHatch:
    """Where `/moveFunds` is answered when it has arrived whole."""

    targets = frozenset({b"/moveFunds", b"/moveFunds/"})
    headers = JSON_HEADERS

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def answer(
        self, headers: Iterable[tuple[bytes, bytes]], body: bytes, peer: str | None
    ) -> Awaitable[Answer]:
        """Answer one POST."""
        endpoint = self._endpoint
        return endpoint.answer(
            "moveFunds", endpoint.handlers.move_funds, Envelope(headers, b"", peer), body
        )


class CallbackApp:
    """The framework's application, with shorter ways for the method that moves money.

    The server's hatch is the shortest. Where it cannot be used (for a long body, or one that comes
    slowly, or while traces are collected), the method still is asked before the framework.
    """

    def __init__(self, app: ASGIApp, endpoint: Endpoint) -> None:
        self.framework = app
        self.hatch = MoveFundsHatch(endpoint)
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of ASGI."""
        if (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and scope["path"] in {"/moveFunds", "/moveFunds/"}
        ):
            endpoint, envelope = self._endpoint, Envelope.of(scope)
            try:
                answer = await endpoint.answer(
                    "moveFunds", endpoint.handlers.move_funds, envelope, receive
                )
            except CallerGoneError:
                return
            await response_of(answer)(scope, receive, send)
        else:
            await self.framework(scope, receive, send)


def response_of(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    """Make the framework's response of an answer."""
    response = Response(answer.body, answer.status, headers)
    response.raw_headers.extend(JSON_HEADERS)
    if answer.is_last:
        response.raw_headers.extend(LAST_HEADERS)
    return response


def callback_router(endpoint: Endpoint) -> APIRouter:
    """Make the six methods' routes, each with and without a slash, never through a redirect."""
    signature = APIKeyHeader(
        name="Hash-Authorization", description=openapi.SIGNATURE, auto_error=False
    )
    router = APIRouter(tags=["callback"], dependencies=[Security(signature)])
    handlers = endpoint.handlers
    methods: tuple[tuple[str, str, Method], ...] = (
        ("GET", "/sessionCheck", handlers.session_check),
        ("GET", "/playerDetails", handlers.player_details),
        ("GET", "/getBalance", handlers.get_balance),
        ("GET", "/getUserToken", handlers.get_user_token),
        ("POST", "/moveFunds", handlers.move_funds),
        ("POST", "/notification/maintenance", handlers.maintenance),
    )
    for verb, path, method in methods:
        described = openapi.OPERATIONS[path]
        for spelled, is_described in ((path, True), (f"{path}/", False)):
            router.add_api_route(
                spelled,
                _route(endpoint, described.operation_id, method),
                methods=[verb],
                response_class=Response,
                include_in_schema=is_described,
                operation_id=described.operation_id if is_described else None,
                summary=described.summary,
                description=described.description,
                responses=described.responses,
                openapi_extra=described.extra,
            )
    return router


class _NoAnswer(Response):
    """Nothing is sent: nobody is there."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


def _route(
    endpoint: Endpoint, operation: str, method: Method
) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def route(request: HttpRequest) -> Response:
        try:
            answer = await endpoint.answer(
                operation,
                method,
                Envelope.of(request.scope),
                request.receive if request.method == "POST" else b"",
            )
        except CallerGoneError:
            return _NoAnswer()
        return response_of(answer)

    return route
