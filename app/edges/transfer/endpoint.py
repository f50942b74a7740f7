"""The door: HTTP in, HTTP out. It names the steps of a request and holds no rule.

1. The body, with an end and a deadline.
2. The envelope: from here on the agent is known, and every refusal leaves a trace.
3. The agent's network, the plaintext, its age, the operation's form.
4. The operation, at the desk.
5. One place where every error becomes the contract's code; an answer goes out as JSON, or in an
   envelope under the same key for whoever accepts `application/jose`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.cashier.refusal_log import log_refusal
from app.edges.delivery_ids import DeliveryNames
from app.edges.transfer import log, openapi
from app.edges.transfer.answers import Answer, refused, said
from app.edges.transfer.codes import HTTP_STATUSES, Code, RefusedError
from app.edges.transfer.envelope import Envelopes, Opened, seal
from app.edges.transfer.forms import Fields, asked_of, check_age, id_of, read_plaintext
from app.edges.transfer.handlers import DecidedError, Handlers, Request, answer_to_refusal
from app.edges.transfer.operations import FORMS
from app.edges.wire import (
    BodyTooLargeError,
    BodyUnfinishedError,
    CallerGoneError,
    Member,
    read_body,
)
from app.ledger.errors import LedgerError
from app.ledger.transaction import Ledger
from app.telemetry.metrics import Requests
from app.wallet.refusal_record import RefusalRecord

PREFIX: Final = "/transfer/v1"
JOSE: Final = "application/jose"

Clock: TypeAlias = Callable[[], datetime]


NOT_ADMITTED: Final = (Code.AGENT, Code.KEY, Code.DENIED, Code.FORMAT, Code.MISSING)
"""What may keep a request out before its agent is known."""


class Endpoint:
    """Answers HTTP requests with the operations of a desk, within a deadline."""

    def __init__(
        self,
        ledger: Ledger,
        handlers: Handlers,
        envelopes: Envelopes,
        *,
        deadline: timedelta,
        window: timedelta,
        clock: Clock,
    ) -> None:
        """`window`: how far `iat` may be from `clock` (UTC), which is the service's own."""
        assert set(handlers.methods) == set(FORMS), "every operation has its form"
        self._ledger = ledger
        self._handlers = handlers
        self._envelopes = envelopes
        self._deadline = deadline
        self._window = window
        self._clock = clock
        self._deliveries = DeliveryNames()
        self.requests = Requests(
            FORMS,
            answers=[(op, "", code, HTTP_STATUSES[code]) for op in FORMS for code in Code],
            not_admitted=[code.name.lower() for code in NOT_ADMITTED],
        )

    async def answer(self, operation: str, request: HttpRequest) -> Response:
        """Answer one request; raise CallerGoneError if nobody waits for the answer."""
        began = time.perf_counter_ns()
        try:
            code, response = await self._respond(operation, request)
        except CallerGoneError:
            self.requests.gone += 1
            raise
        taken = time.perf_counter_ns() - began
        self.requests.count(operation, "", code, response.status_code, taken)
        return response

    async def _respond(self, operation: str, request: HttpRequest) -> tuple[Code, Response]:
        watch, received_at = _Stopwatch(), self._clock()
        peer = request.client.host if request.client else None
        try:
            opened = self._envelopes.open(await _body(request, self._deadline))
            arrival = _Arrival(
                operation,
                opened,
                peer,
                _forwarded_for(request),
                self._deliveries.draw(),
                received_at,
                watch,
            )
            answer = await self._answer_agent(arrival)
            if _accepts_jose(request):
                sealed = answer._replace(body=seal(answer.body, opened.agent, opened.key))
                return answer.code, _response(sealed, JOSE)
            return answer.code, _response(answer)
        except RefusedError as error:
            log.not_admitted(operation, error.code, error.reason, peer)
            self.requests.not_admitted[error.code.name.lower()] += 1
            is_last = isinstance(error, _UnfinishedError)
            return error.code, _response(refused(error, is_last=is_last))
        except CallerGoneError:
            raise
        except Exception as error:  # noqa: BLE001 - the outermost door: told as the contract says
            log.failed(operation, None, error)
            return Code.ERROR, _response(said(Code.ERROR, {}))

    async def _answer_agent(self, arrival: "_Arrival") -> Answer:
        """Answer somebody we know; whatever goes wrong is told in a code."""
        operation, agent = arrival.operation, arrival.opened.agent
        try:
            answer = await self._decide(arrival)
        except LedgerError as error:
            log.unavailable(operation, agent, error)
            answer = said(Code.AWAY, {"reason": "the outcome is not known, ask again"})
        except Exception as error:  # noqa: BLE001 - the outermost door: told as the contract says
            log.failed(operation, agent, error)
            answer = said(Code.ERROR, {})
        log.answered(operation, agent, answer, arrival.delivery)
        return answer

    async def _decide(self, arrival: "_Arrival") -> Answer:
        members: Mapping[str, Member] = {}
        form = FORMS[arrival.operation]
        agent = arrival.opened.agent
        try:
            self._envelopes.check_caller(agent, arrival.peer, arrival.forwarded_for)
            members = read_plaintext(arrival.opened.plaintext)
            check_age(members, arrival.received_at, self._window)
            return await self._handlers.methods[arrival.operation](
                Request(
                    agent,
                    arrival.operation,
                    Fields(members, form),
                    asked_of(members, form),
                    arrival.delivery,
                    arrival.received_at,
                    self._deadline - arrival.watch.elapsed,
                )
            )
        except RefusedError as error:
            await self._trace(arrival, members, error)
            return answer_to_refusal(error)

    async def _trace(
        self, arrival: "_Arrival", members: Mapping[str, Member], error: RefusedError
    ) -> None:
        """Keep a refusal that was met outside the money transaction."""
        code = error.refusal.name if isinstance(error, DecidedError) else error.code.name
        reason = error.reason if error.field is None else f"{error.field} {error.reason}"
        await log_refusal(
            self._ledger,
            RefusalRecord(
                user_id=id_of(members, "user_id") or "",
                source=arrival.opened.agent,
                operation=arrival.operation,
                transaction_id=id_of(members, "transaction_id"),
                event_id=None,
                event_type=None,
                direction=None,
                amount=id_of(members, "amount"),
                refusal=code,
                reason=reason,
                differs=None,
                asked=asked_of(members, FORMS[arrival.operation]),
                delivery=arrival.delivery,
                event_time=arrival.received_at,
            ),
        )


