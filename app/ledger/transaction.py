"""BEGIN, COMMIT, isolation and bounded retry live here and nowhere else.

A piece of work is a function of the `Book`: the database may ask for it to be run again (SQLSTATE
40001 or 40P01, at any statement or at COMMIT), so it must not answer anybody before it has returned
from here. A connection that dies says nothing about the commit: the work runs again too, and
recognises by its delivery id what its first run wrote.

Movements take `optimistic`: the work runs once without locks, its write being a transaction of its
own that fails unless everything that was read still holds; else again under locks, within bounds.
An attempt whose commit is in doubt is fenced first, so that it cannot be committed after the next
run has decided.

Where commits wait for a synchronous standby, none is ever cancelled, and what tells of rows that it
did not write is followed by a confirmation: see `standby`.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from random import SystemRandom
from typing import Final, TypeAlias, TypeVar

import asyncpg

from app.database_url import connect_arguments
from app.ledger.connections import CONNECT_MAX, Connections, Kept, PoolUse, Raw
from app.ledger.errors import (
    AdjustmentNotOpenError,
    DeadlineError,
    LedgerAwayError,
    LedgerBusyError,
    SettingsDifferError,
)
from app.ledger.money.book import Book, MoneyBook
from app.ledger.money.statements import (
    ADJUSTMENT_NOT_OPEN,
    CONFIRM,
    FACTS_STALE,
    NOT_SERIALIZABLE,
    SETTINGS_DIFFER,
)
from app.ledger.outage import Outage
from app.ledger.standby import (
    COMMITS_WAITING,
    COMMITS_WAITING_MAX,
    CONFIRM_SECONDS,
    IS_WANTED,
    SILENT,
    Standby,
)

T = TypeVar("T")
Lend: TypeAlias = Callable[[], AbstractAsyncContextManager[Raw]]

ATTEMPTS_MAX: Final = 100
"""A bound for the retry loop; the deadline ends it first, since a hundred waits take about 12 s."""

WAIT_FIRST_MS: Final = 2
WAIT_MAX_MS: Final = 250
"""Waits between attempts double from the first, about one transaction, to the longest, and are
jittered: a waiting caller is served within a quarter of a second after a conflict has ended."""

CONFLICTS: Final = frozenset({"40001", "40P01", "55P03", FACTS_STALE, NOT_SERIALIZABLE})
"""serialization_failure, deadlock_detected, lock_not_available, a stale fact: run again.

Under locks the transaction says itself that it is SERIALIZABLE, whatever the connection's setting.
"""

AWAY_CLASSES: Final = frozenset({"08", "28", "3D", "53", "57", "58"})
"""Classes that mean that the database is away.

They are connection, login, no such database, resources, operator intervention and system error.
"""

AWAY_STATES: Final = frozenset({"0A000", "25006", "25P03", "55000"})
"""A standby, which knows no SERIALIZABLE (0A000) and only reads; an idle transaction ended; or
connections not accepted."""

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
    "search_path": "public, pg_temp",
}

SERIALIZABLE: Final = "BEGIN ISOLATION LEVEL SERIALIZABLE;"
READ_COMMITTED: Final = "BEGIN ISOLATION LEVEL READ COMMITTED;"
SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"

LOST: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What the driver says when a statement, or the connection, has failed."""

_jitter: Final = SystemRandom()


class RunAgainError(Exception):
    """The work found that it must start from a new snapshot."""


class NothingStandsError(Exception):
    """The work found that nothing of it may stand: it is rolled back, and not run again."""


class CommitOutcome(Enum):
    """What became of an attempt that did not return."""

    ROLLED_BACK = auto()
    """nothing of it stands"""
    UNKNOWN = auto()
    """the connection is gone, and it may be committed, now or later"""


