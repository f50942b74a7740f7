"""The endpoint: HTTP in, HTTP out. It names the steps of a request and holds no rule.

1. The caller's network, where a list of them is set.
2. The body, with an end and a deadline.
3. The contract's method.
4. Every error in the contract's shape: 400 for a malformed request, 413 for a body that is too
   large, 503 for an outcome that is unknown and for any fault of ours, so that the caller retries.

`/moveFunds` is answered on the server's fast path, or else before the framework's routing, which
costs more than the rest of the request. Both call the same function as the framework's route, which
the API documentation describes.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, TypeAlias

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.cashier.request_archive import RequestArchive
from app.edges import faults
from app.edges.callback import log, openapi
from app.edges.callback.answers import (
    ACCEPTED,
    CODES,
    DUPLICATE,
    FORMAT,
    Answer,
    not_understood,
)
from app.edges.callback.archiving import Method, archived
from app.edges.callback.errors import EncodingError, SignatureError, UntrustedCallerError
from app.edges.callback.handlers import Handlers, Request
from app.edges.http import (
    BODY_BYTES_MAX,
    Arrival,
    BodyTooLargeError,
    BodyUnfinishedError,
    Clock,
    EntryPoint,
    Envelope,
)
from app.ledger.errors import LedgerError
from app.telemetry.metrics import Requests
from app.wallet.events import GAME_EVENT_TYPES

NOT_SIGNED_WORDS: Final = "Request not validate"
"""The aggregator's own words (documented)."""

ASK_AGAIN_WORDS: Final = "the outcome is not known, ask again"

Respond: TypeAlias = Callable[[Arrival], Awaitable[Answer]]

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
"""The label values that the metrics show at 0 from the start."""

MOVE_FUNDS_PATHS: Final = ("/moveFunds", "/moveFunds/")

JSON_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
)
LAST_HEADERS: Final = ((b"connection", b"close"),)


class Endpoint:
    """Answers HTTP requests by the contract's methods, within a deadline."""

    def __init__(
        self,
        handlers: Handlers,
        *,
        deadline: timedelta,
        clock: Clock,
        archive: RequestArchive | None = None,
    ) -> None:
        """`clock` returns the time at which a request is received, UTC.

        `archive` keeps moveFunds' requests and answers; None: nobody does.
        """
        self.handlers = handlers
        move_funds = handlers.move_funds
        self.moving = move_funds if archive is None else archived(move_funds, archive)
        """the method `/moveFunds`"""
        self.entry_point = EntryPoint(
            Requests(METHODS, answers=ANSWERS, not_admitted=("network", "signature")),
            deadline=deadline,
            clock=clock,
            apologise=self._apologise,
            unheard=handlers.unheard,
        )
        self.move_funds = self.responding(self.moving, has_body=True)
        """answers `/moveFunds`, on the fast path or in front of the framework"""

    @property
    def requests(self) -> Requests:
        """The counters of requests."""
        return self.entry_point.requests

    def responding(self, method: Method, *, has_body: bool) -> Respond:
        """Return the function that answers a request by this method."""
        if has_body:
            return lambda arrival: self._with_body(method, arrival)
        return lambda arrival: self._without_body(method, arrival)

    async def _with_body(self, method: Method, arrival: Arrival) -> Answer:
        self._check_caller(arrival)
        body = await arrival.body()
        return await method(_request(arrival, body))

    async def _without_body(self, method: Method, arrival: Arrival) -> Answer:
        self._check_caller(arrival)
        arrival.watch()
        return await method(_request(arrival, b""))

    def _check_caller(self, arrival: Arrival) -> None:
        authenticator, envelope = self.handlers.authenticator, arrival.envelope
        if not authenticator.admits_anybody:
            authenticator.check_caller(envelope.peer, envelope.forwarded_for)

    def _apologise(self, arrival: Arrival, error: Exception) -> Answer:
        """Return the contract's answer to an error, and log the error."""
        operation, envelope, delivery = arrival.operation, arrival.envelope, arrival.delivery
        caller = self.handlers.authenticator.caller(envelope.peer, envelope.forwarded_for)
        match error:
            case UntrustedCallerError() | SignatureError():
                is_untrusted = isinstance(error, UntrustedCallerError)
                self.requests.not_admitted["network" if is_untrusted else "signature"] += 1
                log.not_admitted(operation, str(error), caller, delivery)
                return not_understood(NOT_SIGNED_WORDS, is_last=is_untrusted)
            case EncodingError():
                log.not_readable(operation, str(error), caller, delivery)
                return not_understood(str(error))
            case BodyTooLargeError():
                log.not_readable(operation, str(error), caller, delivery)
                return not_understood(str(error), status=413, is_last=not error.ended)
            case BodyUnfinishedError():
                log.not_readable(operation, str(error), caller, delivery)
                return not_understood(ASK_AGAIN_WORDS, status=503, is_last=True)
            case LedgerError():
                faults.unavailable(log.logger, operation, error, delivery)
            case _:
                faults.failed(log.logger, operation, error, delivery)
        return not_understood(ASK_AGAIN_WORDS, status=503)


