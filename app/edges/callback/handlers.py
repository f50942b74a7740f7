"""The six methods of the contract, each a function from a request value to an answer.

Each follows the contract's order (section 4): the fields are read, the signature is checked over
exactly these fields, their formats are checked, and only then the ledger is used. Every refusal
after the signature check is written to the refusal log: moveFunds' decided refusals in the money
transaction, all others by `log_refusal` here. If that cannot be written, the answer is 503.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from app.cashier.batching import Batcher
from app.cashier.notices import keep_notice
from app.cashier.players import check_session, issue_token
from app.cashier.refusal_log import log_refusal
from app.edges.callback import log
from app.edges.callback.answers import (
    DONE,
    Answer,
    DuplicateReply,
    answer_to,
    balance_shown,
    not_understood,
    player_shown,
    refused,
    token_shown,
)
from app.edges.callback.auth import NO_FIELDS, Authenticator
from app.edges.callback.decoding import Fields, fields_of, members_of, read_fields, read_form
from app.edges.callback.errors import FormatError, SignatureError
from app.edges.callback.notices import read_notice
from app.edges.callback.parsing import (
    CALLBACK_SOURCE,
    is_unknown_credit,
    read_movement,
    read_question,
    read_user_id,
    redacted_request,
    truncated,
)
from app.edges.callback.platform_tokens import PlatformTokens
from app.ledger.players import Player
from app.ledger.transaction import Ledger
from app.wallet.alarms import Alarm
from app.wallet.movement import KeyScope
from app.wallet.refusal_record import RefusalRecord
from app.wallet.refusals import Refusal


class Request(NamedTuple):
    """The parts of an HTTP request that a method needs."""

    body: bytes
    query: bytes
    content_type: bytes | None
    signature: bytes | None
    delivery: bytes
    received_at: datetime
    time_left: timedelta
    """until the deadline"""


@dataclass(frozen=True, slots=True)
class Choices:
    """The operator's settings for this contract."""

    duplicate_reply: DuplicateReply = DuplicateReply.CONFLICT
    key_scope: KeyScope = KeyScope.TRANSACTION
    token_life: timedelta = timedelta(days=1)
    token_is_sliding: bool = False
    """whether use renews a token's life"""


