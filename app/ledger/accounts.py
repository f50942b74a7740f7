"""Accounts: status, exclusion and limits, and the append-only list of their changes."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.limits import terms_of, terms_text
from app.ledger.money.book import Book
from app.ledger.money.rows import delivery_uuid
from app.ledger.operator_actions import ACTS_ON_PLAYERS, Action, note_action
from app.ledger.players import Player, player_of
from app.wallet.barring import exclusion_end
from app.wallet.limit_terms import Term
from app.wallet.moments import FOREVER
from app.wallet.operators import Operator


class Account(NamedTuple):
    """A player, and the account settings that their operator has made."""

    player: Player
    is_suspended: bool
    """blocked by the operator; `player.is_blocked` is also true during an exclusion"""
    excluded_until: datetime | None
    terms: Mapping[str, Term]
    """the limits by name, in minor units of the player's currency"""


class ChangeNote(NamedTuple):
    """Who requested a change of an account, and with which request."""

    source: str
    """the agent's id, or the system user at the console"""
    operation: str
    """the contract's name of the operation, for instance `account/update`"""
    asked: str
    """the request as JSON text, without secrets"""
    delivery: bytes
    """16 random bytes that identify the request"""
    event_time: datetime
    act: "Act | None" = None
    """the operator's act that this change is; None: an agent asked for it"""


class Act(NamedTuple):
    """An operator who acts, and what they do."""

    operator: Operator
    action: Action


_ACCOUNT: Final = """
SELECT p.player_id, p.user_id, w.agent, w.currency, w.scale, p.nickname, p.language, p.email,
       p.first_name, p.last_name, w.real::text, w.bonus::text,
       NULL::timestamptz AS expires_at, NULL::bigint AS life_seconds,
       coalesce($2::timestamptz, now()) AS ledger_now, w.blocked, w.excluded_until, w.limits::text
FROM players p
JOIN wallets w ON w.player_id = p.player_id
WHERE p.user_id = $1
"""

_ACCOUNT_LOCKED: Final = _ACCOUNT + "FOR NO KEY UPDATE OF w"
"""The lock that the UPDATE takes: of two concurrent changes, the second sees the first."""

_CHANGE: Final = """
WITH profile AS (
    UPDATE players SET language = $5 WHERE player_id = $1 AND language <> $5
)
UPDATE wallets SET blocked = $2, excluded_until = $3, limits = $4::text::jsonb,
    revision = revision + 1
WHERE player_id = $1
"""
"""It raises the revision, so movements decided on the old settings fail to record and run again."""

_CHANGES_THERE: Final = """
SELECT c.delivery FROM players p JOIN account_changes c ON c.player_id = p.player_id
WHERE p.user_id = ANY($1) AND c.delivery = ANY($2)
"""

_INFINITY: Final = datetime.max  # noqa: DTZ901 - the driver's spelling of `infinity`

_NOTE: Final = """
INSERT INTO account_changes (player_id, source, operation, asked, outcome, delivery, event_time,
                             ledger_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8::timestamptz, now()))
"""


async def changes_there(
    book: Book, user_ids: Collection[str], deliveries: Collection[bytes]
) -> set[bytes]:
    """Return which of these deliveries changed an account of these players."""
    rows = await book.connection.fetch(
        _CHANGES_THERE, [*user_ids], [delivery_uuid(delivery) for delivery in deliveries]
    )
    return {row["delivery"].bytes for row in rows}


async def find_account(book: Book, user_id: str, *, for_change: bool = False) -> Account | None:
    """Return the account, or None; `for_change` locks it until the transaction ends."""
    statement = _ACCOUNT_LOCKED if for_change else _ACCOUNT
    row = await book.connection.fetchrow(statement, user_id, book.now_given())
    if row is None:
        return None
    return Account(
        player=player_of(row),
        is_suspended=row["blocked"],
        excluded_until=exclusion_end(row["excluded_until"]),
        terms=terms_of(row["limits"]),
    )


async def change_account(book: Book, account: Account) -> None:
    """Write the changeable part of an account: status, exclusion, limits, language."""
    await book.connection.execute(
        _CHANGE,
        account.player.player_id,
        account.is_suspended,
        # The driver's text for a moment without an end would be the year 9999.
        _INFINITY if account.excluded_until == FOREVER else account.excluded_until,
        terms_text(account.terms),
        account.player.language,
    )


async def note_change(book: Book, player_id: int, note: ChangeNote, outcome: str) -> None:
    """Append a request and its outcome (JSON text) to the list of changes.

    An act of an operator is appended to the list of actions as well; where that is not on the
    player's node, just before the change is committed, under the same `delivery`.
    """
    await book.connection.execute(
        _NOTE,
        player_id,
        note.source,
        note.operation,
        note.asked,
        outcome,
        delivery_uuid(note.delivery),
        note.event_time,
        book.now_given(),
    )
    act = note.act
    if act is not None:
        if act.action.name not in ACTS_ON_PLAYERS:
            raise AssertionError("acts are held against the changes of accounts by their names")
        await book.above(lambda above: note_action(above, act.operator, act.action))
