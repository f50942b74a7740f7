"""The door: HTTP in, HTTP out. It names the steps of a request and holds no rule.

1. The caller's network, where a list of them is set.
2. The body, with an end and a deadline.
3. The method of the desk.
4. One place where every error becomes the contract's shape: what is not understood 400, what is
   too large 413, what the ledger could not say, and any fault of our own, 503, so that the caller
   asks again.

`/moveFunds` is served by a bare ASGI application in front of the framework, for a framework's route
costs more than the request. Behind it stands the same function as an ordinary route, which the
documentation describes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from fastapi import APIRouter, Security
from fastapi.security import APIKeyHeader
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from app.edges.callback import openapi, remarks
from app.edges.callback.answers import Answer, not_understood
from app.edges.callback.desk import Desk, Request
from app.edges.callback.errors import EncodingError, SignatureError, StrangerError
from app.edges.wire import (
    BodyTooLargeError,
    BodyUnfinishedError,
    CallerGoneError,
    read_body,
)
from app.ledger.errors import LedgerError
from app.telemetry.metrics import Requests

NOT_SIGNED_WORDS: Final = "Request not validate"
"""The aggregator's own words (documented)."""

ASK_AGAIN_WORDS: Final = "the outcome is not known, ask again"

Method: TypeAlias = Callable[[Request], Awaitable[Answer]]
Clock: TypeAlias = Callable[[], datetime]

METHODS: Final = tuple(described.operation_id for described in openapi.OPERATIONS.values())

JSON_HEADERS: Final = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
)
LAST_HEADERS: Final = ((b"connection", b"close"),)


class Door:
    """Answers HTTP requests with the methods of a desk, within a deadline."""

    def __init__(self, desk: Desk, *, deadline: timedelta, clock: Clock) -> None:
        """`clock`: when a request arrived, UTC."""
        self.desk = desk
        self.requests = Requests(METHODS)
        self._deadline = deadline
        self._clock = clock

    async def answer(
        self, operation: str, method: Method, scope: Scope, receive: Receive
    ) -> Answer:
        """Answer one request; raise CallerGoneError if nobody waits for the answer."""
        began, requests = time.perf_counter_ns(), self.requests
        try:
            answer = await self._answer_or_apologise(operation, method, scope, receive)
        except CallerGoneError:
            requests.gone += 1
            raise
        taken = time.perf_counter_ns() - began
        requests.count(operation, answer.event_type, answer.code, answer.status, taken)
        return answer

    async def _answer_or_apologise(
        self, operation: str, method: Method, scope: Scope, receive: Receive
    ) -> Answer:
        try:
            return await self._answer(method, scope, receive)
        except (StrangerError, SignatureError) as error:
            is_stranger = isinstance(error, StrangerError)
            self.requests.not_admitted["network" if is_stranger else "signature"] += 1
            remarks.not_admitted(operation, str(error), self._caller(scope))
            return not_understood(NOT_SIGNED_WORDS, is_last=is_stranger)
        except EncodingError as error:
            remarks.not_readable(operation, str(error), self._caller(scope))
            return not_understood(str(error))
        except BodyTooLargeError as error:
            remarks.not_readable(operation, str(error), self._caller(scope))
            return not_understood(str(error), status=413, is_last=not error.ended)
        except BodyUnfinishedError as error:
            remarks.not_readable(operation, str(error), self._caller(scope))
            return not_understood(ASK_AGAIN_WORDS, status=503, is_last=True)
        except LedgerError as error:
            remarks.unavailable(operation, error)
        except CallerGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the outermost door: no input makes a 500
            remarks.failed(operation, error)
        return not_understood(ASK_AGAIN_WORDS, status=503)

    async def _answer(self, method: Method, scope: Scope, receive: Receive) -> Answer:
        loop = asyncio.get_running_loop()
        started = loop.time()
        received_at = self._clock()
        content_type = signature = None
        for name, value in scope["headers"]:
            if name == b"hash-authorization":
                signature = value
            elif name == b"content-type":
                content_type = value
        gate = self.desk.gate
        if not gate.admits_anybody:
            gate.check_caller(_peer(scope), _forwarded_for(scope))
        body = b""
        if scope["method"] == "POST":
            body = await read_body(receive, self._deadline)
        return await method(
            Request(
                body,
                scope["query_string"],
                content_type,
                signature,
                received_at,
                self._deadline - timedelta(seconds=loop.time() - started),
            )
        )

    def _caller(self, scope: Scope) -> str:
        return self.desk.gate.caller(_peer(scope), _forwarded_for(scope))


def _peer(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _forwarded_for(scope: Scope) -> bytes | None:
    """All of X-Forwarded-For, in the order in which it was written."""
    values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return b",".join(values) if values else None


class MoveFundsApp:
    """The bare ASGI application for `/moveFunds`; everything else goes to the framework."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of ASGI."""
        if (
            scope["type"] == "http"
            and scope["method"] == "POST"
            and scope["path"] in {"/moveFunds", "/moveFunds/"}
        ):
            door = self._door
            try:
                answer = await door.answer("moveFunds", door.desk.move_funds, scope, receive)
            except CallerGoneError:
                return
            await _send(answer, send)
        else:
            await self._app(scope, receive, send)


async def _send(answer: Answer, send: Send) -> None:
    headers = [*JSON_HEADERS, (b"content-length", b"%d" % len(answer.body))]
    if answer.is_last:
        headers += LAST_HEADERS
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def response_of(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    """Make the framework's response of an answer."""
    response = Response(answer.body, answer.status, headers)
    response.raw_headers.extend(JSON_HEADERS)
    if answer.is_last:
        response.raw_headers.extend(LAST_HEADERS)
    return response


def callback_router(door: Door) -> APIRouter:
    """Make the six methods' routes, each with and without a slash, never through a redirect."""
    signature = APIKeyHeader(
        name="Hash-Authorization", description=openapi.SIGNATURE, auto_error=False
    )
    router = APIRouter(tags=["callback"], dependencies=[Security(signature)])
    desk = door.desk
    methods: tuple[tuple[str, str, Method], ...] = (
        ("GET", "/sessionCheck", desk.session_check),
        ("GET", "/playerDetails", desk.player_details),
        ("GET", "/getBalance", desk.get_balance),
        ("GET", "/getUserToken", desk.get_user_token),
        ("POST", "/moveFunds", desk.move_funds),
        ("POST", "/notification/maintenance", desk.maintenance),
    )
    for verb, path, method in methods:
        described = openapi.OPERATIONS[path]
        for spelled, is_described in ((path, True), (f"{path}/", False)):
            router.add_api_route(
                spelled,
                _endpoint(door, described.operation_id, method),
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


def _endpoint(
    door: Door, operation: str, method: Method
) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def endpoint(request: HttpRequest) -> Response:
        try:
            answer = await door.answer(operation, method, request.scope, request.receive)
        except CallerGoneError:
            return _NoAnswer()
        return response_of(answer)

    return endpoint