class Ledger:
    """The database for the cashier: work is done in one transaction or not at all."""

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

        Some connections are for unlocked reads only, and at least one writes. `deadline` bounds
        every piece of work. `clock` (UTC) replaces the database's own clock, which is one for all
        replicas; it is for tests.
        """
        self.deadline = deadline
        self.retries: Counter[str] = Counter()
        """by SQLSTATE, or what else made the work run again"""
        self._clock = clock
        self._outage = Outage(url)
        arguments = connect_arguments(url)
        milliseconds = str(deadline // timedelta(milliseconds=1))

        def connections(most: int, isolation: str) -> Connections:
            settings = SESSION_SETTINGS | {
                "default_transaction_isolation": isolation,
                "statement_timeout": milliseconds,
                "lock_timeout": milliseconds,
                "idle_in_transaction_session_timeout": milliseconds,
            }
            wait = min(deadline, CONNECT_MAX)
            return Connections(arguments, most, wait, settings, self._outage, self._was_let_go)

        self._connections = connections(max(pool_size - read_connections, 1), "serializable")
        # Facts are read without locks, not even those that SERIALIZABLE keeps of a reader.
        self._read_connections = connections(read_connections, "read committed")
        # Beside the pool, since a pool full of commits that wait must not keep it from being asked.
        self._confirming = connections(1, "read committed")
        self.standby = Standby(self._confirm)

    def pool_use(self) -> PoolUse:
        """Count the connections that work, those that wait for work, and how many there may be."""
        uses = zip(self._connections.use(), self._read_connections.use(), strict=True)
        return PoolUse(*(working + reading for working, reading in uses))

    @property
    def commits_let_go(self) -> int:
        """The number of commits that may still be under way though their callers have left."""
        return self._connections.outlasting + self._confirming.outlasting

    async def close(self) -> None:
        """Give all connections back to the database."""
        await self.standby.close()
        pools = (self._connections, self._read_connections, self._confirming)
        await asyncio.gather(*(pool.close() for pool in pools))

    async def confirm(self) -> None:
        """Return when the synchronous standby, if there is one, has all that was visible before.

        Raises DeadlineError or LedgerAwayError: it is not known to have it.
        """
        if self.standby.is_wanted:
            await self.standby.confirm()

    def _was_let_go(self) -> None:
        """A commit took longer than its caller had: see whether others are confirmed."""
        if not self.standby.is_silent:
            self.standby.probe()

    async def _confirm(self) -> None:
        """Commit once; a DeadlineError says that it was sent, and not answered in time."""
        connections = self._confirming
        retries = _Retries(self.retries, connections, self._outage)
        while retries.may_try():
            try:
                async with _lent(connections) as raw:
                    if self.standby.is_silent:
                        waiting = await raw.fetchval(COMMITS_WAITING)
                        if waiting >= COMMITS_WAITING_MAX:
                            raise LedgerAwayError(SILENT)
                    async with asyncio.timeout(CONFIRM_SECONDS):
                        await connections.commit(raw, CONFIRM)
            except TimeoutError as error:
                raise DeadlineError from error
            except LOST as error:
                retries.outcome_after(error)
            else:
                self._outage.end()
                return
            await retries.wait()
        raise retries.given_up()

    async def _send(self, raw: Raw, statement: str, *arguments: object) -> None:
        """Run a statement that commits by itself, and never cancel it if that may be waited for."""
        if self.standby.was_wanted:
            await self._connections.commit(raw, statement, *arguments)
        else:
            await raw.execute(statement, *arguments)

    async def optimistic(
        self, work: Callable[[MoneyBook], Awaitable[T]], *, deadline: timedelta | None = None
    ) -> T:
        """Run the work without locks, and again under locks if a fact was stale; return its result.

        Raises SettingsDifferError, AdjustmentNotOpenError, DeadlineError, LedgerBusyError or
        LedgerAwayError; after the last three it is unknown whether anything was committed.
        """
        self.standby.refuse_if_silent()
        try:
            async with asyncio.timeout((deadline or self.deadline).total_seconds()):
                done = await self._optimistic(work)
        except TimeoutError as error:
            raise DeadlineError from error
        self._outage.end()
        return done

    async def _optimistic(self, work: Callable[[MoneyBook], Awaitable[T]]) -> T:
        retries = _Retries(self.retries, self._connections, self._outage)
        in_doubt: MoneyBook | None = None
        while retries.may_try():
            book: MoneyBook | None = None
            try:
                if in_doubt is not None:
                    await self._fence(in_doubt)
                    in_doubt = None
                if retries.count == 1:
                    book = self._money_book(lambda: _lent(self._connections), takes_locks=False)
                    return await work(book)
                async with _lent(self._connections) as raw:
                    await raw.execute(SERIALIZABLE)
                    book = self._money_book(partial(_open, raw), takes_locks=True)
                    result = await work(book)
                    await self._commit(raw)
                    return result
            except LOST as error:
                if sqlstate(error) == SETTINGS_DIFFER:
                    raise SettingsDifferError from error
                if sqlstate(error) == ADJUSTMENT_NOT_OPEN:
                    raise AdjustmentNotOpenError from error
                if retries.outcome_after(error) is CommitOutcome.UNKNOWN and book is not None:
                    in_doubt = book if book.is_writing else None
            except RunAgainError:
                self.retries["rolled back at commit"] += 1
            await retries.wait()
        raise retries.given_up()

    def _money_book(self, write: Lend, *, takes_locks: bool) -> MoneyBook:
        return MoneyBook(
            lambda: _lent(self._read_connections),
            write,
            self._send,
            self._clock,
            takes_locks=takes_locks,
            standby=self.standby,
        )

    async def _fence(self, book: MoneyBook) -> None:
        """Make sure that what this book sent is committed by now, or never will be."""
        async with _lent(self._connections) as raw:
            await Book(raw, self._clock).fence(book.user_ids)

    async def serializable(
        self, work: Callable[[Book], Awaitable[T]], *, deadline: timedelta | None = None
    ) -> T:
        """Run the work in one SERIALIZABLE transaction, commit, and return its result.

        Raises DeadlineError, LedgerBusyError or LedgerAwayError; it is then unknown whether it
        was committed. A NothingStandsError of the work is passed on, with nothing committed.
        """
        self.standby.refuse_if_silent()
        return await self._bounded(work, SERIALIZABLE, deadline or self.deadline)

    async def beside_money(self, work: Callable[[Book], Awaitable[T]]) -> T:
        """Run work that reads money and writes none, at READ COMMITTED, and commit.

        It leaves no predicate locks, so it cannot make a movement run again, however much it reads.
        """
        return await self._bounded(work, READ_COMMITTED, self.deadline)

    async def read_only(self, work: Callable[[Book], Awaitable[T]], *, confirmed: bool = True) -> T:
        """Run work that writes nothing on one consistent snapshot; no retry is ever asked of it.

        It returns when the synchronous standby, if there is one, has all that was read, unless
        `confirmed` is False: for what tells nobody of money.
        """
        if confirmed:
            self.standby.refuse_if_silent()
        done = await self._bounded(work, SNAPSHOT, self.deadline)
        if confirmed:
            await self.confirm()
        return done

    async def _bounded(
        self, work: Callable[[Book], Awaitable[T]], begin: str, deadline: timedelta
    ) -> T:
        retries = _Retries(self.retries, self._connections, self._outage)
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                while retries.may_try():
                    try:
                        async with _lent(self._connections) as raw:
                            await raw.execute(begin)
                            if self.standby.must_look:
                                self.standby.note(is_wanted=await raw.fetchval(IS_WANTED))
                            done = await work(Book(raw, self._clock))
                            if begin is SERIALIZABLE and self.standby.is_wanted:
                                # The work may have written nothing, and tell of what it found.
                                await raw.execute(CONFIRM)
                            await self._commit(raw)
                    except LOST as error:
                        retries.outcome_after(error)
                    except RunAgainError:
                        self.retries["rolled back at commit"] += 1
                    else:
                        self._outage.end(wrote=begin is SERIALIZABLE)
                        return done
                    await retries.wait()
                raise retries.given_up()
        except TimeoutError as error:
            raise DeadlineError from error

    async def _commit(self, raw: Raw) -> None:
        """Commit; PostgreSQL says ROLLBACK, and no error, where the transaction failed before."""
        if self.standby.was_wanted:
            said = await self._connections.commit(raw, "COMMIT;")
        else:
            said = await raw.execute("COMMIT;")
        if said != "COMMIT":
            raise RunAgainError


class _Retries:
    """The bounded loop's bookkeeping: how often it ran, why, and how long it waits in between."""

    def __init__(self, counts: Counter[str], connections: Connections, outage: Outage) -> None:
        self.count = 0
        self._counts = counts
        self._connections = connections
        self._outage = outage
        self._wait_ms = WAIT_FIRST_MS
        self._away: Exception | None = None
        self._is_over = False

    def may_try(self) -> bool:
        """Begin another attempt, unless there were enough."""
        self.count += 1
        return self.count <= ATTEMPTS_MAX and not self._is_over

    def outcome_after(self, error: Exception) -> CommitOutcome:
        """What became of an attempt that ended so; raises what is no reason to run again."""
        is_gone = is_away(error)
        if is_gone:
            self._away = error
            self._is_over = self._connections.is_shut
        elif not is_conflict(error):
            raise error
        self._counts[sqlstate(error) or type(error).__name__] += 1
        return CommitOutcome.UNKNOWN if is_gone else CommitOutcome.ROLLED_BACK

    async def wait(self) -> None:
        """Wait before the next attempt: jittered and doubling."""
        if not self._is_over:
            await asyncio.sleep(_jitter.uniform(0, self._wait_ms) / 1000)
            self._wait_ms = min(self._wait_ms * 2, WAIT_MAX_MS)

    def given_up(self) -> LedgerAwayError | LedgerBusyError:
        """Return the error to raise when no attempt succeeded."""
        if self._away is None:
            return LedgerBusyError()
        self._outage.begin(self._away)
        given_up = LedgerAwayError()
        given_up.__cause__ = self._away
        return given_up


