"""BEGIN, COMMIT, isolation and bounded retry live here and nowhere else.

A piece of work is a function of the `Book`: the database may ask for it to be run again (SQLSTATE
40001 or 40P01, at any statement or at COMMIT), so it must not answer anybody before
`serializable` has returned. A connection that dies says nothing about the commit: the work runs
again too, and recognises by its delivery id what it wrote the first time.

Beside it stands the short way: `glance` reads outside of any transaction, and `in_one_statement`
writes in a SERIALIZABLE transaction of its own, which fails unless what was read still holds.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import Enum, auto
from random import SystemRandom
from typing import Final, TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError

from app.deadlines import Limit
from app.ledger.connecting import engine_for
from app.ledger.connections import CONNECT_SECONDS_MAX, Connections, Kept, PoolUse, Raw
from app.ledger.errors import DeadlineError, LedgerAwayError, LedgerBusyError
from app.ledger.money.book import Book
from app.ledger.money.statements import FACTS_CHANGED
from app.ledger.outage import Outage

T = TypeVar("T")

ATTEMPTS_MAX: Final = 100
"""A bound for the retry loop; in practice the deadline ends it first."""

WAIT_FIRST_MS: Final = 2
WAIT_MAX_MS: Final = 250
"""Between attempts: jittered, doubling, so that rivals do not meet again."""

CONFLICTS: Final = frozenset({"40001", "40P01", "55P03"})
"""serialization_failure, deadlock_detected, lock_not_available: run again."""

AWAY_CLASSES: Final = frozenset({"08", "28", "3D", "53", "57", "58"})
"""Connection, login, no such database, resources, operator intervention, system error.

