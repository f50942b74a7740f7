"""Requests that take effect once: id, effect and answer are one database transaction.

1. The work runs, and the id is inserted with the sealed answer; both are committed together.
2. An id that is taken rolls everything back: the first answer is told, or that there is none to
   tell. Two deliveries at once end so as well, for the database runs the second one again.
3. Where the outcome takes no id, nothing is kept, and the id may already be another request's.

Where the buckets are on several nodes, the id is claimed for its player before its row is written.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeVar

from app.ledger.deadlines import within
from app.ledger.errors import LedgerError
from app.ledger.money.book import Book, RequestClaim
from app.ledger.request_ids import (
    KeptRequest,
    RequestKey,
    RequestTakenError,
    claimed_by,
    clear_answers,
    find_request,
    keep_request,
)
from app.ledger.transaction import Ledger

CLEARED_AT_ONCE: Final = 1000
"""Answers cleared in one transaction: some 10 ms of work."""

CLEARING_TIME: Final = timedelta(seconds=1)
"""A request waits for the clearing, which must not eat up its deadline."""

T = TypeVar("T")


class RepeatedRequestError(Exception):
    """The same request was answered before; `answer` is that answer, sealed."""

    def __init__(self, answer: str) -> None:
        super().__init__(RepeatedRequestError.__doc__)
        self.answer = answer


class RequestIdTakenError(Exception):
    """The id was used for another request, or for this one longer than a day ago."""

    def __init__(self) -> None:
        super().__init__(RequestIdTakenError.__doc__)


@dataclass(frozen=True, slots=True)
class OneTimeRequest(Generic[T]):
    """A request that takes effect once, with what seals its answer."""

    key: RequestKey
    seal: Callable[[T], str | None]
    """the sealed answer to an outcome; None: this outcome leaves the id free"""


async def run_once(
    ledger: Ledger,
    work: Callable[[Book], Awaitable[T]],
    request: OneTimeRequest[T] | None,
    *,
    of: str,
) -> T:
    """Run a player's work in one SERIALIZABLE transaction that takes the request's id, if any.

    RepeatedRequestError, RequestIdTakenError: nothing was done. All of it ends within the ledger's
    deadline.
    """
    if request is None:
        return await ledger.serializable(work, of=of)

    key = request.key
    claim: RequestClaim | None = None

    async def work_with_id(book: Book) -> T:
        done = await work(book)
        answer = request.seal(done)
        if answer is not None:
            if claim is not None:
                await claim.take(book)
            if not await keep_request(book, key, answer):
                raise RequestTakenError
        return done

    async def attempt() -> T:
        return await ledger.serializable(work_with_id, of=of)

    async with within(ledger.deadline):
        claim = await ledger.claim_request(key.agent, key.request_id, of)
        try:
            return await (attempt() if claim is None else claim.hold(attempt))
        except RequestTakenError:
            await check_free(ledger, key)
            raise AssertionError("an id that was taken stays taken") from None


async def check_free(ledger: Ledger, key: RequestKey) -> None:
    """Return if the id is free, within the deadline; RepeatedRequestError, RequestIdTakenError."""

    async def work(book: Book) -> KeptRequest | None:
        return await find_request(book, key.agent, key.request_id)

    async with within(ledger.deadline):
        of = await ledger.holder_of(claimed_by(key.agent), key.request_id)
        kept = await ledger.read_only(work, of=of, confirmed=False)
        if kept is None:
            return
        if kept.answer is None or kept.content != key.content:
            raise RequestIdTakenError
        await ledger.confirm(of=of)
    raise RepeatedRequestError(kept.answer)


async def forget_old_answers(ledger: Ledger) -> None:
    """Clear answers that are no longer told; what cannot be cleared now is cleared next time."""

    async def work(book: Book) -> int:
        return await clear_answers(book, CLEARED_AT_ONCE)

    with suppress(LedgerError):
        for of in await ledger.apart():
            await ledger.serializable(work, of=of, deadline=CLEARING_TIME)