class Handlers:
    """The methods, with what they need."""

    def __init__(
        self,
        ledger: Ledger,
        batcher: Batcher,
        authenticator: Authenticator,
        choices: Choices,
        platform: PlatformTokens | None = None,
    ) -> None:
        """`platform` verifies tokens that the operator's platform signs; None: it signs none."""
        self.authenticator = authenticator
        self._platform = platform
        self._ledger = ledger
        self._batcher = batcher
        self._choices = choices

    async def move_funds(self, request: Request) -> Answer:
        """Answer `/moveFunds`, the only method that moves money."""
        fields = read_fields(request.content_type, request.body, request.query)
        self.authenticator.check_signature(fields.texts, request.signature)
        try:
            movement = read_movement(
                fields,
                delivery=request.delivery,
                key_scope=self._choices.key_scope,
                received_at=request.received_at,
            )
        except FormatError as error:
            if is_unknown_credit(fields):
                log.unknown_credit(fields.texts, request.delivery)
                self._batcher.batch_stats.alarms[Alarm.UNKNOWN_CREDIT] += 1
            return await self._ill_formed("moveFunds", request, fields, error)
        left = request.time_left
        try:
            if self._platform is not None:
                token = fields.texts["token"]
                left = await self._platform.register(movement.user_id, token, deadline=left)
            receipt = await self._batcher.move(movement, deadline=left)
        except Exception as error:
            log.outcome_unknown(movement, error)
            raise
        answer = answer_to(receipt, self._choices.duplicate_reply)
        log.decided(movement, receipt, answer)
        decided = (movement, receipt)
        return Answer(*answer[:-3], movement.event_type, decided, movement.delivery)

    def unheard(self, answer: Answer) -> None:
        """List a decided movement whose answer was not delivered as an unknown outcome."""
        if answer.decided is not None:
            self._batcher.unheard(*answer.decided)

    async def session_check(self, request: Request) -> Answer:
        """Answer `/sessionCheck`: whether a token is valid; a blocked player's is not."""
        return await self._about_session("sessionCheck", request, lambda _: DONE, blocked=True)

    async def player_details(self, request: Request) -> Answer:
        """Answer `/playerDetails`: the player's profile and balance."""
        return await self._about_session("playerDetails", request, player_shown)

    async def get_balance(self, request: Request) -> Answer:
        """Answer `/getBalance`: the player's balance."""
        return await self._about_session(
            "getBalance", request, lambda player: balance_shown(player.pockets, player.currency)
        )

    async def get_user_token(self, request: Request) -> Answer:
        """Answer `/getUserToken`: a new token, for a sports bet settled long after the session."""
        fields = self._signed_query(request)
        try:
            user_id = read_user_id(fields)
        except FormatError as error:
            return await self._ill_formed("getUserToken", request, fields, error)
        issued = await issue_token(
            self._ledger,
            user_id,
            self._choices.token_life,
            is_sliding=self._choices.token_is_sliding,
        )
        if isinstance(issued, Refusal):
            return await self._refused("getUserToken", request, fields, issued)
        return _told("getUserToken", request, user_id, token_shown(issued))

    async def maintenance(self, request: Request) -> Answer:
        """Answer `/notification/maintenance`, whose body is JSON whatever its content type."""
        members = members_of(request.body)
        fields = fields_of(members)
        # The aggregator does not publish how it signs JSON, which is absent from PHP's form fields.
        as_json = self.authenticator.is_signed(fields.texts, request.signature)
        as_empty = self.authenticator.is_signed(NO_FIELDS, request.signature)
        if not (as_json or as_empty):
            raise SignatureError
        try:
            notice = read_notice(members, request.body.decode(), request.received_at)
        except FormatError as error:
            return await self._ill_formed("maintenance", request, fields, error)
        await keep_notice(self._ledger, notice)
        return _told("maintenance", request, None, DONE)

    def _signed_query(self, request: Request) -> Fields:
        fields = read_form(request.query)
        self.authenticator.check_signature(fields.texts, request.signature)
        return fields

    async def _about_session(
        self,
        operation: str,
        request: Request,
        shown: Callable[[Player], Answer],
        *,
        blocked: bool = False,
    ) -> Answer:
        """Answer a question about a live session; `blocked`: a blocked player is refused."""
        fields = self._signed_query(request)
        try:
            question = read_question(fields)
        except FormatError as error:
            return await self._ill_formed(operation, request, fields, error)
        if self._platform is not None:
            token = fields.texts["token"]
            left = request.time_left
            await self._platform.register(question.user_id, token, deadline=left)
        found = await check_session(self._ledger, question.user_id, question.token)
        if isinstance(found, Refusal):
            return await self._refused(operation, request, fields, found)
        if blocked and found.is_blocked:
            return await self._refused(operation, request, fields, Refusal.PLAYER_BLOCKED)
        return _told(operation, request, question.user_id, shown(found))

    async def _ill_formed(
        self, operation: str, request: Request, fields: Fields, error: FormatError
    ) -> Answer:
        answer = not_understood(str(error))
        await self._trace(operation, request, fields, answer, ("FORMAT", str(error)))
        return answer

    async def _refused(
        self, operation: str, request: Request, fields: Fields, refusal: Refusal
    ) -> Answer:
        answer = refused(refusal)
        await self._trace(operation, request, fields, answer, (refusal.name, refusal.value))
        return answer

    async def _trace(
        self,
        operation: str,
        request: Request,
        fields: Fields,
        answer: Answer,
        why: tuple[str, str],
    ) -> None:
        """Write a refusal to the refusal log and to the process's log."""
        code, reason = why
        texts = fields.texts
        user_id = truncated(texts, "userId")
        log.refused(operation, answer.code, reason, user_id, request.delivery)
        await log_refusal(
            self._ledger,
            RefusalRecord(
                user_id=user_id or "",
                source=CALLBACK_SOURCE,
                operation=operation,
                transaction_id=truncated(texts, "transactionId"),
                event_id=truncated(texts, "eventId"),
                event_type=truncated(texts, "eventType"),
                direction=truncated(texts, "direction"),
                amount=truncated(texts, "amount"),
                refusal=code,
                reason=reason,
                differs=None,
                asked=redacted_request(fields),
                delivery=request.delivery,
                event_time=request.received_at,
            ),
        )


def _told(operation: str, request: Request, user_id: str | None, answer: Answer) -> Answer:
    """Log the answer to a request that moves no money, and return it."""
    log.answered(operation, user_id, answer, request.delivery)
    return answer
