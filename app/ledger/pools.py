"""The connections of a ledger: those that see all buckets, and those of each bucket."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from app.ledger.connections import Connections
from app.wallet.buckets import bucket_of, schema_of

WHOLE_LEDGER: Final = "public, pg_temp"
"""The search path above the buckets; that of a bucket has its schema in front."""

WRITERS_MIN: Final = 2
"""Connections of a bucket that write: while one batch is written, another may be fenced."""


class Pools(NamedTuple):
    """The connections to one bucket, or to all of them."""

    write: Connections
    """SERIALIZABLE, for everything but facts"""
    read: Connections
    """facts are read without locks, not even those that SERIALIZABLE keeps of a reader"""


class LedgerPools:
    """Pools that are made when they are needed; a ledger with one bucket has the first only."""

    def __init__(
        self, make: Callable[[int, int, str], Pools], pool_size: int, read_connections: int
    ) -> None:
        """`make` opens nothing: so many writers, so many readers, on this search path."""
        self.whole = make(max(pool_size - read_connections, 1), read_connections, WHOLE_LEDGER)
        self._make = make
        self._pool_size = pool_size
        self._by_bucket: dict[int, Pools] = {}

    def of_bucket_of(self, user_id: str, count: int) -> Pools:
        """Return the connections of a player's bucket, of so many."""
        if count == 1:
            return self.whole
        bucket = bucket_of(user_id, count)
        if bucket not in self._by_bucket:
            path = f"{schema_of(bucket, count)}, {WHOLE_LEDGER}"
            writers = max(self._pool_size // count, WRITERS_MIN)
            self._by_bucket[bucket] = self._make(writers, 1, path)
        return self._by_bucket[bucket]

    def every(self) -> Iterator[Connections]:
        """Yield every pool."""
        for pools in (self.whole, *self._by_bucket.values()):
            yield from pools
