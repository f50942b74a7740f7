"""The append-only list of what the operator's people looked at and did.

1. `note_action`      appends one action, in the transaction of what was done
2. `refusals_within`  refused sign-ins of a name and from an address, which slow down the next
3. `acts_noted`       acts on players that are noted as done, and as nothing else
4. `note_not_done`    appends that such an act was not done

The database numbers and chains the rows (migration 20261205_operators), one after the other: of two
transactions that append at once, the second waits, and is run again.
"""

import json
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.money.rows import delivery_uuid
from app.wallet.operators import Operator

ACTS_ON_PLAYERS: Final = (
    "player.block",
    "player.exclude",
    "player.limit",
    "player.revoke",
    "player.unblock",
)
"""Actions that are done with a change of the player's account, under one `delivery`."""


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


class NotedAct(NamedTuple):
    """An act on a player, as it was noted."""

    action_id: int
    operator: str
    name: str
    user_id: str
    at: datetime
    delivery: bytes


class RefusedSignIns(NamedTuple):
    """How often signing in was refused lately: of a name, and from an address."""

    of_name: int
    from_source: int


_NOTE: Final = """
INSERT INTO operator_actions (ledger_time, actor, is_verified, via, source, action, subject_kind,
                              subject, reason, outcome, details, delivery)
VALUES (coalesce($1::timestamptz, now()), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

_UPTO: Final = """
SELECT coalesce(
    (SELECT min(action_id) - 1 FROM operator_actions
     WHERE ledger_time >= coalesce($2::timestamptz, now()) - $1::interval),
    (SELECT last_action FROM operator_actions_head))
"""
"""A row with a lower number was committed before, whatever its moment is."""

_NOTED: Final = """
SELECT a.action_id, a.actor, a.action, a.subject, a.ledger_time, a.delivery
FROM operator_actions a
WHERE a.action_id > $1 AND a.action_id <= $2
  AND a.ledger_time > coalesce($5::timestamptz, now()) - $4::interval
  AND a.subject_kind = 'player' AND a.outcome = 'done' AND a.action = ANY($3)
  AND NOT EXISTS (
      SELECT FROM operator_actions r
      WHERE r.subject = a.subject AND r.delivery = a.delivery AND r.outcome = 'refused')
ORDER BY a.action_id LIMIT $6
"""

_NOT_DONE: Final = """
INSERT INTO operator_actions (ledger_time, actor, is_verified, via, source, action, subject_kind,
                              subject, reason, outcome, details, delivery)
SELECT coalesce($3::timestamptz, now()), a.actor, a.is_verified, a.via, a.source, a.action,
       a.subject_kind, a.subject, a.reason, 'refused', $2, a.delivery
FROM operator_actions a
WHERE a.action_id = $1
  AND NOT EXISTS (
      SELECT FROM operator_actions r
      WHERE r.subject = a.subject AND r.delivery = a.delivery AND r.outcome = 'refused')
"""
"""What came of a person's request stands under their name."""

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


async def acts_noted(
    book: Book, after: int, *, older_than: timedelta, within: timedelta, limit: int
) -> tuple[list[NotedAct], int]:
    """Return acts on players of a time that is over, the first first, and where that time ends.

    Those after an action, by its number, with no other note of what came of them.
    """
    now = book.now_given()
    upto: int = await book.connection.fetchval(_UPTO, older_than, now)
    rows = await book.connection.fetch(_NOTED, after, upto, [*ACTS_ON_PLAYERS], within, now, limit)
    acts = [
        NotedAct(
            row["action_id"],
            row["actor"],
            row["action"],
            row["subject"],
            row["ledger_time"],
            row["delivery"].bytes,
        )
        for row in rows
    ]
    return acts, acts[-1].action_id if len(acts) == limit else upto


async def note_not_done(book: Book, act: NotedAct, why: str) -> None:
    """Append that an act was not done, under its own delivery, unless that is there."""
    details = json.dumps({"why": why, "noted": act.action_id})
    await book.connection.execute(_NOT_DONE, act.action_id, details, book.now_given())


async def refusals_within(book: Book, name: str, source: str, within: timedelta) -> RefusedSignIns:
    """Count the refused sign-ins of a time until now."""
    row = await book.connection.fetchrow(_REFUSED, name, source, within, book.now_given())
    if row is None:
        raise AssertionError("an aggregate is one row")
    return RefusedSignIns(row["of_name"], row["from_source"])
