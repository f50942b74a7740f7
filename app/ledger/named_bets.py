"""Betby's bets by their places in the journal, and the notes that Betby makes about them.

1. `entries_at`      accepted entries of a wallet, by position
2. `round_of`        a round's accepted movements, oldest first
3. `keep_note`       appends a note, once
"""

from collections.abc import Sequence
from typing import Final

from app.ledger.money.book import Book
from app.ledger.money.rows import delivery_uuid, entry_of
from app.ledger.money.statements import ENTRY_COLUMNS
from app.wallet.journal import JournalEntry

_AT: Final = f"""
SELECT {ENTRY_COLUMNS} FROM movements m
WHERE m.player_id = $1 AND m.position = ANY ($2::bigint[]) AND m.decision = 'ACCEPTED'
"""  # noqa: S608 - composed of constants

_OF_ROUND: Final = f"""
SELECT {ENTRY_COLUMNS} FROM movements m
WHERE m.player_id = $1 AND m.event_id = $2 AND m.decision = 'ACCEPTED' ORDER BY m.position
"""  # noqa: S608 - composed of constants

_KEEP: Final = """
INSERT INTO betby_notes (player_id, position, note, status, differs, delivery, noted_at)
VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::timestamptz, now()))
ON CONFLICT DO NOTHING RETURNING noted_at
"""


async def entries_at(
    book: Book, player_id: int, positions: Sequence[int]
) -> dict[int, JournalEntry]:
    """Return the accepted entries at these positions, by position."""
    rows = await book.connection.fetch(_AT, player_id, list(positions))
    return {row["position"]: entry_of(row) for row in rows}


async def round_of(book: Book, player_id: int, event_id: str) -> tuple[JournalEntry, ...]:
    """Return the accepted movements of an event, oldest first."""
    rows = await book.connection.fetch(_OF_ROUND, player_id, event_id)
    return tuple(entry_of(row) for row in rows)


async def keep_note(
    book: Book, bet: JournalEntry, note: str, status: str, differs: str | None, delivery: bytes
) -> bool:
    """Append a note about a bet; False: it was made before."""
    noted_at = await book.connection.fetchval(
        _KEEP,
        bet.player_id,
        bet.position,
        note,
        status,
        differs,
        delivery_uuid(delivery),
        book.now_given(),
    )
    return noted_at is not None