The database is away for us.
"""

AWAY_STATES: Final = frozenset({"25006", "25P03", "55000"})
"""A server that only reads (a standby), a transaction ended for idling, one that lets nobody in."""

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
    "application_name": "wallet",
    "timezone": "UTC",
}

SERIALIZABLE: Final = "BEGIN ISOLATION LEVEL SERIALIZABLE;"
SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"

LOST: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    DBAPIError,
    OSError,
)
"""What the driver says when a statement, or the connection, has failed."""

_jitter: Final = SystemRandom()


class RunAgainError(Exception):
    """The work found that it must start from a new snapshot."""


class Fate(Enum):
    """What became of a statement that is its own transaction."""

    DONE = auto()
    """committed"""
    UNDONE = auto()
    """nothing of it stands: what it relied on has changed, or another transaction was in its way"""
    UNKNOWN = auto()
    """the connection is gone, and it may be committed"""


class Ledger:
    """The database as the cashier knows it.

    A place where work happens in one transaction or not at all.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        read_connections: int = 1,
        deadline: timedelta = timedelta(seconds=10),
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Prepare to connect; nothing is sent before the first work.

        Of the connections so many only glance, and at least one works. `deadline` bounds every
        piece of work. `clock` (UTC) replaces the database's own clock, which is one for all
        replicas; it is for tests.
        """
        self.deadline = deadline
        self.retries: Counter[str] = Counter()
        """by SQLSTATE, or what else made the work run again"""
        self._clock = clock
        self._outage = Outage(url)
        wait_seconds = deadline.total_seconds()
        milliseconds = str(int(wait_seconds * 1000))

        def connections(most: int, isolation: str) -> Connections:
            engine = engine_for(
                url,
                seconds_max=CONNECT_SECONDS_MAX,
                settings=SESSION_SETTINGS
                | {
                    "default_transaction_isolation": isolation,
                    "statement_timeout": milliseconds,
                    "lock_timeout": milliseconds,
                    "idle_in_transaction_session_timeout": milliseconds,
                },
            )
            return Connections(engine, most, self._outage)

        self._connections = connections(max(pool_size - read_connections, 1), "serializable")
        # A glance locks nothing, not even what SERIALIZABLE remembers of a reader.
        self._read_connections = connections(read_connections, "read committed")

    def pool_use(self) -> PoolUse:
        """Count the connections that work, those that wait for work, and how many there may be."""
        uses = zip(self._connections.use(), self._read_connections.use(), strict=True)
        return PoolUse(*(working + reading for working, reading in uses))

    async def close(self) -> None:
        """Give all connections back to the database."""
        await asyncio.gather(self._connections.close(), self._read_connections.close())

    async def glance(self, look: Callable[[Book], Awaitable[T]]) -> T:
        """Read outside of any transaction what `in_one_statement` will prove.

        Raises DeadlineError or LedgerAwayError.
        """
        try:
            with Limit(self.deadline):
                async with _lent(self._read_connections) as raw:
                    seen = await look(Book(raw, self._clock))
        except TimeoutError as error:
            raise DeadlineError from error
        except LOST as error:
            if is_away(error):
                self._outage.begin(error)
                raise LedgerAwayError from error
            raise
        self._outage.end(wrote=False)
        return seen

    async def in_one_statement(self, write: Callable[[Book], Awaitable[None]]) -> Fate:
        """Run one writing statement as a SERIALIZABLE transaction of its own, and tell its fate.

        Raises DeadlineError; then the fate is not known either.
        """
        try:
            with Limit(self.deadline):
                async with _lent(self._connections) as raw:
                    await write(Book(raw, self._clock))
        except TimeoutError as error:
            raise DeadlineError from error
        except LOST as error:
            if not (is_away(error) or is_conflict(error) or sqlstate(error) == FACTS_CHANGED):
                raise
            self.retries[sqlstate(error) or type(error).__name__] += 1
            return Fate.UNKNOWN if is_away(error) else Fate.UNDONE
        self._outage.end()
        return Fate.DONE

    async def serializable(
        self,
        work: Callable[[Book], Awaitable[T]],
        *,
        deadline: timedelta | None = None,
        fate_unknown: Callable[[], None] | None = None,
    ) -> T:
        """Run the work in one SERIALIZABLE transaction, commit, and return its result.

        `fate_unknown` is called before the work runs again after a lost connection: the attempt
        before may have been committed. Raises DeadlineError, LedgerBusyError or LedgerAwayError;
        then the fate is not known either.
        """
        wait = deadline or self.deadline
        return await self._bounded(work, SERIALIZABLE, wait, fate_unknown or _nothing)

    async def read_only(self, work: Callable[[Book], Awaitable[T]]) -> T:
        """Run work that writes nothing on one consistent snapshot; no retry is ever asked of it."""
        return await self._bounded(work, SNAPSHOT, self.deadline, _nothing)

    async def _bounded(
        self,
        work: Callable[[Book], Awaitable[T]],
        begin: str,
        deadline: timedelta,
        fate_unknown: Callable[[], None],
    ) -> T:
        try:
            with Limit(deadline):
                return await self._attempts(work, begin, fate_unknown)
        except TimeoutError as error:
            raise DeadlineError from error

    async def _attempts(
        self,
        work: Callable[[Book], Awaitable[T]],
        begin: str,
        fate_unknown: Callable[[], None],
    ) -> T:
        wait_ms = WAIT_FIRST_MS
        away: Exception | None = None
        for _ in range(ATTEMPTS_MAX):
            try:
                return await self._attempt(work, begin)
            except RunAgainError:
                self.retries["key taken"] += 1
                continue
            except TimeoutError as error:
                raise LedgerBusyError from error
            except LOST as error:
                if is_away(error):
                    away = error
                    fate_unknown()
                    if self._connections.is_shut:
                        break
                elif not is_conflict(error):
                    raise
                self.retries[sqlstate(error) or type(error).__name__] += 1
            await asyncio.sleep(_jitter.uniform(0, wait_ms) / 1000)
            wait_ms = min(wait_ms * 2, WAIT_MAX_MS)
        if away is not None:
            self._outage.begin(away)
            raise LedgerAwayError from away
        raise LedgerBusyError

    async def _attempt(self, work: Callable[[Book], Awaitable[T]], begin: str) -> T:
        async with _lent(self._connections) as raw:
            await raw.execute(begin)
            done = await work(Book(raw, self._clock))
            await _commit(raw)
        self._outage.end(wrote=begin is SERIALIZABLE)
        return done


@asynccontextmanager
async def _lent(connections: Connections) -> AsyncIterator[Raw]:
    """A connection for one piece of work, kept afterwards if nobody need mistrust it."""
    kept = await connections.take()
    try:
        yield kept.raw
    except (asyncpg.PostgresError, RunAgainError) as error:
        if is_away(error):
            # The server's last word on this connection, even if the line is still open.
            connections.drop(kept)
        else:
            await _roll_back(connections, kept)
        raise
    except BaseException:
        # Whatever is not a plain answer of the database leaves a connection nobody should trust.
        connections.drop(kept)
        raise
    connections.void_bet(kept)


async def _roll_back(connections: Connections, kept: Kept) -> None:
    """End a transaction that failed; its connection is good if it can still say so."""
    try:
        if not kept.raw.is_closed() and kept.raw.is_in_transaction():
            await kept.raw.execute("ROLLBACK;")
    except BaseException:
        connections.drop(kept)
        raise
    connections.void_bet(kept)


async def _commit(raw: Raw) -> None:
    """Commit; PostgreSQL says ROLLBACK, and no error, where the transaction had failed before."""
    if await raw.execute("COMMIT;") != "COMMIT":
        raise RunAgainError


def _nothing() -> None:
    """Work that writes no movement has nothing to look for."""


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, however it was wrapped."""
    if isinstance(error, DBAPIError):
        return getattr(error.orig, "sqlstate", None)
    return getattr(error, "sqlstate", None)


def is_conflict(error: BaseException) -> bool:
    """Whether the database asks for the work to be run again."""
    return sqlstate(error) in CONFLICTS


def is_away(error: BaseException) -> bool:
    """Whether the database, or the way to it, is gone for the moment."""
    state = sqlstate(error)
    if state is not None:
        return state[:2] in AWAY_CLASSES or state in AWAY_STATES
    # A driver that was told of the connection's end in the middle of something is out of step.
    lost = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    return isinstance(error, lost) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )
