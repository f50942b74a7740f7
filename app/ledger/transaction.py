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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias, TypeVar

from app.ledger.alone import StillAlone, alone
from app.ledger.buckets.reading import count_buckets
from app.ledger.confirming import commit_once
from app.ledger.connecting import NO_SETTINGS
from app.ledger.connections import Connections, PoolUse, Raw
from app.ledger.deadlines import within
from app.ledger.errors import DeadlineError
from app.ledger.lending import lent
from app.ledger.money.book import Book, Claims, MoneyBook
from app.ledger.money.statements import CONFIRM, FENCE, Statements, of_player
from app.ledger.one_server import OneServer
from app.ledger.outage import Outage
from app.ledger.pools import LedgerPools
from app.ledger.retries import CommitOutcome, Retries, RunAgainError
from app.ledger.sqlstates import LOST, refusal_of
from app.ledger.standby import IS_WANTED, Standby
from app.ledger.timeline_guard import TimelineGuard

T = TypeVar("T")
Lend: TypeAlias = Callable[[], AbstractAsyncContextManager[Raw]]

SERIALIZABLE: Final = "BEGIN ISOLATION LEVEL SERIALIZABLE;"
READ_COMMITTED: Final = "BEGIN ISOLATION LEVEL READ COMMITTED;"
SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"


