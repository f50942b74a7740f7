"""Exceptions of the inbox: listed by other parts, looked at, taken, resolved, and counted.

1. `open_exception`   lists a case that no look at the ledger finds, such as a difference
2. `find_exception`   one exception, and the steps taken about it
3. `list_exceptions`  those of a state, the oldest first
4. `change_state`     takes, releases or resolves one, and appends the step
5. `count_open`       the open ones of each kind, and how long the first has waited
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from app.ledger.money.book import Book
from app.wallet.inbox import (
    Exceptional,
    ExceptionKind,
    ExceptionState,
    OpenCount,
    Step,
)
from app.wallet.operators import Operator

if TYPE_CHECKING:
    import asyncpg

_OPEN: Final = """
INSERT INTO exceptions (kind, key, player_id, user_id, source, transaction_id, event_type,
    direction, event_id, amount, currency, summary, happened_at, opened_at)
SELECT $1, $2, (SELECT player_id FROM players WHERE user_id = $3), $3, $4, $5, $6, $7, $8, $9, $10,
       $11, $12, coalesce($13::timestamptz, now())
ON CONFLICT (kind, key) DO NOTHING RETURNING exception_id
"""

_COLUMNS: Final = """
SELECT exception_id, kind, user_id, source, transaction_id, event_type, direction, event_id, amount,
       currency, summary, happened_at, opened_at, state, taken_by, closed_at, closed_by
FROM exceptions
"""

_FIND: Final = f"{_COLUMNS} WHERE exception_id = $1"

_FIND_LOCKED: Final = f"{_FIND} FOR UPDATE"

_LIST_OPEN: Final = f"""{_COLUMNS}
WHERE state IN ('open', 'taken') AND ($1::text IS NULL OR kind = $1)
  AND ($2::text IS NULL OR user_id = $2) AND exception_id > $3
ORDER BY happened_at, exception_id LIMIT $4
"""

_LIST_CLOSED: Final = f"""{_COLUMNS}
WHERE state IN ('resolved', 'settled') AND ($1::text IS NULL OR kind = $1)
  AND ($2::text IS NULL OR user_id = $2) AND exception_id > $3
ORDER BY exception_id DESC LIMIT $4
"""

_STEPS: Final = """
SELECT at, step, by, is_verified, note FROM exception_steps
WHERE exception_id = $1 ORDER BY step_id
"""

_CHANGE: Final = """
WITH changed AS (
    UPDATE exceptions SET state = $2, taken_by = $3,
        closed_at = CASE WHEN $2 = 'resolved' THEN n.moment END,
        closed_by = CASE WHEN $2 = 'resolved' THEN $5 END
    FROM (SELECT coalesce($10::timestamptz, now()) AS moment) n
    WHERE exception_id = $1
    RETURNING n.moment
)
INSERT INTO exception_steps (exception_id, at, step, by, is_verified, via, came_from, note)
SELECT $1, moment, $4, $5, $6, $7, $8, $9 FROM changed
"""

_COUNT: Final = """
SELECT kind, count(*),
       greatest(extract(epoch FROM coalesce($1::timestamptz, now()) - min(opened_at)), 0)::bigint
FROM exceptions WHERE state IN ('open', 'taken') GROUP BY kind
"""

STEPS: Final = {
    ExceptionState.OPEN: "released",
    ExceptionState.TAKEN: "taken",
    ExceptionState.RESOLVED: "resolved",
}
"""The step that leads a person to each state."""


async def open_exception(
    book: Book,
    kind: ExceptionKind,
    key: str,
    *,
    summary: str,
    happened_at: datetime,
    user_id: str | None = None,
    source: str | None = None,
    transaction_id: str | None = None,
    event_type: str | None = None,
    direction: str | None = None,
    event_id: str | None = None,
    amount: str | None = None,
    currency: str | None = None,
) -> int | None:
    """List a case in the inbox and return its number; None: it was listed before, under its key.

    `amount` is in major units. `key` names the case within its kind, for ever.
    """
    number: int | None = await book.connection.fetchval(
        _OPEN,
        kind.value,
        key,
        user_id,
        source,
        transaction_id,
        event_type,
        direction,
        event_id,
        amount,
        currency,
        summary,
        happened_at,
        book.now_given(),
    )
    return number


async def find_exception(
    book: Book, exception_id: int, *, for_change: bool = False
) -> Exceptional | None:
    """Return an exception, or None; `for_change` locks it until the transaction ends."""
    statement = _FIND_LOCKED if for_change else _FIND
    row = await book.connection.fetchrow(statement, exception_id)
    return None if row is None else _exceptional(row)


async def steps_of(book: Book, exception_id: int) -> list[Step]:
    """Return what was done about an exception, oldest first."""
    return [Step(*row) for row in await book.connection.fetch(_STEPS, exception_id)]


async def list_exceptions(
    book: Book,
    *,
    is_open: bool = True,
    kind: ExceptionKind | None = None,
    user_id: str | None = None,
    after: int = 0,
    count_max: int,
) -> list[Exceptional]:
    """Return open exceptions, the oldest first, or closed ones, the latest first."""
    statement = _LIST_OPEN if is_open else _LIST_CLOSED
    kind_named = kind.value if kind else None
    rows = await book.connection.fetch(statement, kind_named, user_id, after, count_max)
    return [_exceptional(row) for row in rows]


async def change_state(
    book: Book,
    exception_id: int,
    state: ExceptionState,
    operator: Operator,
    *,
    taken_by: str | None,
    note: str | None,
) -> None:
    """Give an exception its new state, and append the step that led there."""
    await book.connection.execute(
        _CHANGE,
        exception_id,
        state.value,
        taken_by,
        STEPS[state],
        operator.name,
        operator.is_verified,
        operator.via.value,
        operator.source,
        note,
        book.now_given(),
    )


async def count_open(book: Book) -> dict[ExceptionKind, OpenCount]:
    """Count the open exceptions of every kind; they wait from the moment they were listed."""
    rows = await book.connection.fetch(_COUNT, book.now_given())
    found = {ExceptionKind(kind): OpenCount(count, age) for kind, count, age in rows}
    return {kind: found.get(kind, OpenCount(0, 0)) for kind in ExceptionKind}


def _exceptional(row: "asyncpg.Record") -> Exceptional:
    exceptional = Exceptional(*row)
    return exceptional._replace(
        kind=ExceptionKind(exceptional.kind), state=ExceptionState(exceptional.state)
    )
