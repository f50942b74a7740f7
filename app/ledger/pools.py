"""The connections of a ledger: those that see all buckets, and those of each bucket."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from app.database_url import connect_arguments
from app.ledger.citus import REMOTE_PUBLIC
from app.ledger.connecting import NO_SETTINGS
from app.ledger.connections import CONNECT_MAX, Connections, PoolUse, Refused
from app.ledger.outage import Outage
from app.wallet.buckets import bucket_of, schema_of

WHOLE_LEDGER: Final = "public, pg_temp"
"""The search path above the buckets; that of a bucket has its schema in front."""

ABOVE_NODES: Final = f"{REMOTE_PUBLIC}, {WHOLE_LEDGER}"
"""The same where buckets may be on several nodes: what every node has is read as a foreign table.
A schema that is not there is passed over."""

WRITERS_MIN: Final = 2
"""Connections of a bucket: while one adds rows, another may look something up."""

APPLICATION_NAME: Final = "wallet/2"
"""Differs from the previous release's, so that an upgrade can see whether that one still runs."""

SESSION_SETTINGS: Final = {
    # Every statement of the service goes by key. A sequential scan would put a predicate lock on
    # the whole table and make conflicts of movements that have nothing in common.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Most batches ask for each wallet once: to keep what was found costs more than to find it.
    "enable_memoize": "off",
    # A plan is made once for each connection: making one anew costs more than a lone movement.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "application_name": APPLICATION_NAME,
    "timezone": "UTC",
    # What durability and the meaning of every statement rest on: a role may change its own defaults
    # for new connections, and these come before those.
    "synchronous_commit": "on",
    "search_path": WHOLE_LEDGER,
}


class Pools(NamedTuple):
    """The connections by which money moves, in all buckets of a server.

    They are the same few for all, so that their number does not grow with that of buckets.
    """

    write: Connections
    """SERIALIZABLE, for everything but facts"""
    read: Connections
    """facts are read without locks, not even those that SERIALIZABLE keeps of a reader"""


class LedgerPools:
    """Pools that are made when they are needed.

    Where one server has several buckets, each has connections besides on whose search path it is
    first, for work that adds rows of its players and moves no money.
    """

    def __init__(
        self,
        url: str,
        pool_size: int,
        read_connections: int,
        deadline: timedelta,
        *,
        outage: Outage,
        was_let_go: Callable[[], None],
        was_opened: Callable[[], None],
        session: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        """Open nothing yet; the functions are those of `Connections`.

        `session`: settings of the connections above the buckets that come before ours.
        """
        self._session = dict(session)
        self._arguments = connect_arguments(url)
        self._pool_size = pool_size
        self._deadline = deadline
        self._outage = outage
        self._was_let_go = was_let_go
        self._was_opened = was_opened
        self._refused = Refused()
        self._by_bucket: dict[int, Connections] = {}
        self.whole = Pools(
            self._connections(max(pool_size - read_connections, 1), "serializable", WHOLE_LEDGER),
            self._connections(read_connections, "read committed", WHOLE_LEDGER),
        )
        self.confirming = self._connections(1, "read committed", WHOLE_LEDGER)
        """beside the others: a pool full of commits that wait must not keep it from being asked"""

    def of_bucket_of(self, user_id: str, count: int) -> Connections:
        """Return connections whose tables are those of a player's bucket, of so many."""
        if count == 1:
            return self.whole.write
        bucket = bucket_of(user_id, count)
        if bucket not in self._by_bucket:
            path = f"{schema_of(bucket, count)}, {WHOLE_LEDGER}"
            most = max(self._pool_size // count, WRITERS_MIN)
            self._by_bucket[bucket] = self._connections(most, "serializable", path)
        return self._by_bucket[bucket]

    def beside(self, most: int, *, was_opened: Callable[[], None] | None = None) -> Connections:
        """Return connections of their own, at READ COMMITTED, for what others must not wait for.

        `was_opened`: what is called for these instead.
        """
        return self._connections(most, "read committed", WHOLE_LEDGER, was_opened)

    def use(self) -> PoolUse:
        """Count the connections that work, those that wait for work, and how many there may be."""
        uses = [pool.use() for pool in self.working()]
        return PoolUse(*map(sum, zip(*uses, strict=True)))

    @property
    def outlasting(self) -> int:
        """The number of commits that may still be under way though their callers have left."""
        return sum(pool.outlasting for pool in self.every())

    def working(self) -> Iterator[Connections]:
        """Yield every pool that works for callers."""
        yield from self.whole
        yield from self._by_bucket.values()

    def every(self) -> Iterator[Connections]:
        """Yield every pool."""
        yield from self.working()
        yield self.confirming

    def _connections(
        self, most: int, isolation: str, path: str, was_opened: Callable[[], None] | None = None
    ) -> Connections:
        milliseconds = str(self._deadline // timedelta(milliseconds=1))
        settings = SESSION_SETTINGS | {
            "search_path": path,
            "default_transaction_isolation": isolation,
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
        }
        if path == WHOLE_LEDGER:
            settings |= self._session
        wait = min(self._deadline, CONNECT_MAX)
        return Connections(
            self._arguments,
            most,
            wait,
            settings,
            self._outage,
            self._was_let_go,
            was_opened or self._was_opened,
            self._refused,
        )