def _request(arrival: Arrival, body: bytes) -> Request:
    content_type = signature = None
    for name, value in arrival.envelope.headers:
        if name == b"hash-authorization":
            signature = value
        elif name == b"content-type":
            content_type = value
    query = arrival.envelope.query
    return Request(
        body,
        query,
        content_type,
        signature,
        arrival.delivery,
        arrival.received_at,
        arrival.time_left,
    )


class MoveFunds:
    """The handler of `/moveFunds` on the server's fast path."""

    targets: Final = frozenset(path.encode() for path in MOVE_FUNDS_PATHS)
    headers: Final = JSON_HEADERS
    body_bytes_max: Final = BODY_BYTES_MAX

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def answer(
        self, headers: Sequence[tuple[bytes, bytes]], body: bytes, peer: str | None
    ) -> Awaitable[Answer]:
        """Answer one POST."""
        endpoint = self._endpoint
        return endpoint.entry_point.answer(
            "moveFunds", endpoint.move_funds, Envelope(headers, b"", peer), body
        )

    def unheard(self, answer: Answer | None) -> None:
        """Note that the caller has hung up."""
        self._endpoint.entry_point.unheard(answer)


class CallbackApp:
    """The framework's application, with `/moveFunds` answered before the framework's routing.

    Requests come this way if the fast path is off, if traces are collected, or if the body is long
    or arrives slowly.
    """

    def __init__(self, app: ASGIApp, endpoint: Endpoint) -> None:
        self.framework = app
        self.requests = endpoint.requests
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of ASGI."""
        if (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and scope["path"] in MOVE_FUNDS_PATHS
        ):
            endpoint = self._endpoint
            response = await endpoint.entry_point.respond(
                "moveFunds", endpoint.move_funds, scope, receive, response_of
            )
            await response(scope, receive, send)
        else:
            await self.framework(scope, receive, send)


def response_of(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    """Convert an answer into the framework's response."""
    response = Response(answer.body, answer.status, headers)
    response.raw_headers.extend(JSON_HEADERS)
    if answer.is_last:
        response.raw_headers.extend(LAST_HEADERS)
    return response


def callback_router(endpoint: Endpoint) -> APIRouter:
    """Return the six methods' routes, each with and without a final slash, without redirects."""
    router = APIRouter()
    handlers = endpoint.handlers
    methods: dict[str, Method] = {
        "/sessionCheck": handlers.session_check,
        "/playerDetails": handlers.player_details,
        "/getBalance": handlers.get_balance,
        "/getUserToken": handlers.get_user_token,
        "/moveFunds": endpoint.moving,
        "/notification/maintenance": handlers.maintenance,
    }
    for path, described in openapi.OPERATIONS.items():
        has_body = described.verb == "post"
        route = _route(endpoint, described.operation_id, methods[path], has_body=has_body)
        for spelled in (path, f"{path}/"):
            # What the description says of it stands in `openapi`.
            router.add_api_route(
                spelled, route, methods=[described.verb.upper()], include_in_schema=False
            )
    return router


def _route(
    endpoint: Endpoint, operation: str, method: Method, *, has_body: bool
) -> Callable[[HttpRequest], Awaitable[Response]]:
    responding = endpoint.responding(method, has_body=has_body)

    async def route(request: HttpRequest) -> Response:
        return await endpoint.entry_point.respond(
            operation, responding, request.scope, request.receive, response_of
        )

    return route
