"""One request under one `jti`: what it asked, and how its first answer is kept and told again.

The first answer is kept sealed under the agent's key that opened the request. A repeat hears it as
long as that key is one of the agent's, and for a day at most; then it hears that the id is taken.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple, TypeVar

from joserfc.jwk import OctKey

from app.cashier.one_time import (
    OneTimeRequest,
    RepeatedRequestError,
    RequestIdTakenError,
    check_free,
    forget_old_answers,
)
from app.edges.transfer.answers import Answer, answered_before, refused, refused_by
from app.edges.transfer.codes import CODES, TAKES_REQUEST_ID, Code, DecidedError, RefusedError
from app.edges.transfer.envelope import Envelopes, seal_kept
from app.edges.transfer.forms import JTI, Fields
from app.ledger.request_ids import RequestKey
from app.ledger.transaction import Ledger
from app.wallet.refusals import Refusal

FORGET_EVERY: Final = timedelta(minutes=10)
"""How often answers that are no longer told are cleared, while requests come in."""

T = TypeVar("T")


class RequestId(NamedTuple):
    """A request that takes effect once: its id, and the key that opened it."""

    key: RequestKey
    secret: OctKey

    def once(self, show: Callable[[T], Answer]) -> OneTimeRequest[T | Refusal]:
        """What the cashier needs to know: how an outcome is shown, sealed, to be kept."""

        def seal(outcome: T | Refusal) -> str | None:
            if isinstance(outcome, Refusal):
                if outcome not in TAKES_REQUEST_ID:
                    return None
                answer = refused_by(outcome)
            else:
                answer = show(outcome)
            return seal_kept(answer.body, self.key.agent, self.secret, self.key.content)

        return OneTimeRequest(self.key, seal)


class RepeatedRefusalError(DecidedError):
    """A refusal that was told before under the same id."""

    def __init__(self, refusal: Refusal, answer: Answer) -> None:
        super().__init__(refusal)
        self.answer = answer


def content_of(request_id: str, operation: str, fields: Fields) -> bytes:
    """What makes two requests the same: SHA-256 of the id, the operation and its fields."""
    asked = [request_id, operation, fields.said()]
    return sha256(json.dumps(asked, sort_keys=True).encode()).digest()


def answer_to_refusal(error: RefusedError) -> Answer:
    """Say a refusal, the form's or the ledger's."""
    if isinstance(error, RepeatedRefusalError):
        return error.answer
    return refused_by(error.refusal) if isinstance(error, DecidedError) else refused(error)


class OneTime:
    """Answers requests that take effect once: for the first time, or with the first answer."""

    def __init__(self, ledger: Ledger, envelopes: Envelopes) -> None:
        self._ledger = ledger
        self._envelopes = envelopes
        self._forgotten_at: datetime | None = None

    async def answer(
        self, request_id: RequestId, received_at: datetime, work: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Run the work, which takes the id, or tell what was answered under it.

        RefusedError: the work's own, or code 100 if the id is another request's.
        """
        try:
            try:
                answer = await work()
            except RefusedError as error:
                if isinstance(error, DecidedError) and error.refusal in TAKES_REQUEST_ID:
                    raise
                # What was possible at first may be refused now: a moment to come has passed.
                await check_free(self._ledger, request_id.key)
                raise
        except RepeatedRequestError as repeated:
            return self._first_answer(request_id.key, repeated.answer)
        except RequestIdTakenError:
            raise _taken() from None
        await self._forget(received_at)
        return answer

    def _first_answer(self, key: RequestKey, sealed: str) -> Answer:
        body = self._envelopes.open_kept(key.agent, sealed, key.content)
        if body is None:
            raise _taken()
        answer = answered_before(body)
        if answer.code is not Code.DONE:
            raise RepeatedRefusalError(_refusal_of(answer.code), answer)
        return answer

    async def _forget(self, now: datetime) -> None:
        if self._forgotten_at is None or now - self._forgotten_at >= FORGET_EVERY:
            self._forgotten_at = now
            await forget_old_answers(self._ledger)


def _taken() -> RefusedError:
    return RefusedError(
        Code.VALUE, "was used before: for another request, or more than a day ago", JTI
    )


assert len({CODES[refusal] for refusal in TAKES_REQUEST_ID}) == len(TAKES_REQUEST_ID), (
    "a kept answer's code tells its refusal"
)


def _refusal_of(code: Code) -> Refusal:
    """The refusal that a kept answer told, for the refusal log."""
    (refusal,) = (r for r in TAKES_REQUEST_ID if CODES[r] is code)
    return refusal
