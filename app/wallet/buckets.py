"""Which bucket a player belongs to: a hash of their user id that never changes.

The hash is CRC-32 (ISO 3309, as in zlib and PNG) of the user id's UTF-8 bytes; the bucket is its
remainder by the number of buckets. `bucket_of_v1` computes the same in the database, where a CHECK
holds every player to it.
"""

from typing import Final
from zlib import crc32

BUCKETS_MAX: Final = 64
"""More would make batches of one or two movements, and search paths that nobody can survey."""

TRIES_MAX: Final = 100 * BUCKETS_MAX
"""Enough texts for every bucket to have one of them."""


def bucket_of(user_id: str, count: int) -> int:
    """Return the bucket of a player, of so many."""
    return crc32(user_id.encode()) % count


def schema_of(bucket: int, count: int) -> str:
    """Return the schema of a bucket.

    The number of buckets is in its name: a process that counts otherwise finds no schema, and moves
    nothing.
    """
    return f"b{bucket:02}_of_{count:02}"


def text_in(bucket: int, count: int) -> str:
    """Return a text of this bucket, for work that is about the bucket and about no player."""
    return next(text for text in map(str, range(TRIES_MAX)) if bucket_of(text, count) == bucket)
