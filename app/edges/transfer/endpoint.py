"""The endpoint: HTTP in, HTTP out. It names the steps of a request and holds no rule.

1. The body, with an end and a deadline.
2. The envelope: from here on the agent is known, and every refusal is in the refusal log.
3. The agent's network, the plaintext, its age, the operation that it is for, the id of a request
   that takes effect once, the operation's form.
4. The operation, by its handler.
5. One place where every error becomes the contract's code; an answer goes out as JSON, or in an
   envelope under the same key: for whoever accepts `application/jose`, and always with a token.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from fastapi import APIRouter
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from app.cashier.refusal_log import log_refusal
from app.edges import faults
from app.edges.http import (
    Arrival,
    BodyTooLargeError,
    BodyUnfinishedError,
    Clock,
    EntryPoint,
    Envelope,
    request_id_header,
)
from app.edges.openapi import JOSE
from app.edges.transfer import log
from app.edges.transfer.answers import Answer, refused, said
from app.edges.transfer.codes import HTTP_STATUSES, Code, DecidedError, RefusedError
from app.edges.transfer.envelope import Envelopes, Opened, seal
from app.edges.transfer.forms import (
    JTI,
    OP,
    Fields,
    asked_of,
    check_age,
    check_operation,
    id_of,
    read_plaintext,
    request_id_of,
)
from app.edges.transfer.handlers import Handlers
from app.edges.transfer.one_time import RequestId, answer_to_refusal, content_of
from app.edges.transfer.openapi import PREFIX
from app.edges.transfer.operations import FORMS, ONE_TIME
from app.edges.transfer.request import Request
from app.edges.wire import Member
from app.ledger.errors import LedgerError
from app.ledger.request_ids import RequestKey
from app.ledger.transaction import Ledger
from app.telemetry.metrics import Requests
from app.wallet.refusal_record import RefusalRecord

NOT_ADMITTED: Final = (Code.AGENT, Code.KEY, Code.DENIED, Code.FORMAT, Code.MISSING)
"""What may keep a request out before its agent is known."""


class Endpoint:
    """Answers HTTP requests with the contract's operations, within a deadline."""

    def __init__(
        self,
        ledger: Ledger,
        handlers: Handlers,
        envelopes: Envelopes,
        *,
        deadline: timedelta,
        window: timedelta,
        clock: Clock,
        requires_operation: bool = True,
    ) -> None:
        """`window`: how far `iat` may be from `clock` (UTC), which is the service's own.

        `requires_operation`: whether an envelope without `op`, or without a `jti` where one is
        needed, is refused; else it is admitted and counted.
        """
        assert set(handlers.methods) == set(FORMS), "every operation has its form"
        self._ledger = ledger
        self._handlers = handlers
        self._envelopes = envelopes
        self._window = window
        self._requires_operation = requires_operation
        self.entry_point = EntryPoint(
            Requests(
                FORMS,
                answers=[(op, "", code, HTTP_STATUSES[code]) for op in FORMS for code in Code],
                not_admitted=[code.name.lower() for code in NOT_ADMITTED],
                lacking=[
                    *((operation, OP) for operation in FORMS),
                    *((operation, JTI) for operation in sorted(ONE_TIME)),
                ],
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

    async def respond(self, http: Arrival) -> Answer:
        """Answer one request."""
        opened = self._envelopes.open(await http.body())
        answer = await self._answer_agent(_Arrival(http, opened))
        if not answer.holds_token and not _accepts_jose(http.envelope):
            return answer
        sealed = seal(answer.body, opened.agent, opened.key)
        return answer._replace(body=sealed, media_type=JOSE)

    def _apologise(self, http: Arrival, error: Exception) -> Answer:
        """Say what went wrong before the agent was known."""
        operation, peer = http.operation, http.envelope.peer
        is_last = False
        match error:
            case RefusedError():
                refusal = error
            case BodyUnfinishedError():
                refusal, is_last = RefusedError(Code.FORMAT, str(error)), True
            case BodyTooLargeError():
                refusal, is_last = RefusedError(Code.FORMAT, str(error)), not error.ended
            case _:
                faults.failed(log.logger, operation, error, http.delivery, agent=None)
                return said(Code.ERROR, {})
        faults.not_admitted(
            log.logger, operation, refusal.code, refusal.reason, peer, http.delivery
        )
        self.requests.not_admitted[refusal.code.name.lower()] += 1
        return refused(refusal, is_last=is_last)

    async def _answer_agent(self, arrival: "_Arrival") -> Answer:
        """Answer somebody we know; whatever goes wrong is told in a code."""
        operation, agent = arrival.http.operation, arrival.opened.agent
        try:
            answer = await self._decide(arrival)
        except LedgerError as error:
            faults.unavailable(log.logger, operation, error, arrival.delivery, agent=agent)
            answer = said(Code.AWAY, {"reason": "the outcome is not known, ask again"})
        except Exception as error:  # noqa: BLE001 - the outermost handler: told as the contract says
            faults.failed(log.logger, operation, error, arrival.delivery, agent=agent)
            answer = said(Code.ERROR, {})
        log.answered(operation, agent, answer, arrival.delivery)
        return answer

    async def _decide(self, arrival: "_Arrival") -> Answer:
        members: Mapping[str, Member] = {}
        http, agent = arrival.http, arrival.opened.agent
        operation, envelope = http.operation, http.envelope
        form = FORMS[operation]
        try:
            self._envelopes.check_caller(agent, envelope.peer, envelope.forwarded_for)
            members = read_plaintext(arrival.opened.plaintext)
            check_age(members, http.received_at, self._window)
            check_operation(members, operation, is_required=self._requires_operation)
            fields, request_id = self._read(arrival, members)
            return await self._handlers.methods[operation](
                Request(
                    agent,
                    operation,
                    fields,
                    asked_of(members, form),
                    arrival.delivery,
                    http.received_at,
                    http.time_left,
                    request_id,
                )
            )
        except RefusedError as error:
            await self._trace(arrival, members, error)
            return answer_to_refusal(error)

    def _read(
        self, arrival: "_Arrival", members: Mapping[str, Member]
    ) -> tuple[Fields, RequestId | None]:
        """The fields, and the id of a request that takes effect once."""
        operation, opened = arrival.http.operation, arrival.opened
        if OP not in members:
            self.requests.lacking[operation, OP] += 1
        if operation not in ONE_TIME:
            return Fields(members, FORMS[operation]), None
        jti = request_id_of(members, is_required=self._requires_operation)
        fields = Fields(members, FORMS[operation])
        if jti is None:
            self.requests.lacking[operation, JTI] += 1
            return fields, None
        content = content_of(jti, operation, fields)
        key = RequestKey(opened.agent, jti, operation, content, arrival.delivery)
        return fields, RequestId(key, opened.key)

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
                operation=arrival.http.operation,
                transaction_id=id_of(members, "transaction_id"),
                event_id=None,
                event_type=None,
                direction=None,
                amount=id_of(members, "amount"),
                refusal=code,
                reason=reason,
                differs=None,
                asked=asked_of(members, FORMS[arrival.http.operation]),
                delivery=arrival.delivery,
                event_time=arrival.http.received_at,
            ),
        )


