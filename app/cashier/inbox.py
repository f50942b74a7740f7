"""The inbox: money that is not where somebody expects it, from its finding to its end.

1. `collect` looks through what the ledger has decided since the last look. It costs the money road
   nothing, runs at READ COMMITTED, and may be run by anybody at any time.
2. A person takes an exception, may release it again, and resolves it with a note.
3. What the ledger settles itself leaves the inbox at the next look; nothing else does.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final, NamedTuple

from app.cashier.permissions import Act
from app.ledger.errors import LedgerRestoredError
from app.ledger.exception_collection import Slice, finish, next_slice, open_in, settle
from app.ledger.exceptions import (
    change_state,
    count_open,
    find_exception,
    list_exceptions,
    steps_of,
)
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.inbox import Exceptional, ExceptionKind, ExceptionState, OpenCount, Step
from app.wallet.operators import Operator, Permission

SLICES_MAX: Final = 4000
"""A bound on one collection: more than ten years, a day at a time."""

LISTED_MAX: Final = 200
AT_ONCE: Final = timedelta(0)


class NotDone(NamedTuple):
    """Nothing was changed; the words are a sentence for people."""

    words: str


class Case(NamedTuple):
    """An exception, and what was done about it."""

    exception: Exceptional
    steps: list[Step]


async def collect(ledger: Ledger, *, not_within: timedelta = AT_ONCE) -> None:
    """Bring the inbox up to date, unless that was done less than `not_within` ago.

    Each slice of time is a transaction of its own, so a run that is cut off goes on where it was.
    Of a restored ledger nothing is collected before somebody has said yes.
    """

    async def work(book: Book) -> Slice | None:
        moments = await next_slice(book, not_within=not_within)
        if moments is not None:
            await open_in(book, moments)
            if moments.is_last:
                await settle(book, moments.now)
            await finish(book, moments)
        return moments

    with suppress(LedgerRestoredError):
        for _ in range(SLICES_MAX):
            looked_at = await ledger.beside_money(work, verifies=True)
            if looked_at is None or looked_at.is_last:
                return


async def inbox(
    ledger: Ledger,
    *,
    is_open: bool = True,
    kind: ExceptionKind | None = None,
    user_id: str | None = None,
    after: int = 0,
    count_max: int = LISTED_MAX,
) -> list[Exceptional]:
    """Return exceptions: open ones, the oldest first, or closed ones, the latest first."""

    async def work(book: Book) -> list[Exceptional]:
        return await list_exceptions(
            book, is_open=is_open, kind=kind, user_id=user_id, after=after, count_max=count_max
        )

    return await ledger.read_only(work)


async def open_counts(ledger: Ledger) -> Mapping[ExceptionKind, OpenCount]:
    """Count the open exceptions of every kind, and say how long the first of each has waited."""
    return await ledger.read_only(count_open, confirmed=False)


async def show_case(ledger: Ledger, exception_id: int) -> Case | NotDone:
    """Return an exception with the steps taken about it."""

    async def work(book: Book) -> Case | NotDone:
        found = await find_exception(book, exception_id)
        if found is None:
            return NotDone(_unknown(exception_id))
        return Case(found, await steps_of(book, exception_id))

    return await ledger.read_only(work)


async def take(
    ledger: Ledger, operator: Operator, exception_id: int, note: str | None = None
) -> Case | NotDone:
    """Put one's name to an exception, also in the place of somebody else's."""
    return await _changed(ledger, operator, exception_id, ExceptionState.TAKEN, note)


async def release(
    ledger: Ledger, operator: Operator, exception_id: int, note: str | None = None
) -> Case | NotDone:
    """Leave an exception that was taken to others."""
    return await _changed(ledger, operator, exception_id, ExceptionState.OPEN, note)


async def resolve(
    ledger: Ledger, operator: Operator, exception_id: int, note: str
) -> Case | NotDone:
    """Close an exception for ever; the note says what was done."""
    if not note.strip():
        return NotDone("A resolved exception needs a note that says what was done.")
    return await _changed(ledger, operator, exception_id, ExceptionState.RESOLVED, note)


async def _changed(
    ledger: Ledger,
    operator: Operator,
    exception_id: int,
    state: ExceptionState,
    note: str | None,
) -> Case | NotDone:
    act = Act(operator, f"exception.{_VERBS[state]}", exception_id)
    fault = await act.fault(ledger, Permission.RESOLVE)
    if fault is not None:
        return NotDone(fault)

    async def work(book: Book) -> Case | NotDone:
        found = await find_exception(book, exception_id, for_change=True)
        if found is None:
            return NotDone(_unknown(exception_id))
        if found.state in {ExceptionState.RESOLVED, ExceptionState.SETTLED}:
            return NotDone(
                f"The exception {exception_id} was {found.state.value} by {found.closed_by}."
            )
        if state is ExceptionState.OPEN and found.state is ExceptionState.OPEN:
            return NotDone(f"Nobody has taken the exception {exception_id}.")
        taken_by = {
            ExceptionState.TAKEN: operator.name,
            ExceptionState.RESOLVED: found.taken_by,
        }.get(state)
        await change_state(book, exception_id, state, operator, taken_by=taken_by, note=note)
        await act.note(book, note)
        changed = await find_exception(book, exception_id)
        return Case(changed or found, await steps_of(book, exception_id))

    return await ledger.serializable(work)


_VERBS: Final = {
    ExceptionState.TAKEN: "take",
    ExceptionState.OPEN: "release",
    ExceptionState.RESOLVED: "resolve",
}


def _unknown(exception_id: int) -> str:
    return f"There is no exception {exception_id}; `wallet inbox list` shows those that are open."
