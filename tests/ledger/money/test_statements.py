"""The hot path: as many statements as the book says, by key, and heap-only."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from app.cashier.players import IssuedToken, issue_token
from app.ledger import transaction
from app.ledger.money import facts, statements
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.wallet.limits import Usage
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Refused, Replay
from tests.cashier.locks import held_up, waiting
from tests.cashier.till import Till, connect
from tests.conftest import Database

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery

NAMES = {
    statements.GLANCE: "GLANCE",
    statements.RECORD_AT_ONCE: "RECORD_AT_ONCE",
    statements.RENEW_SESSIONS: "RENEW_SESSIONS",
    statements.FACTS: "FACTS",
    statements.HISTORIES: "HISTORIES",
    statements.ENTRIES_BY_KEY: "ENTRIES_BY_KEY",
    statements.RECORD: "RECORD",
    statements.KEYS_TAKEN: "KEYS_TAKEN",
    statements.LOG_REFUSALS: "NOTE_REFUSALS",
    statements.LIST_RETURNS: "NOTE_RETURN",
}
BEGIN = "BEGIN ISOLATION LEVEL SERIALIZABLE;"
COMMIT, ROLLBACK = "COMMIT;", "ROLLBACK;"


class Listener:
    """A till with one connection of each kind, and every statement that goes through them."""

    def __init__(self, till: Till, other: Till) -> None:
        self.till = till
        self.other = other
        self.heard: list[str] = []
        self.glanced: list[str] = []

    def hear(self, query: "LoggedQuery") -> None:
        self.heard.append(NAMES.get(query.query, query.query))

    def hear_glance(self, query: "LoggedQuery") -> None:
        self.glanced.append(NAMES.get(query.query, query.query))

    async def statements_at_once(self, *movements: Movement) -> tuple[list[str], list[str]]:
        """What was asked on the connection that glances, and on the one that writes."""
        await asyncio.sleep(0.01)
        self.heard.clear()
        self.glanced.clear()
        told = await self.till.move_at_once(*movements)
        assert all(isinstance(receipt, Posting) for receipt in told.receipts)
        await asyncio.sleep(0.01)
        return list(self.glanced), list(self.heard)

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
    told = await listener.till.move_at_once(listener.till.bet(amount="1", event_id="first"))
    assert told.receipts != [None]

    async def listen_to_glances(book: Book) -> None:
        book.connection.add_query_logger(listener.hear_glance)

    await ledger.glance(listen_to_glances)
    yield listener
    await ledger.close()


@pytest.mark.parametrize("statement", [statements.GLANCE, statements.FACTS])
async def test_what_is_read_by_place_stands_in_its_place(db: Database, statement: str) -> None:
    connection = await connect(db.service_url)
    prepared = await connection.prepare(statement)
    names = [attribute.name for attribute in prepared.get_attributes()]
    await connection.close()
    assert names[facts.WALLET] == [
        *("player_id", "agent", "currency", "scale", "limits", "is_blocked", "real", "bonus"),
        *("version", "position", "chain", "has_refused_aborts", "usage_day"),
        *Usage._fields[1:],
    ]
    assert names[facts.VERSIONS] == ["player_place", "player_row", "wallet_place", "wallet_row"]
    assert names[facts.SESSION] == [*("expires_at", "life_seconds", "session_place", "session_row")]


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

    async def test_at_once_a_bet_takes_one_glance_and_one_statement_that_commits(
        self, listener: Listener
    ) -> None:
        told = await listener.statements_at_once(listener.till.bet())
        assert told == (["GLANCE"], ["RECORD_AT_ONCE"])

    async def test_at_once_a_batch_of_bets_and_wins_takes_no_more(self, listener: Listener) -> None:
        till = listener.till
        names = await listener.other.players(10, "100")
        bets = [till.bet(name) for name in names]
        wins = [till.movement(name, "Win", "credit", "5") for name in names]
        for batch in ([*bets, *wins], [till.bet(name) for name in names]):
            told = await listener.statements_at_once(*batch)
            assert told == (["GLANCE"], ["RECORD_AT_ONCE"])
        await listener.other.is_sound()

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


MONEY_ROAD = {
    "GLANCE": statements.GLANCE,
    "FACTS": statements.FACTS,
    "RECORD": statements.RECORD,
    "RECORD_AT_ONCE": statements.RECORD_AT_ONCE,
    "ENTRIES_BY_KEY": statements.ENTRIES_BY_KEY,
    "HISTORIES": statements.HISTORIES,
    "KEYS_TAKEN": statements.KEYS_TAKEN,
    "RENEW_SESSIONS": statements.RENEW_SESSIONS,
    "NOTE_RETURN": statements.LIST_RETURNS,
}
"""What is asked of tables that grow."""


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    found = [plan]
    for child in plan.get("Plans", []):
        found += nodes(child)
    return found


async def crowd(till: Till) -> None:
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
    await say(till, filling, "ANALYZE")


@pytest.fixture
async def crowded(till: Till) -> Till:
    await crowd(till)
    return till


async def say(till: Till, *scripts: str) -> None:
    connection = await connect(till.superuser_url)
    for script in scripts:
        await connection.execute(script)
    await connection.close()


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
    assert [type(r) for r in receipts] == [Posting, Posting, Refused, Declined]
    undone = await crowded.one(crowded.movement(names[0], "BetPayedAbort", "debit", "5"))
    assert isinstance(undone, Posting)
    again = taken._replace(delivery=bytes(16))
    assert isinstance(await crowded.one(again), Replay)
    issued = await issue_token(crowded.ledger, names[0], timedelta(days=1), is_sliding=True)
    assert isinstance(issued, IssuedToken)
    await say(
        crowded,
        "UPDATE sessions SET expires_at = expires_at - interval '2 hours'"
        " WHERE life_seconds IS NOT NULL",
    )
    told = await crowded.move_at_once(
        crowded.bet(names[0], token=issued.token),
        crowded.bet(names[1]),
        crowded.movement(names[1], "Win", "credit", "5"),
    )
    assert [type(r) for r in told.receipts] == [type(None), Posting, Posting]
    assert isinstance(await crowded.one(crowded.bet(names[0], token=issued.token)), Posting)
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


async def leave_alone(_: Till) -> None:
    """Nobody has ever looked at the tables."""


async def look_while_empty(till: Till) -> None:
    await say(till, "VACUUM ANALYZE")


async def fill_with_one_of_everything(till: Till) -> None:
    await till.player("anna", "100")
    await till.move(till.bet(), till.bet(amount="5000"))
    await say(till, "INSERT INTO unanswered VALUES (1, 1, now())", "VACUUM ANALYZE")


@pytest.mark.parametrize(
    "prepare", [leave_alone, look_while_empty, fill_with_one_of_everything, crowd]
)
async def test_the_plan_that_is_kept_reads_no_table_but_by_key_or_place(
    till: Till, db: Database, prepare: Callable[[Till], Awaitable[None]]
) -> None:
    """A service makes its plans once, and keeps them while the tables grow."""
    await prepare(till)
    connection = await asyncpg.connect(
        db.service_url.replace("+asyncpg", ""), server_settings=transaction.SESSION_SETTINGS
    )
    blind: dict[str, list[dict[str, Any]]] = {}
    for name, statement in MONEY_ROAD.items():
        await connection.execute(f"PREPARE {name} AS {statement}")
        nothing = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
        (row,) = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE {name} ({nothing})")
        scans = [node for node in nodes(json.loads(row[0])[0]["Plan"]) if is_scan(node)]
        assert scans
        blind[name] = [node for node in scans if not has_condition(node)]
    kept = await connection.fetch("SELECT name FROM pg_prepared_statements WHERE generic_plans = 1")
    await connection.close()
    assert {row[0] for row in kept} >= {name.lower() for name in MONEY_ROAD}
    assert blind == {name: [] for name in MONEY_ROAD}


def is_scan(node: dict[str, Any]) -> bool:
    """Whether it reads a table, or an index."""
    return node["Node Type"] != "ModifyTable" and bool(
        node.get("Relation Name") or node.get("Index Name")
    )


def has_condition(node: dict[str, Any]) -> bool:
    """Whether it is told where to look."""
    if node["Node Type"] == "Bitmap Heap Scan":
        return True  # its index is a node of its own
    return bool(node.get("Index Cond") or node.get("TID Cond"))


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


async def test_at_once_the_wallets_come_first_and_in_the_order_of_their_players(
    till: Till,
) -> None:
    """As FACTS locks them: whoever meets here waits, and never in a circle."""
    names = await till.players(3, "100")
    bets = [till.bet(name) for name in reversed(names)]
    other = await connect(till.superuser_url)
    lock = (
        "SELECT FROM wallets JOIN players USING (player_id) WHERE user_id = $1"
        " FOR UPDATE OF wallets NOWAIT"
    )
    async with held_up(till, names[1]):
        task = asyncio.create_task(till.move_at_once(*bets))
        await waiting(till)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.execute(lock, names[0])
        await other.execute(lock, names[2])
        # An insert of a key that another transaction is inserting would wait for its end.
        probe = other.transaction()
        await probe.start()
        await other.execute("SET lock_timeout = 1000")
        for bet in bets:
            await other.execute("INSERT INTO transaction_keys VALUES ($1, $2, $3, 1, 99)", *bet.key)
        await probe.rollback()
    await other.close()
    assert all(isinstance(receipt, Posting) for receipt in (await task).receipts)


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
