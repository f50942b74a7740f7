"""Requests as they were received, sealed: evidence that no decision ever reads.

1. `archive`            adds sealed requests; one that is there already stays as it is
2. `archived_under`     those under a transaction id, oldest first
3. `forget_before`      deletes some of the oldest
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.money.rows import delivery_uuid

ARCHIVED_MAX: Final = 100
"""The most requests under one id that are read: those of a storm of repeats are alike."""


class SealedRequest(NamedTuple):
    """A request that only who has the key can read."""

    received_at: datetime
    delivery: bytes
    source: str
    transaction_id: str | None
    sealed: bytes


_ARCHIVE: Final = """
INSERT INTO archived_requests (received_at, delivery, source, transaction_id, sealed)
SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::bytea[])
ON CONFLICT DO NOTHING
"""

_ARCHIVED_UNDER: Final = """
SELECT received_at, delivery, source, transaction_id, sealed FROM archived_requests
WHERE transaction_id = $1 ORDER BY received_at, delivery LIMIT $2
"""

# The oldest only, so that nobody waits for a long transaction; there may be fewer than that.
_FORGET: Final = """
WITH gone AS (
    DELETE FROM archived_requests AS a USING (
        SELECT received_at, delivery FROM archived_requests WHERE received_at < $1
        ORDER BY received_at, delivery LIMIT $2
    ) AS oldest
    WHERE a.received_at = oldest.received_at AND a.delivery = oldest.delivery
    RETURNING 1
)
SELECT count(*) FROM gone
"""


async def archive(book: Book, requests: Sequence[SealedRequest]) -> None:
    """Add sealed requests; one that an earlier try has added is not added again."""
    await book.connection.execute(
        _ARCHIVE,
        [each.received_at for each in requests],
        [delivery_uuid(each.delivery) for each in requests],
        [each.source for each in requests],
        [each.transaction_id for each in requests],
        [each.sealed for each in requests],
    )


async def archived_under(book: Book, transaction_id: str) -> list[SealedRequest]:
    """Return the requests under a transaction id that are still kept, of all sources."""
    rows = await book.connection.fetch(_ARCHIVED_UNDER, transaction_id, ARCHIVED_MAX)
    return [
        SealedRequest(
            row["received_at"],
            row["delivery"].bytes,
            row["source"],
            row["transaction_id"],
            row["sealed"],
        )
        for row in rows
    ]


async def forget_before(book: Book, moment: datetime, at_most: int) -> int:
    """Delete some of the requests received before a moment, and return how many they were."""
    count: int = await book.connection.fetchval(_FORGET, moment, at_most)
    return count
