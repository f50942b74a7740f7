"""The hot path: as many statements as the book says, by key, and heap-only."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.ledger import statements
from app.ledger.book import Book
from app.ledger.transaction import Ledger
from app.wallet.movement import Movement
from app.wallet.outcomes import Posting, Refused, Remembered, Replay
from tests.cashier.till import Till, connect
from tests.conftest import Database

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery

NAMES = {
    statements.FACTS: "FACTS",
    statements.HISTORIES: "HISTORIES",
    statements.ENTRIES_BY_KEY: "ENTRIES_BY_KEY",
    statements.RECORD: "RECORD",
    statements.KEYS_TAKEN: "KEYS_TAKEN",
    statements.NOTE_REFUSALS: "NOTE_REFUSALS",
    statements.NOTE_RETURN: "NOTE_RETURN",
}
BEGIN = "BEGIN ISOLATION LEVEL SERIALIZABLE;"
COMMIT, ROLLBACK = "COMMIT;", "ROLLBACK;"


class Listener:
    """A till with one connection, and every statement that goes through it."""

    def __init__(self, till: Till, other: Till) -> None:
        self.till = till
        self.other = other
        self.heard: list[str] = []

    def hear(self, query: "LoggedQuery") -> None:
        self.heard.append(NAMES.get(query.query, query.query))

    async def statements_of(self, *movements: Movement) -> list[str]:
        await asyncio.sleep(0.01)  # the driver tells its listeners a moment later
        self.heard.clear()
        await self.till.move(*movements)
        await asyncio.sleep(0.01)
        return list(self.heard)


@pytest.fixture
async def listener(till: Till, db: Database) -> AsyncIterator[Listener]:
    ledger = Ledger(db.service_url, pool_size=1)
    await till.player("anna", "1000", "10")
    listener = Listener(Till(ledger, db.superuser_url, tokens=till.tokens), till)

    async def listen(book: Book) -> None:
        book.connection.add_query_logger(listener.hear)

    # On a connection's first statements the driver asks for the types it does not know.
    bet = listener.till.bet(amount="1", event_id="first")
    await listener.till.move(
        bet,
        listener.till.bet(amount="5000", event_id="first"),
        listener.till.movement("anna", "Win", "credit", "1", event_id="unknown"),
    )
    await listener.till.move(
        bet._replace(delivery=bytes(16)),
        listener.till.movement("anna", "BetPlacingAbort", "credit", "1", event_id="first"),
    )
    await ledger.serializable(listen)
    yield listener
    await ledger.close()


class TestHowMany:
    async def test_a_bet_takes_two(self, listener: Listener) -> None:
        told = await listener.statements_of(listener.till.bet())
        assert told == [BEGIN, "FACTS", "RECORD", COMMIT]

    async def test_a_batch_of_bets_and_wins_takes_two(self, listener: Listener) -> None:
        names = await listener.other.players(10, "100")
        bets = [listener.till.bet(name) for name in names]
        wins = [listener.till.movement(name, "Win", "credit", "5") for name in names]
        told = await listener.statements_of(*bets, *wins)
        assert told == [BEGIN, "FACTS", "RECORD", COMMIT]
        told = await listener.statements_of(*(listener.till.bet(name) for name in names))
        assert told == [BEGIN, "FACTS", "RECORD", COMMIT], "a further bet looks at no round"

    async def test_only_what_undoes_reads_histories(self, listener: Listener) -> None:
        till = listener.till
        await till.move(till.bet(), till.movement("anna", "Win", "credit", "5"))
        told = await listener.statements_of(till.movement("anna", "BetPayedAbort", "debit", "5"))
        assert told == [BEGIN, "FACTS", "HISTORIES", "RECORD", COMMIT]

    async def test_a_remembered_refusal_looks_its_key_up_first(self, listener: Listener) -> None:
        told = await listener.statements_of(listener.till.bet(amount="5000"))
        assert told == [BEGIN, "FACTS", "ENTRIES_BY_KEY", "RECORD", COMMIT]

    async def test_a_refusal_that_is_no_outcome_is_noted(self, listener: Listener) -> None:
        till = listener.till
        told = await listener.statements_of(till.movement("anna", "Win", "credit", "5"))
        assert told == [BEGIN, "FACTS", "ENTRIES_BY_KEY", "NOTE_REFUSALS", COMMIT]

    async def test_a_repeat_is_found_by_its_insert_and_decided_again(
        self, listener: Listener
    ) -> None:
        bet = listener.till.bet()
        await listener.till.one(bet)
        told = await listener.statements_of(bet._replace(delivery=bytes(16)))
        first = [BEGIN, "FACTS", "RECORD", "KEYS_TAKEN", ROLLBACK]
        second = [BEGIN, "FACTS", "ENTRIES_BY_KEY", "NOTE_RETURN", COMMIT]
        assert told == first + second


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    found = [plan]
    for child in plan.get("Plans", []):
        found += nodes(child)
    return found


@pytest.fixture
async def crowded(till: Till) -> Till:
    """Enough rows that a plan has reason to choose."""
    names = await till.players(3, "1000")
    till.tokens |= {"one": till.tokens[names[0]]}
    filling = """
        INSERT INTO players (user_id, agent, currency, scale, nickname, language, created_at)
            SELECT 'crowd-' || n, 'house', 'USD', 2, 'nick', 'en', now()
            FROM generate_series(1, 5000) n;
        INSERT INTO wallets (player_id, chain)
            SELECT player_id, decode(repeat('00', 32), 'hex') FROM players
            WHERE user_id LIKE 'crowd-%';
        INSERT INTO sessions (player_id, token_hash, issued_at, expires_at, origin)
            SELECT player_id, sha256(user_id::bytea), now(), now() + interval '1 day', 'callback'
            FROM players WHERE user_id LIKE 'crowd-%';
        INSERT INTO rounds (player_id, event_id, is_streamer, agent, currency, scale, opened_at,
                            last_at, bets_placed, bets_standing, cancels, settled, refused_aborts)
            SELECT player_id, 'event-1', false, 'house', 'USD', 2, now(), now(), 0, 0, 0, false,
                '{}'
            FROM players WHERE user_id LIKE 'crowd-%';
        INSERT INTO transaction_keys
            SELECT 'callback', 'crowd-' || n, '', n, 1 FROM generate_series(10, 5000) n;
        INSERT INTO movements (player_id, position, version, source, transaction_id, facet,
                delivery, event_type, direction, decision, currency, scale, amount, real_before,
                bonus_before, real_delta, bonus_delta, real_after, bonus_after, contra, event_id,
                reverses, flags, event_time, ledger_time, chain)
            SELECT n, 1, 1, 'callback', 'crowd-' || n, '', gen_random_uuid(), 'Win', 'credit',
                'ACCEPTED', 'USD', 2, 0, 0, 0, 0, 0, 0, 0, 'house:games', 'event-1', '', '',
                now(), now(), decode(repeat('00', 32), 'hex')
            FROM generate_series(10, 5000) n;
        INSERT INTO unanswered SELECT n, 1, now() FROM generate_series(10, 5000) n;
    """
    connection = await connect(till.superuser_url)
    await connection.execute(filling)
    await connection.execute("ANALYZE")
    await connection.close()
    return till


def recorded(calls: list[tuple[str, tuple[object, ...]]]) -> Callable[[str], Callable[..., Any]]:
    """Remember what is asked of a connection, and ask it all the same."""

    def of(name: str) -> Callable[..., Any]:
        asked: Callable[..., Any] = getattr(asyncpg.Connection, name)

        async def call(self: object, query: str, *arguments: object, **more: object) -> object:
            if query in NAMES:
                calls.append((query, arguments))
            return await asked(self, query, *arguments, **more)

        return call

    return of


@pytest.mark.parametrize("is_default", [False, True], ids=["the service's settings", "defaults"])
async def test_every_hot_statement_goes_by_key(
    crowded: Till, monkeypatch: pytest.MonkeyPatch, *, is_default: bool
) -> None:
    """A sequential scan locks the whole table: movements that share nothing would conflict."""
    calls: list[tuple[str, tuple[object, ...]]] = []
    listen = recorded(calls)
    for name in ("fetch", "fetchrow", "execute"):
        monkeypatch.setattr(asyncpg.Connection, name, listen(name))
    names = [row[0] for row in await crowded.rows("SELECT user_id FROM players LIMIT 3")]
    taken = crowded.bet(names[0])
    receipts = await crowded.move(
        taken,
        crowded.movement(names[0], "Win", "credit", "5"),
        crowded.movement(names[1], "BetPlacingAbort", "credit", "5"),
        crowded.bet(names[2], "5000"),
    )
    assert [type(r) for r in receipts] == [Posting, Posting, Refused, Remembered]
    undone = await crowded.one(crowded.movement(names[0], "BetPayedAbort", "debit", "5"))
    assert isinstance(undone, Posting)
    again = taken._replace(delivery=bytes(16))
    assert isinstance(await crowded.one(again), Replay)
    assert {NAMES[query] for query, _ in calls} == set(NAMES.values())

    async def explain(book: Book) -> None:
        if is_default:
            for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
                await book.connection.execute(f"SET LOCAL {setting} = on")
        for query, arguments in calls:
            row = await book.connection.fetchrow(f"EXPLAIN (FORMAT JSON) {query}", *arguments)
            assert row is not None
            (plan,) = row[0]
            scans = {
                node["Relation Name"]: node["Node Type"]
                for node in nodes(plan["Plan"])
                if node.get("Relation Name")
            }
            walked = {table for table, kind in scans.items() if kind == "Seq Scan"}
            assert not walked, (NAMES[query], scans)

    await crowded.ledger.serializable(explain, deadline=timedelta(seconds=10))


async def test_whoever_knows_the_facts_holds_the_wallet(till: Till) -> None:
    await till.players(1)
    name = await till.player("anna", "100")
    other = await connect(till.superuser_url)
    lock = (
        "SELECT FROM wallets JOIN players USING (player_id) WHERE user_id = $1"
        " FOR {} OF wallets NOWAIT"
    )

    async def work(book: Book) -> None:
        await book.facts_for([till.bet(name)], [])
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.execute(lock.format("NO KEY UPDATE"), name)
        # What refers to the player may be written all the same.
        await other.execute(lock.format("KEY SHARE"), name)

    await till.ledger.serializable(work)
    await other.close()


async def test_updates_of_wallets_stay_on_their_page(till: Till) -> None:
    names = await till.players(5, "1000")
    for _ in range(12):
        await till.move(*(till.bet(name, "1") for name in names))
    await till.ledger.close()
    rows = []
    for _ in range(40):
        rows = list(
            await till.rows(
                "SELECT pg_stat_clear_snapshot(), n_tup_upd, n_tup_hot_upd"
                " FROM pg_stat_user_tables WHERE relname = 'wallets'"
            )
        )
        if rows[0]["n_tup_upd"] >= 60:
            break
    (row,) = rows
    assert row["n_tup_upd"] >= 60
    # Somebody's snapshot (autovacuum's) may keep a page from being pruned for a moment.
    assert row["n_tup_hot_upd"] * 10 >= row["n_tup_upd"] * 9