class _Stopwatch:
    """Runs from the moment a request arrived."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()

    @property
    def elapsed(self) -> timedelta:
        """How long the request has been here."""
        return timedelta(seconds=self._loop.time() - self._started)


class _Arrival(NamedTuple):
    """A request of an agent, as it arrived."""

    operation: str
    opened: Opened
    peer: str | None
    forwarded_for: bytes | None
    delivery: bytes
    """16 random bytes that name it"""
    received_at: datetime
    watch: _Stopwatch


class _UnfinishedError(RefusedError):
    """The body has no end that we would wait for."""


async def _body(request: HttpRequest, time_left: timedelta) -> bytes:
    try:
        return await read_body(request.receive, time_left)
    except BodyUnfinishedError as error:
        raise _UnfinishedError(Code.FORMAT, str(error)) from None
    except BodyTooLargeError as error:
        kind = RefusedError if error.ended else _UnfinishedError
        raise kind(Code.FORMAT, str(error)) from None


def _forwarded_for(request: HttpRequest) -> bytes | None:
    """All of X-Forwarded-For, in the order in which it was written."""
    values = [value for name, value in request.headers.raw if name == b"x-forwarded-for"]
    return b",".join(values) if values else None


def _accepts_jose(request: HttpRequest) -> bool:
    """Whether the answer shall be an envelope; a weight of 0 is a no."""
    for accepted in ",".join(request.headers.getlist("accept")).split(","):
        media_type, *parameters = (part.strip().lower() for part in accepted.split(";"))
        if media_type == JOSE:
            weights = [p[2:].strip() for p in parameters if p.startswith("q=")]
            return not any(weight.strip("0.") == "" for weight in weights)
    return False


def _response(answer: Answer, media_type: str = "application/json") -> Response:
    headers = {"cache-control": "no-store"}
    if answer.is_last:
        headers["connection"] = "close"
    return Response(answer.body, HTTP_STATUSES[answer.code], headers, media_type)


class _NoAnswer(Response):
    """Nothing is sent: nobody is there."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


def transfer_router(endpoint: Endpoint) -> APIRouter:
    """Make the operations' routes, and a word for whoever asks for another."""
    router = APIRouter(prefix=PREFIX, tags=["transfer"])
    for operation in FORMS:
        described = openapi.described(operation)
        router.add_api_route(
            f"/{operation}",
            _route(endpoint, operation),
            methods=["POST"],
            response_class=Response,
            operation_id=operation.replace("/", "_"),
            summary=described.summary,
            description=described.description,
            responses=described.responses,
            openapi_extra=described.extra,
        )
    router.add_api_route(
        "/{operation:path}", _no_such_operation, methods=["POST"], include_in_schema=False
    )
    return router


def _route(endpoint: Endpoint, operation: str) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def route(request: HttpRequest) -> Response:
        try:
            return await endpoint.answer(operation, request)
        except CallerGoneError:
            return _NoAnswer()

    return route


async def _no_such_operation() -> Response:
    """Say that there is no such operation: HTTP 404, for it is the address that is wrong."""
    answer = said(Code.FORMAT, {"reason": "there is no such operation"})
    return Response(answer.body, 404, {"cache-control": "no-store"}, "application/json")
