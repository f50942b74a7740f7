"""Accounts as their operator sees them: status, exclusion, limits; and who changed what."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.limits import terms_of, terms_text
from app.ledger.money.book import Book
from app.ledger.money.rows import delivery_uuid
from app.ledger.players import Player, player_of
from app.wallet.limits import Term
from app.wallet.moments import clamped


class Account(NamedTuple):
    """A player, and what his operator has settled about him."""

    player: Player
    is_suspended: bool
    """blocked by the operator, until somebody lifts it; `player.is_blocked` knows exclusion too"""
    excluded_until: datetime | None
    terms: Mapping[str, Term]
    """his limits by name, in minor units of his currency"""


class ChangeNote(NamedTuple):
    """Who asked for a change of an account, and how."""

    source: str
    """the agent's id, or who sat at the console"""
    operation: str
    """the contract's name, `account/update`"""
    asked: str
    """JSON text of what was asked, without secrets"""
    delivery: bytes
    """16 random bytes that name the request"""
    event_time: datetime


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
"""The lock that the UPDATE takes: of two changes of one account, the second sees the first."""

_CHANGE: Final = """
WITH profile AS (
    UPDATE players SET language = $5 WHERE player_id = $1 AND language <> $5
)
UPDATE wallets SET blocked = $2, excluded_until = $3, limits = $4::text::jsonb,
    revision = revision + 1
WHERE player_id = $1
"""
"""Movements that were decided on what was in force before do not find their revision any more."""

_NOTE: Final = """
INSERT INTO account_changes (player_id, source, operation, asked, outcome, delivery, event_time,
                             ledger_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8::timestamptz, now()))
"""


async def find_account(book: Book, user_id: str, *, for_change: bool = False) -> Account | None:
    """The account; `for_change`: locked until the transaction ends."""
    statement = _ACCOUNT_LOCKED if for_change else _ACCOUNT
    row = await book.connection.fetchrow(statement, user_id, book.now_given())
    if row is None:
        return None
    return Account(
        player=player_of(row),
        is_suspended=row["blocked"],
        # Until there were bounds, `infinity` and the year 1 could be stored.
        excluded_until=None if (until := row["excluded_until"]) is None else clamped(until),
        terms=terms_of(row["limits"]),
    )


async def change_account(book: Book, account: Account) -> None:
    """Write what may change of an account: status, exclusion, limits, language."""
    await book.connection.execute(
        _CHANGE,
        account.player.player_id,
        account.is_suspended,
        account.excluded_until,
        terms_text(account.terms),
        account.player.language,
    )


async def note_change(book: Book, player_id: int, note: ChangeNote, outcome: str) -> None:
    """Append to the list of changes: what was asked, and what came of it (JSON text)."""
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