class Ledger(OneServer):
    """The database for the cashier: work is done in one transaction or not at all."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        read_connections: int = 1,
        deadline: timedelta = timedelta(seconds=10),
        clock: Callable[[], datetime] | None = None,
        serves: bool = False,
        buckets: int | None = None,
        session: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        """Prepare to connect; nothing is sent before the first work.

        Some connections are for unlocked reads only, and at least one writes. `deadline` bounds
        every piece of work. `clock` (UTC) replaces the database's own clock, which is one for all
        replicas; it is for tests. `serves`: it tells callers of money, so that a restored ledger is
        not even read before somebody has said yes; without it, it only moves nothing. `buckets`:
        how many the ledger has; None: it is asked when that is first needed. Each bucket has
        connections of its own, opened when they are needed. `session`: settings of the
        connections above them that come before the usual ones.
        """
        self.deadline = deadline
        self._serves = serves
        self.retries: Counter[str] = Counter()
        """by SQLSTATE, or what else made the work run again"""
        self._clock = clock
        self._outage = Outage(url)
        self.timeline = TimelineGuard(self.lend_writer, self.send_above, is_logged=serves)
        self._pools = LedgerPools(
            url,
            pool_size,
            read_connections,
            deadline,
            outage=self._outage,
            was_let_go=self._was_let_go,
            was_opened=self._was_opened,
            session=session,
        )
        self._bucket_count = buckets
        self._above = ""
        """statements with which a transaction over all buckets begins, besides its isolation"""
        self.standby = Standby(self._confirm)

    def pool_use(self) -> PoolUse:
        """Count the connections that work, those that wait for work, and how many there may be."""
        return self._pools.use()

    async def bucket_count(self) -> int:
        """Return how many buckets the ledger has."""
        if self._bucket_count is None:
            self._bucket_count = await self.read_only(count_buckets, confirmed=False)
        return self._bucket_count

    async def _connections_of(self, user_id: str | None) -> Connections:
        """Return connections to a player's bucket; None: those that see all of them."""
        if user_id is None or self._bucket_count == 1:
            return self._pools.whole.write
        return self._pools.of_bucket_of(user_id, await self.bucket_count())

    async def _statements_of(self, user_id: str | None) -> Statements:
        """Return the statements that move money in a player's bucket."""
        return of_player(user_id, await self.bucket_count())

    def alone(self, name: str) -> AbstractAsyncContextManager[StillAlone]:
        """Do work that nobody else of this name does meanwhile, within the deadline."""
        return alone(self._pools.beside(1), name, deadline=self.deadline)

    @property
    def commits_let_go(self) -> int:
        """The number of commits that may still be under way though their callers have left."""
        return self._pools.outlasting

    async def close(self) -> None:
        """Give all connections back to the database."""
        await self.standby.close()
        await asyncio.gather(*(pool.close() for pool in self._pools.every()))

    async def confirm(self, *, of: str | None = None) -> None:
        """Return when the synchronous standby, if there is one, has all that was visible before.

        With `of`, a player: all that was visible in that one's bucket. Within the deadline; raises
        DeadlineError or LedgerAwayError: it is not known to have it.
        """
        del of
        async with within(self.deadline):
            await self.confirm_here()

    async def confirm_here(self) -> None:
        """Do the same for this server alone, where buckets are on others."""
        if self.standby.is_wanted:
            await self.standby.confirm()

    async def verify_timeline(self) -> None:
        """Return when the ledger is known to be one that may be served, within the deadline.

        Raises LedgerRestoredError while a restore waits for somebody to say yes, or a LedgerError.
        """
        self.timeline.doubt()
        await self.settle_doubt()

    async def settle_doubt(self) -> None:
        """Return when the ledger is known to be one that may be served, as `verify_timeline` does.

        It looks only if nobody else has meanwhile: many may meet the same doubt.
        """

        async def nothing(_book: Book) -> None:
            return None

        await self._bounded(nothing, SNAPSHOT, self.deadline, verifies=True)

    def _was_opened(self) -> None:
        """A new connection may lead elsewhere than those before."""
        self.timeline.doubt()

    def _was_let_go(self) -> None:
        """A commit took longer than its caller had: see whether others are confirmed."""
        if self.standby.was_wanted and not self.standby.is_silent:
            self.standby.probe()

    async def _confirm(self) -> None:
        """Commit once; a DeadlineError says that it was sent, and not answered in time."""
        await commit_once(self.standby, self._pools.confirming, self.retries, self._outage)

    async def _send(
        self, connections: Connections, raw: Raw, statement: str, *arguments: object
    ) -> None:
        """Run a statement that commits by itself, and never cancel it if that may be waited for."""
        if self.standby.may_be_wanted:
            await connections.commit(raw, statement, *arguments)
        else:
            await raw.execute(statement, *arguments)

    def lend_writer(self) -> AbstractAsyncContextManager[Raw]:
        """Lend a connection that writes and sees all buckets."""
        return lent(self._pools.whole.write)

    async def send_above(self, raw: Raw, statement: str, *arguments: object) -> None:
        """Do the same on a connection that sees all buckets."""
        await self._send(self._pools.whole.write, raw, statement, *arguments)

    async def optimistic(
        self,
        work: Callable[[MoneyBook], Awaitable[T]],
        *,
        of: str | None = None,
        deadline: timedelta | None = None,
    ) -> T:
        """Run the work without locks, and again under locks if a fact was stale; return its result.

        Work that moves money names a player in `of`: all its players are in that one's bucket.

        Raises SettingsDifferError, AdjustmentNotOpenError, DeadlineError, LedgerBusyError or
        LedgerAwayError; after the last three it is unknown whether anything was committed.
        """
        self.standby.refuse_if_silent()
        try:
            async with asyncio.timeout((deadline or self.deadline).total_seconds()):
                done = await self._optimistic(work, await self._statements_of(of))
        except TimeoutError as error:
            raise DeadlineError from error
        self._outage.end()
        return done

    async def _optimistic(
        self, work: Callable[[MoneyBook], Awaitable[T]], statements: Statements
    ) -> T:
        write = self._pools.whole.write
        retries = Retries(self.retries, write, self._outage)
        claims = self._begin_claims()
        in_doubt: MoneyBook | None = None
        while retries.may_try():
            book: MoneyBook | None = None
            try:
                if self.timeline.is_in_doubt:
                    await self.timeline.verify()
                if in_doubt is not None:
                    await self._fence(in_doubt)
                    in_doubt = None
                if claims is not None:
                    await claims.settle()
                if retries.count == 1:
                    book = self._money_book(
                        statements, partial(lent, write), claims, takes_locks=False
                    )
                    result = await work(book)
                    self.timeline.remember(book.witness)
                    return result
                async with lent(write) as raw:
                    await raw.execute(SERIALIZABLE)
                    book = self._money_book(
                        statements, partial(_open, raw), claims, takes_locks=True
                    )
                    result = await work(book)
                    await self._commit(raw, write)
                    self.timeline.remember(book.witness)
                    return result
            except LOST as error:
                refusal = refusal_of(error)
                if refusal is not None:
                    raise refusal from error
                if retries.outcome_after(error) is CommitOutcome.UNKNOWN and book is not None:
                    in_doubt = book if book.is_writing else None
            except RunAgainError as error:
                self.retries[error.reason] += 1
            await retries.wait()
        raise retries.given_up()

    def _begin_claims(self) -> Claims | None:
        """Return what holds a batch's ids, where the keys in its own bucket do not."""
        return None

    def _money_book(
        self, statements: Statements, write: Lend, claims: Claims | None, *, takes_locks: bool
    ) -> MoneyBook:
        return MoneyBook(
            lambda: lent(self._pools.whole.read),
            write,
            partial(self._send, self._pools.whole.write),
            self._clock,
            statements=statements,
            takes_locks=takes_locks,
            standby=self.standby,
            timeline=self.timeline,
            claims=claims,
        )

    async def _fence(self, book: MoneyBook) -> None:
        """Make sure that what this book sent is committed by now, or never will be."""
        async with lent(self._pools.whole.write) as raw:
            if not self.timeline.knows(raw):
                await self.timeline.check(raw)
            if book.user_ids:
                write = self._pools.whole.write
                await self._send(write, raw, FENCE, list(book.user_ids))

    async def serializable(
        self,
        work: Callable[[Book], Awaitable[T]],
        *,
        of: str | None = None,
        deadline: timedelta | None = None,
    ) -> T:
        """Run the work in one SERIALIZABLE transaction, commit, and return its result.

        Work that adds rows of a player names them in `of`, and sees no other bucket than theirs.

        Raises DeadlineError, LedgerBusyError or LedgerAwayError; it is then unknown whether it
        was committed. A NothingStandsError of the work is passed on, with nothing committed.
        """
        self.standby.refuse_if_silent()
        return await self._bounded(work, SERIALIZABLE, deadline or self.deadline, of=of)

    async def beside_money(
        self, work: Callable[[Book], Awaitable[T]], *, verifies: bool = False
    ) -> T:
        """Run work that reads money and writes none, at READ COMMITTED, and commit.

        It leaves no predicate locks, so it cannot make a movement run again, however much it reads.
        With `verifies` it runs on a ledger that may be served only, whoever asks: for work that
        leaves a sign of life, by which a restored ledger would be taken for one that went on.
        """
        return await self._bounded(work, READ_COMMITTED, self.deadline, verifies=verifies)

    async def read_only(
        self, work: Callable[[Book], Awaitable[T]], *, of: str | None = None, confirmed: bool = True
    ) -> T:
        """Run work that writes nothing on one consistent snapshot; no retry is ever asked of it.

        With `of`, a player, it sees the rows of that one's bucket only, which costs less.

        It returns when the synchronous standby, if there is one, has all that was read, unless
        `confirmed` is False: for what tells nobody of money. Both end within the deadline.
        """
        if not confirmed:
            return await self._bounded(work, SNAPSHOT, self.deadline, of=of)
        self.standby.refuse_if_silent()
        async with within(self.deadline):
            done = await self._bounded(work, SNAPSHOT, self.deadline, of=of)
            await self.confirm()
        return done

    async def _bounded(
        self,
        work: Callable[[Book], Awaitable[T]],
        begin: str,
        deadline: timedelta,
        *,
        of: str | None = None,
        verifies: bool = False,
    ) -> T:
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                connections = await self._connections_of(of)
                retries = Retries(self.retries, connections, self._outage)
                while retries.may_try():
                    try:
                        if self.timeline.is_in_doubt and (self._serves or verifies):
                            await self.timeline.verify()
                        async with lent(connections) as raw:
                            await raw.execute(begin + self._above)
                            # This connection may have been opened just now, and lead elsewhere.
                            must_verify = self._serves or verifies
                            if self.standby.must_look or (
                                must_verify and not self.timeline.knows(raw)
                            ):
                                await self._look(raw, must_verify=must_verify)
                            done = await work(Book(raw, self._clock))
                            if begin is SERIALIZABLE and self.standby.is_wanted:
                                # The work may have written nothing, and tell of what it found.
                                await raw.execute(CONFIRM)
                            await self._commit(raw, connections)
                    except LOST as error:
                        retries.outcome_after(error)
                    except RunAgainError as error:
                        self.retries[error.reason] += 1
                    else:
                        self._outage.end(wrote=begin is SERIALIZABLE)
                        return done
                    await retries.wait()
                raise retries.given_up()
        except TimeoutError as error:
            raise DeadlineError from error

    async def _look(self, raw: Raw, *, must_verify: bool) -> None:
        """Ask from time to time what movements are told with their facts."""
        is_wanted: bool = await raw.fetchval(IS_WANTED)
        if must_verify:
            await self.timeline.check(raw)
        self.standby.note(is_wanted=is_wanted)

    async def _commit(self, raw: Raw, connections: Connections) -> None:
        """Commit; PostgreSQL says ROLLBACK, and no error, where the transaction failed before."""
        if self.standby.may_be_wanted:
            said = await connections.commit(raw, "COMMIT;")
        else:
            said = await raw.execute("COMMIT;")
        if said != "COMMIT":
            raise RunAgainError


@asynccontextmanager
async def _open(raw: Raw) -> AsyncIterator[Raw]:
    """The connection of a transaction that is open already."""
    yield raw
