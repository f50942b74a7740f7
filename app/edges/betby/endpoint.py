"""The endpoint: HTTP in, HTTP out. It names the steps of a call and holds no rule.

1. The body, with an end and a deadline: JSON with one member, `payload`, a JWT.
2. The JWT: from here on it is Betby who calls, and every refusal is in the refusal log.
3. The method, by its handler.
4. One place where every error becomes the contract's code.
"""

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from app.cashier.refusal_log import log_refusal
from app.edges import faults
from app.edges.betby import log
from app.edges.betby.answers import (
    OK,
    REFUSED,
    TOO_LARGE,
    Answer,
    refused,
    refused_before,
    unknown,
)
from app.edges.betby.codes import CODES, Code, NotSignedError, RefusedError
from app.edges.betby.handlers import BETBY_SOURCE, Call, Handlers
from app.edges.betby.openapi import METHODS, PREFIX
from app.edges.betby.reading import Payload
from app.edges.betby.tokens import Verifier
from app.edges.http import (
    Arrival,
    BodyTooLargeError,
    BodyUnfinishedError,
    Clock,
    EntryPoint,
    request_id_header,
)
from app.edges.wire import NotUnderstoodError, Number, encode, read_members
from app.ledger.errors import LedgerError
from app.ledger.transaction import Ledger
from app.telemetry.metrics import Requests
from app.wallet.events import EventType
from app.wallet.journal import EPOCH
from app.wallet.refusal_record import RefusalRecord

EVENT_TYPES: Final[dict[str, tuple[EventType, ...]]] = {
    "make": (EventType.BETBY_MAKE,),
    "commit": (),
    "win": (EventType.BETBY_WIN, EventType.BETBY_NO_RISK),
    "lost": (EventType.BETBY_LOST,),
    "refund": (EventType.BETBY_REFUND,),
    "rollback": (
        EventType.BETBY_ROLLBACK,
        EventType.BETBY_NO_RISK_ROLLBACK,
        EventType.BETBY_WIN_AGAIN,
        EventType.BETBY_NO_RISK_AGAIN,
        EventType.BETBY_REFUND_AGAIN,
    ),
    "discard": (EventType.BETBY_MAKE, EventType.BETBY_DISCARD),
    "settlement": (),
}
"""What each method may ask for: the label values that the metrics show at 0 from the start."""


