"""BEGIN, COMMIT, bounded retry: what the database may do to us, done to us."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from app.database_url import node_url
from app.ledger import retries
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import (
    DeadlineError,
    LedgerAwayError,
    LedgerBusyError,
    LedgerError,
    SettingsDifferError,
)
from app.ledger.money.book import Book, MoneyBook
from app.ledger.pools import WRITERS_MIN
from app.ledger.transaction import Ledger
from app.wallet.buckets import bucket_of
from app.wallet.outcomes import Declined, Posting, Receipt, Refused, Replay
from tests.cashier.homes import servers
from tests.cashier.line import AtCommit, Line
from tests.cashier.till import Till, connect, soon
from tests.conftest import ON_NODES, Database

Work = Callable[[Book], Awaitable[int]]
Optimistic = Callable[[MoneyBook], Awaitable[str]]
NOTE_A = "INSERT INTO unanswered VALUES (7, 7, now())"
GRACE_SECONDS = 2.5
"""The driver says goodbye for up to two seconds on a line that has fallen silent."""

OPEN = """
SELECT pid, state, query FROM pg_stat_activity
WHERE datname = current_database()
  AND (application_name = 'wallet/2' OR application_name LIKE 'citus_internal%')
  AND (state <> 'idle' OR backend_xid IS NOT NULL)
"""
"""What a node does for another one is as open as what the wallet asked for."""


@pytest.fixture
async def ledger(db: Database) -> AsyncIterator[Ledger]:
    async with opened(db, timedelta(seconds=5), pool_size=3) as ledger:
        yield ledger


@asynccontextmanager
async def opened(
    db: Database, deadline: timedelta = timedelta(seconds=10), pool_size: int = 10
) -> AsyncIterator[Ledger]:
    """Open the ledger; on nodes anna's bucket of it, where work is run again by itself."""
    if not ON_NODES:
        ledger = Ledger(db.service_url, pool_size=pool_size, deadline=deadline)
        yield ledger
        await ledger.close()
        return
    placed = PlacedLedger(
        db.service_url, pool_size=pool_size, deadline=deadline, buckets=db.buckets
    )
    yield (await placed.parts())[bucket_of("anna", db.buckets)]
    await placed.close()


def failing(sqlstate: str, times: int) -> tuple[Work, list[int]]:
    """Work that meets this error of the real database, so many times."""
    attempts: list[int] = []

    async def work(book: Book) -> int:
        attempts.append(len(attempts))
        if len(attempts) <= times:
            await book.connection.execute(
                f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$"
            )
        return len(attempts)

    return work, attempts


async def seen(db: Database, query: str = OPEN) -> list[asyncpg.Record]:
    """What other sessions see, on each server, once the dust has settled."""
    found: list[asyncpg.Record] = []
    for url in {db.superuser_url, *await servers(db.superuser_url)}:
        watcher = await connect(url)
        try:
            rows = await watcher.fetch(query)
            for _ in range(100):
                if not rows:
                    break
                await asyncio.sleep(0.05)
                rows = await watcher.fetch(query)
            found += rows
        finally:
            await watcher.close()
    return found


async def noted(db: Database) -> list[asyncpg.Record]:
    """What is left of `NOTE_A`, in any bucket, once the dust has settled."""
    watcher = await connect(db.superuser_url)
    try:
        return list(await watcher.fetch("SELECT * FROM unanswered WHERE player_id = 7"))
    finally:
        await watcher.close()


async def terminate(url: str, victim: asyncpg.Record) -> None:
    """End the process behind a connection, on the server where it is."""
    at = node_url(url, victim["host"], victim["port"]) if ON_NODES else url
    killer = await connect(at)
    try:
        await killer.execute("SELECT pg_terminate_backend($1::integer)", victim["pid"])
    finally:
        await killer.close()


async def who(book: Book) -> asyncpg.Record:
    """Return the process that serves a connection, and where its server is."""
    found = await book.connection.fetchrow(
        "SELECT pg_backend_pid() AS pid, host(inet_server_addr()), inet_server_port() AS port"
    )
    assert found is not None
    return found


async def test_work_is_serializable_and_an_enquiry_only_reads(ledger: Ledger) -> None:
    async def isolation(book: Book) -> tuple[str, ...]:
        row = await book.connection.fetchrow(
            "SELECT current_setting('transaction_isolation'),"
            " current_setting('transaction_read_only')"
        )
        assert row is not None
        return tuple(row)

    assert await ledger.serializable(isolation) == ("serializable", "off")
    assert await ledger.read_only(isolation) == ("repeatable read", "on")


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_a_conflict_is_run_again(ledger: Ledger, sqlstate: str) -> None:
    work, attempts = failing(sqlstate, 3)
    assert await ledger.serializable(work) == 4
    assert len(attempts) == 4


async def test_a_conflict_at_commit_is_run_again(ledger: Ledger, till: Till) -> None:
    """Write skew: each counts the other's kind before it adds its own."""
    await till.make("CREATE TABLE skew (kind int); GRANT ALL ON skew TO wallet_service")
    both_have_read, runs = asyncio.Barrier(2), [0, 0]

    def of(kind: int) -> Work:
        async def work(book: Book) -> int:
            runs[kind] += 1
            others = await book.connection.fetchval(
                "SELECT count(*) FROM skew WHERE kind <> $1", kind
            )
            if runs[kind] == 1:
                await both_have_read.wait()
            await book.connection.execute("INSERT INTO skew VALUES ($1)", kind)
            return int(others)

        return work

    saw = await asyncio.gather(ledger.serializable(of(0)), ledger.serializable(of(1)))
    assert sorted(saw) == [0, 1], "one of them came first"
    assert sorted(runs) == [1, 2]


async def test_a_deadlock_is_run_again(till: Till, ledger: Ledger) -> None:
    # Both are in one bucket, also where there are four.
    await till.player("anna")
    await till.player("boris")
    both_hold, runs = asyncio.Barrier(2), [0, 0]

    def of(mine: int, first: int, second: int) -> Work:
        async def work(book: Book) -> int:
            runs[mine] += 1
            lock = "UPDATE wallets SET version = version WHERE player_id = $1"
            await book.connection.execute(lock, first)
            if runs[mine] == 1:
                await both_hold.wait()
            await book.connection.execute(lock, second)
            return mine

        return work

    rows = await till.rows("SELECT player_id FROM wallets ORDER BY 1")
    one, other = (row[0] for row in rows)
    await asyncio.gather(
        ledger.serializable(of(0, one, other)), ledger.serializable(of(1, other, one))
    )
    # The loser runs again, and perhaps once more if the winner commits under its new snapshot.
    assert 3 <= sum(runs) <= 5