@asynccontextmanager
async def _open(raw: Raw) -> AsyncIterator[Raw]:
    """The connection of a transaction that is open already."""
    yield raw


@asynccontextmanager
async def _lent(connections: Connections) -> AsyncIterator[Raw]:
    """Lend a connection for one piece of work; return it to the pool if its state is known."""
    kept = await connections.take()
    try:
        yield kept.raw
    except (asyncpg.PostgresError, RunAgainError, NothingStandsError) as error:
        if is_away(error):
            # The server's last message on this connection, even if the socket is still open.
            connections.drop(kept)
        else:
            await _roll_back(connections, kept)
        raise
    except BaseException:
        # After anything but a result or an SQL error, the state of the connection is unknown.
        connections.drop(kept)
        raise
    connections.put_back(kept)


async def _roll_back(connections: Connections, kept: Kept) -> None:
    """End a transaction that failed; its connection is good if it can still say so."""
    try:
        if not kept.raw.is_closed() and kept.raw.is_in_transaction():
            await kept.raw.execute("ROLLBACK;")
    except BaseException:
        connections.drop(kept)
        raise
    connections.put_back(kept)


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, also one that the migrations' engine has wrapped."""
    state: str | None = getattr(getattr(error, "orig", None) or error, "sqlstate", None)
    return state


def is_conflict(error: BaseException) -> bool:
    """Whether the database asks for the work to be run again."""
    return sqlstate(error) in CONFLICTS


def is_away(error: BaseException) -> bool:
    """Whether the database, or the way to it, is gone for the moment."""
    state = sqlstate(error)
    if state is not None:
        return state[:2] in AWAY_CLASSES or state in AWAY_STATES
    # The driver raises this if the connection was closed in the middle of a statement.
    return isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError))
