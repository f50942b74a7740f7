"""The append-only list of what the operator's people looked at and did.

1. `note_action`      appends one action, in the transaction of what was done
2. `refusals_within` refused sign-ins of a name and from an address, which slow down the next

The database numbers and chains the rows (migration 20261205_operators), one after the other: of two
transactions that append at once, the second waits, and is run again.
"""

from datetime import timedelta
from typing import Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.money.rows import delivery_uuid
from app.wallet.operators import Operator


class Action(NamedTuple):
    """Something that an operator looked at or did."""

    name: str
    """such as `player.look` or `player.block`"""
    subject_kind: str
    """what it was done to: player, movement, round, user, search, …"""
    subject: str
    """the id of that, as the ledger knows it; empty: nothing in particular"""
    delivery: bytes
    """16 random bytes that identify the request"""
    reason: str | None = None
    is_done: bool = True
    """False: it was refused, and nothing was done"""
    details: str = "{}"
    """what else is to be known, as JSON text without secrets"""


class RefusedSignIns(NamedTuple):
    """How often signing in was refused lately: of a name, and from an address."""

    of_name: int
    from_source: int


_NOTE: Final = """
INSERT INTO operator_actions (ledger_time, actor, is_verified, via, source, action, subject_kind,
                              subject, reason, outcome, details, delivery)
VALUES (coalesce($1::timestamptz, now()), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

_REFUSED: Final = """
SELECT count(*) FILTER (WHERE a.actor = $1
                          AND a.ledger_time > coalesce(s.last_at, '-infinity')) AS of_name,
       count(*) FILTER (WHERE a.source = $2) AS from_source
FROM operator_actions a
LEFT JOIN (SELECT max(started_at) AS last_at FROM operator_sessions WHERE name = $1) s ON true
WHERE a.ledger_time > coalesce($4::timestamptz, now()) - $3::interval
  AND a.action = 'login' AND a.outcome = 'refused'
"""
"""A sign-in that succeeds ends the count of its name."""


async def note_action(book: Book, operator: Operator, action: Action) -> None:
    """Append an action to the list, in the book's transaction."""
    await book.connection.execute(
        _NOTE,
        book.now_given(),
        operator.name,
        operator.is_verified,
        operator.via.value,
        operator.source,
        action.name,
        action.subject_kind,
        action.subject,
        action.reason,
        "done" if action.is_done else "refused",
        action.details,
        delivery_uuid(action.delivery),
    )


async def refusals_within(book: Book, name: str, source: str, within: timedelta) -> RefusedSignIns:
    """Count the refused sign-ins of a time until now."""
    row = await book.connection.fetchrow(_REFUSED, name, source, within, book.now_given())
    if row is None:
        raise AssertionError("an aggregate is one row")
    return RefusedSignIns(row["of_name"], row["from_source"])