async def test_a_commit_that_rolled_back_is_no_commit(
    till: Till, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and with no error."""
    monkeypatch.setattr(retries, "ATTEMPTS_MAX", 2)
    await till.player("anna", "100")

    async def work(book: Book) -> str:
        await book.connection.execute("UPDATE wallets SET has_refused_aborts = true")
        with pytest.raises(asyncpg.PostgresError):
            await book.connection.execute("SELECT 1 / 0")
        return "believed"

    with pytest.raises(LedgerBusyError):
        await ledger.serializable(work)
    assert await till.count("wallets", "has_refused_aborts") == 0


async def test_attempts_are_bounded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "ATTEMPTS_MAX", 6)
    work, attempts = failing("40001", 1000)
    with pytest.raises(LedgerBusyError):
        await ledger.serializable(work)
    assert len(attempts) == 6


async def test_attempts_end_with_the_deadline(ledger: Ledger) -> None:
    work, attempts = failing("40001", 10_000)
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        await ledger.serializable(work, deadline=timedelta(seconds=0.4))
    assert time.monotonic() - began < 0.4 + GRACE_SECONDS
    assert len(attempts) > 1


@pytest.mark.parametrize("sqlstate", ["22012", "23505", "23514", "42P01", "P0001"])
async def test_any_other_error_is_told_at_once(ledger: Ledger, sqlstate: str) -> None:
    work, attempts = failing(sqlstate, 1000)
    with pytest.raises(asyncpg.PostgresError):
        await ledger.serializable(work)
    assert len(attempts) == 1


async def test_an_error_of_our_own_rolls_back(ledger: Ledger, till: Till) -> None:
    async def work(book: Book) -> int:
        await book.connection.execute(NOTE_A)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ledger.serializable(work)
    assert await till.count("unanswered", "player_id = 7") == 0


async def test_a_deadline_leaves_no_open_transaction(db: Database) -> None:
    """What the driver's cancel does not reach in time, the server's own time limit ends."""

    async def work(book: Book) -> int:
        await book.connection.execute(NOTE_A)
        await book.connection.execute("SELECT pg_sleep(20)")
        return 0

    async with opened(db, timedelta(seconds=1)) as ledger:
        began = time.monotonic()
        with pytest.raises(DeadlineError):
            await ledger.serializable(work, deadline=timedelta(seconds=0.3))
        assert time.monotonic() - began < 0.3 + GRACE_SECONDS
        assert await seen(db) == []
        assert await noted(db) == []


async def test_cancellation_at_any_moment_leaks_neither_transactions_nor_connections(
    till: Till, db: Database
) -> None:
    names = await till.players(3, "100")
    ledger = PlacedLedger(db.service_url, pool_size=2, buckets=db.buckets)
    other = Till(ledger, db.superuser_url, tokens=till.tokens)
    for milliseconds in range(30):
        tasks = [asyncio.create_task(other.one(other.bet(name, "0.01"))) for name in names]
        await asyncio.sleep(milliseconds / 3000)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert await seen(db) == []
    done = await asyncio.gather(*(other.one(other.bet(name, "0.01")) for name in names))
    assert all(isinstance(receipt, Posting) for receipt in done)
    assert await till.count(
        "pg_stat_activity", "application_name = 'wallet/2' AND datname = current_database()"
    )
    await ledger.close()
    await till.is_sound()


async def test_a_connection_killed_in_the_middle_is_replaced_and_the_work_runs_again(
    ledger: Ledger, db: Database
) -> None:
    runs: list[int] = []

    async def work(book: Book) -> int:
        runs.append(len(runs))
        if len(runs) <= 2:
            await terminate(db.superuser_url, await who(book))
        return int(await book.connection.fetchval("SELECT 7"))

    assert await ledger.serializable(work) == 7
    assert len(runs) == 3


@pytest.mark.parametrize("at", ["the next BEGIN", "the next statement", "COMMIT"])
async def test_the_servers_last_word_is_a_death_even_before_the_line_closes(
    till: Till, far_till: Till, line: Line, at: str
) -> None:
    """The FATAL message is read, the end of the stream is not: the driver is out of step."""
    line.keeps_open = True
    deaths = 0

    async def die(victim: asyncpg.Record) -> None:
        nonlocal deaths
        deaths += 1
        await terminate(till.superuser_url, victim)
        await asyncio.sleep(0.1)

    async def work(book: Book) -> int:
        if at != "the next BEGIN" and not deaths:
            await die(await who(book))
        return 7 if at == "COMMIT" else int(await book.connection.fetchval("SELECT 7"))

    try:
        if at == "the next BEGIN":
            await die(await far_till.ledger.serializable(who, of="anna"))
        assert await far_till.ledger.serializable(work, of="anna")
    finally:
        line.keeps_open = False
        line.cut()


async def test_closing_takes_no_longer_than_the_deadline_on_a_line_that_fell_silent(
    till: Till, far_till: Till, line: Line
) -> None:
    await till.player("anna", "100")
    far_till.tokens = till.tokens
    await far_till.one(far_till.bet())
    line.is_silent = True
    try:
        await asyncio.wait_for(far_till.ledger.close(), 1.5 + GRACE_SECONDS)
    finally:
        line.is_silent = False
        line.cut()


async def test_a_pool_of_dead_connections_is_noticed_and_costs_nobody_an_error(
    ledger: Ledger, db: Database
) -> None:
    work, _ = failing("40001", 0)
    await asyncio.gather(ledger.serializable(work), ledger.serializable(work))
    for url in await servers(db.superuser_url):
        killer = await connect(url)
        await killer.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'wallet/2' AND datname = current_database()"
        )
        await killer.close()
    assert await ledger.serializable(work)
    assert await ledger.read_only(work)


async def test_nobody_there_is_told_within_the_deadline() -> None:
    ledger = Ledger(
        "postgresql+asyncpg://wallet_service:x@127.0.0.1:1/nowhere", deadline=timedelta(seconds=0.5)
    )
    work, attempts = failing("40001", 0)
    began = time.monotonic()
    with pytest.raises((LedgerAwayError, DeadlineError)):
        await ledger.serializable(work)
    assert time.monotonic() - began < 0.5 + GRACE_SECONDS
    assert attempts == []
    await ledger.close()


async def test_a_database_that_comes_back_in_time_was_never_away(
    till: Till, far_till: Till, line: Line
) -> None:
    await till.player("anna", "100")
    far_till.tokens = till.tokens
    line.is_down = True
    asyncio.get_running_loop().call_later(0.3, line.come_back)
    assert isinstance(await far_till.one(far_till.bet()), Posting)


@pytest.mark.parametrize("is_connected", [True, False])
async def test_a_line_that_falls_silent_is_told_within_the_deadline(
    till: Till, far_till: Till, line: Line, *, is_connected: bool
) -> None:
    await till.player("anna", "100")
    far_till.tokens = till.tokens
    if is_connected:
        await far_till.one(far_till.bet())
    line.is_silent = True
    began = time.monotonic()
    with pytest.raises(LedgerError):
        await far_till.one(far_till.bet())
    assert time.monotonic() - began < 1.5 + GRACE_SECONDS


async def test_a_full_pool_is_told_within_the_deadline(db: Database) -> None:
    are_in, may_go, held = asyncio.Event(), asyncio.Event(), itertools.count(1)
    most = WRITERS_MIN if ON_NODES else 1

    async def hold(_book: Book) -> int:
        if next(held) == most:
            are_in.set()
        await may_go.wait()
        return 1

    async with opened(db, pool_size=1) as ledger:
        holders = [asyncio.create_task(ledger.serializable(hold)) for _ in range(most)]
        await soon(are_in)
        work, _ = failing("40001", 0)
        with pytest.raises(LedgerError):
            await ledger.serializable(work, deadline=timedelta(seconds=0.3))
        may_go.set()
        assert await asyncio.gather(*holders) == [1] * most
        assert await ledger.serializable(work)


def raising(sqlstate: str, times: int = 1) -> "tuple[Optimistic, list[bool]]":
    """A write of the money road that meets this error so many times; whether each took locks."""
    attempts: list[bool] = []

    async def work(book: MoneyBook) -> str:
        book.is_writing = True
        async with book._write() as connection:
            attempts.append(connection.is_in_transaction())
            fails = len(attempts) <= times
            raises = f"RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}';" if fails else ""
            await connection.execute(f"DO $$ BEGIN {NOTE_A}; {raises} END $$")
        return "done"

    return work, attempts


class TestOptimistic:
    """Once without locks, each statement its own transaction; then under locks, in one."""

    async def test_without_locks_it_reads_committed_and_writes_serializable(
        self, ledger: Ledger
    ) -> None:
        async def work(book: MoneyBook) -> list[tuple[str, bool]]:
            seen = []
            for lend in (book._read, book._write):
                async with lend() as connection:
                    asked = "SELECT current_setting('transaction_isolation')"
                    isolation = str(await connection.fetchval(asked))
                    seen.append((isolation, connection.is_in_transaction()))
            return seen

        assert await ledger.optimistic(work) == [
            ("read committed", False),
            ("serializable", False),
        ]
        assert ledger.retries == {}
        assert ledger.pool_use().busy == 0

    @pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "WF001", "WF003"])
    async def test_what_was_in_its_way_has_undone_it_and_it_runs_again_under_locks(
        self, till: Till, ledger: Ledger, sqlstate: str
    ) -> None:
        work, attempts = raising(sqlstate, 2)
        assert await ledger.optimistic(work) == "done"
        assert attempts == [False, True, True]
        assert ledger.retries == {sqlstate: 2}
        assert await till.count("unanswered", "player_id = 7") == 1
        assert ledger.pool_use().busy == 0

    @pytest.mark.parametrize("sqlstate", ["57P01", "57014", "53100", "08006", "25006", "58030"])
    async def test_when_the_database_goes_away_it_is_fenced_before_it_runs_again(
        self, till: Till, ledger: Ledger, sqlstate: str
    ) -> None:
        await till.player("anna", "100")
        await till.player("boris", "100")
        before = await revisions(till)
        work, attempts = raising(sqlstate)

        async def of_anna(book: MoneyBook) -> str:
            await book.facts_for([till.bet()])
            return await work(book)

        assert await ledger.optimistic(of_anna) == "done"
        assert attempts == [False, True]
        assert ledger.retries == {sqlstate: 1}
        assert await revisions(till) == {"anna": before["anna"] + 1, "boris": before["boris"]}

    async def test_what_had_sent_nothing_needs_no_fence(self, till: Till, ledger: Ledger) -> None:
        await till.player("anna", "100")
        before = await revisions(till)
        runs: list[int] = []

        async def work(book: MoneyBook) -> None:
            await book.facts_for([till.bet()])
            runs.append(len(runs))
            if len(runs) == 1:
                async with book._read() as connection:
                    await connection.execute(
                        "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '57P01'; END $$"
                    )

        await ledger.optimistic(work)
        assert len(runs) == 2
        assert await revisions(till) == before

    @pytest.mark.parametrize("sqlstate", ["22012", "23505", "23514", "42P01", "P0001"])
    async def test_any_other_error_is_told(self, till: Till, ledger: Ledger, sqlstate: str) -> None:
        work, attempts = raising(sqlstate)
        with pytest.raises(asyncpg.PostgresError):
            await ledger.optimistic(work)
        assert attempts == [False]
        assert ledger.retries == {}
        assert await till.count("unanswered", "player_id = 7") == 0

    async def test_other_settings_are_told_at_once_and_nothing_stands(
        self, till: Till, ledger: Ledger
    ) -> None:
        work, attempts = raising("WF002")
        with pytest.raises(SettingsDifferError):
            await ledger.optimistic(work)
        assert attempts == [False]
        assert await till.count("unanswered", "player_id = 7") == 0

    async def test_attempts_are_bounded(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retries, "ATTEMPTS_MAX", 6)
        work, attempts = raising("WF001", 1000)
        with pytest.raises(LedgerBusyError):
            await ledger.optimistic(work)
        assert attempts == [False, *[True] * 5]

    async def test_nobody_there_is_told_within_the_deadline(self) -> None:
        nowhere = "postgresql+asyncpg://wallet_service:x@127.0.0.1:1/nowhere"
        ledger = Ledger(nowhere, deadline=timedelta(seconds=0.5))
        work, attempts = raising("40001")
        began = time.monotonic()
        with pytest.raises((LedgerAwayError, DeadlineError)):
            await ledger.optimistic(work)
        assert time.monotonic() - began < 0.5 + GRACE_SECONDS
        assert attempts == []
        await ledger.close()

    async def test_a_deadline_ends_it_on_either_side(self, db: Database) -> None:
        """What the driver's cancel does not reach in time, the server's own time limit ends."""

        async def work(book: MoneyBook) -> None:
            book.is_writing = True
            async with book._write() as connection:
                await connection.execute(
                    f"WITH a AS ({NOTE_A} RETURNING 1) SELECT pg_sleep(20) FROM a"
                )

        async with opened(db, timedelta(seconds=0.5)) as ledger:
            began = time.monotonic()
            with pytest.raises(LedgerError):
                await ledger.optimistic(work)
            assert time.monotonic() - began < 0.5 + GRACE_SECONDS
            assert await seen(db) == []
            assert await noted(db) == []

    async def test_under_locks_a_commit_that_rolled_back_is_no_commit(
        self, till: Till, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retries, "ATTEMPTS_MAX", 3)
        first, _ = raising("WF001")
        runs: list[int] = []

        async def work(book: MoneyBook) -> str:
            runs.append(len(runs))
            if len(runs) == 1:
                return await first(book)
            async with book._write() as connection:
                await connection.execute(NOTE_A)
                with pytest.raises(asyncpg.PostgresError):
                    await connection.execute("SELECT 1 / 0")
            return "believed"

        with pytest.raises(LedgerBusyError):
            await ledger.optimistic(work)
        assert len(runs) == 3
        assert await till.count("unanswered", "player_id = 7") == 0


async def revisions(till: Till) -> dict[str, int]:
    """Every wallet's revision, by player."""
    rows = await till.rows("SELECT user_id, revision FROM wallets JOIN players USING (player_id)")
    return {row[0]: row[1] for row in rows}


class TestDeathAtCommit:
    """The line dies with the COMMIT: nobody knows on which side of it."""

    async def moved(self, till: Till, far_till: Till, line: Line, fate: AtCommit) -> list[Receipt]:
        await till.player("anna", "100")
        far_till.tokens = till.tokens
        bet, other = far_till.bet(), far_till.bet(amount="5")
        line.at_commit = [fate]
        return await far_till.move(
            bet,
            far_till.bet(amount="1000"),
            bet._replace(delivery=bytes(16)),
            far_till.movement("anna", "Win", "credit", "1", event_id="unknown"),
            other,
        )

    async def test_before_it_reached_the_server_the_work_is_done_once(
        self, till: Till, far_till: Till, line: Line
    ) -> None:
        receipts = await self.moved(till, far_till, line, AtCommit.CUT_BEFORE)
        kinds = [type(receipt) for receipt in receipts]
        assert kinds == [Posting, Declined, Replay, Refused, Posting]
        assert line.commits == 2
        assert await till.pockets() == (8500, 0)
        await till.is_sound()

    async def test_after_it_reached_the_server_a_delivery_recognises_its_own(
        self, till: Till, far_till: Till, line: Line
    ) -> None:
        receipts = await self.moved(till, far_till, line, AtCommit.CUT_AFTER)
        kinds = [type(receipt) for receipt in receipts]
        assert kinds == [Replay, Replay, Replay, Refused, Replay]
        own = [isinstance(receipt, Replay) and receipt.is_own for receipt in receipts]
        assert own == [True, True, False, False, True]
        assert line.commits == 2
        assert await till.pockets() == (8500, 0)
        assert await till.count("movements") == 4
        await till.is_sound()

    async def test_again_and_again(self, till: Till, far_till: Till, line: Line) -> None:
        await till.player("anna", "100")
        far_till.tokens = till.tokens
        line.at_commit = [AtCommit.CUT_BEFORE, AtCommit.CUT_AFTER, AtCommit.CUT_AFTER]
        receipt = await far_till.one(far_till.bet())
        assert isinstance(receipt, Replay)
        assert receipt.is_own
        assert await till.pockets() == (9000, 0)

    async def test_told_too_late_it_is_found_by_the_next_delivery(
        self, till: Till, far_till: Till, line: Line
    ) -> None:
        await till.player("anna", "100")
        far_till.tokens = till.tokens
        line.at_commit = [AtCommit.SILENCE_AFTER]
        bet = far_till.bet()
        with pytest.raises(LedgerError):
            await far_till.one(bet)
        receipt = await far_till.one(bet._replace(delivery=bytes(16)))
        assert isinstance(receipt, Replay)
        assert not receipt.is_own
        assert await till.pockets() == (9000, 0)

    async def test_an_account_is_opened_once(self, till: Till, far_till: Till, line: Line) -> None:
        line.at_commit = [AtCommit.CUT_AFTER]
        await far_till.player("anna", "100")
        assert await till.count("players") == 1
        assert await till.pockets() == (10000, 0)