class Endpoint:
    """Answers HTTP requests with the contract's methods, within a deadline."""

    def __init__(
        self,
        ledger: Ledger,
        handlers: Handlers,
        verifier: Verifier,
        *,
        deadline: timedelta,
        clock: Clock,
        jwt_status: int = REFUSED,
    ) -> None:
        """`jwt_status`: the HTTP status of a call whose JWT is not accepted; `clock` is UTC."""
        assert set(handlers.methods) == set(EVENT_TYPES), "every method has its event types"
        self._ledger = ledger
        self._handlers = handlers
        self._verifier = verifier
        self._clock = clock
        self._jwt_status = jwt_status
        self.entry_point = EntryPoint(
            Requests(
                handlers.methods,
                answers=[
                    (method, event_type, code, OK if code is Code.DONE else REFUSED)
                    for method, kinds in EVENT_TYPES.items()
                    for event_type in ("", *kinds)
                    for code in (Code.DONE, *sorted({*CODES.values()}))
                ],
                not_admitted=("jwt", "format"),
            ),
            deadline=deadline,
            clock=clock,
            apologise=self._apologise,
            unheard=handlers.unheard,
        )

    @property
    def requests(self) -> Requests:
        """What was answered."""
        return self.entry_point.requests

    def ping(self) -> Response:
        """Answer a ping: the time, and nothing else."""
        now = (self._clock() - EPOCH) // timedelta(seconds=1)
        return Response(encode({"timestamp": now}), OK, _HEADERS, "application/json")

    async def respond(self, http: Arrival) -> Answer:
        """Answer one call."""
        call = Call(Payload(self._verifier.payload_of(_token(await http.body()))), http)
        try:
            answer = await self._handlers.methods[http.operation](call)
        except RefusedError as error:
            log.refused(http.operation, error.code, error.reason, http.delivery)
            await self._trace(http, call.payload, error)
            return refused_before(error, self._jwt_status)
        if not answer.event_type:
            log.answered(http.operation, answer, http.delivery)
        return answer

    def _apologise(self, http: Arrival, error: Exception) -> Answer:
        """Say what went wrong before Betby was known, or that the outcome is unknown."""
        operation, peer = http.operation, http.envelope.peer
        match error:
            case RefusedError():
                reason = "jwt" if isinstance(error, NotSignedError) else "format"
                answer = refused_before(error, self._jwt_status)
            case BodyTooLargeError():
                is_last = not error.ended
                reason = "format"
                answer = refused(Code.BAD_REQUEST, str(error), status=TOO_LARGE, is_last=is_last)
            case BodyUnfinishedError():
                reason, answer = "format", unknown(is_last=True)
            case LedgerError():
                faults.unavailable(log.logger, operation, error, http.delivery)
                return unknown()
            case _:
                faults.failed(log.logger, operation, error, http.delivery)
                return unknown()
        self.requests.not_admitted[reason] += 1
        faults.not_admitted(log.logger, operation, answer.code, str(error), peer, http.delivery)
        return answer

    async def _trace(self, http: Arrival, payload: Payload, error: RefusedError) -> None:
        """Keep a refusal that was met outside the money transaction."""
        await log_refusal(
            self._ledger,
            RefusalRecord(
                user_id=payload.shown("player_id") or payload.shown("ext_player_id") or "",
                source=BETBY_SOURCE,
                operation=http.operation,
                transaction_id=payload.shown_transaction(),
                event_id=None,
                event_type=None,
                direction=None,
                amount=payload.shown("amount"),
                refusal=error.code.name,
                reason=error.reason,
                differs=None,
                asked=payload.asked(),
                delivery=http.delivery,
                event_time=http.received_at,
            ),
        )


def _token(body: bytes) -> str:
    """Return the JWT of a body; RefusedError for any other form."""
    try:
        members = read_members(body)
    except NotUnderstoodError as error:
        raise RefusedError(Code.BAD_REQUEST, str(error)) from None
    token = members["payload"].value if "payload" in members else None
    if not isinstance(token, str) or isinstance(token, Number):
        raise RefusedError(Code.BAD_REQUEST, "payload must be a text, the JWT")
    return token


_HEADERS: Final = {"cache-control": "no-store"}


def _response(answer: Answer) -> Response:
    headers = {**_HEADERS, "connection": "close"} if answer.is_last else _HEADERS
    return Response(answer.body, answer.status, headers, "application/json")


def betby_router(endpoint: Endpoint) -> APIRouter:
    """Make the methods' routes, and a word for whoever asks for another."""
    router = APIRouter(prefix=PREFIX, tags=["betby"])
    router.add_api_route("/ping", _ping(endpoint), methods=["GET"], include_in_schema=False)
    for method in METHODS:
        route = endpoint.entry_point.route(method, endpoint.respond, _response)
        router.add_api_route(f"/bet/{method}", route, methods=["POST"], include_in_schema=False)
    router.add_api_route("/{path:path}", _no_such(), methods=["POST"], include_in_schema=False)
    return router


def _ping(endpoint: Endpoint) -> Callable[[], Awaitable[Response]]:
    async def route() -> Response:
        return endpoint.ping()

    return route


def _no_such() -> Callable[[HttpRequest], Awaitable[Response]]:
    answer = refused(Code.BAD_REQUEST, "there is no such method", status=404)

    async def route(_request: HttpRequest) -> Response:
        """Say that there is no such method: HTTP 404, for it is the address that is wrong."""
        response = _response(answer)
        response.raw_headers.append(request_id_header(secrets.token_bytes(16)))
        return response

    return route