class _Arrival(NamedTuple):
    """A request of an agent, as it arrived."""

    http: Arrival
    opened: Opened

    @property
    def delivery(self) -> bytes:
        """The 16 random bytes that name it."""
        return self.http.delivery


def _accepts_jose(envelope: Envelope) -> bool:
    """Whether the answer shall be an envelope; a weight of 0 is a no."""
    for accepted in (envelope.joined(b"accept") or b"").decode("latin-1").split(","):
        media_type, *parameters = (part.strip().lower() for part in accepted.split(";"))
        if media_type == JOSE:
            weights = [p[2:].strip() for p in parameters if p.startswith("q=")]
            return not any(weight.strip("0.") == "" for weight in weights)
    return False


def _response(answer: Answer) -> Response:
    headers = {"cache-control": "no-store"}
    if answer.is_last:
        headers["connection"] = "close"
    return Response(answer.body, answer.status, headers, answer.media_type)


def transfer_router(endpoint: Endpoint) -> APIRouter:
    """Make the operations' routes, and a word for whoever asks for another."""
    router = APIRouter(prefix=PREFIX)
    for operation in FORMS:
        # What the description says of it stands in `openapi`.
        route = endpoint.entry_point.route(operation, endpoint.respond, _response)
        router.add_api_route(f"/{operation}", route, methods=["POST"], include_in_schema=False)
    router.add_api_route(
        "/{operation:path}", _no_such_operation(), methods=["POST"], include_in_schema=False
    )
    return router


def _no_such_operation() -> Callable[[HttpRequest], Awaitable[Response]]:
    answer = said(Code.FORMAT, {"reason": "there is no such operation"})

    async def route(request: HttpRequest) -> Response:
        """Say that there is no such operation: HTTP 404, for it is the address that is wrong."""
        delivery = secrets.token_bytes(16)
        log.no_such_operation(request.client.host if request.client else None, delivery)
        response = Response(answer.body, 404, {"cache-control": "no-store"}, "application/json")
        response.raw_headers.append(request_id_header(delivery))
        return response

    return route
