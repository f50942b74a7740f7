"""The event log: whatever commits in which order, every event has its one place, and keeps it."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random as Dice
from typing import TYPE_CHECKING, Any, Final

import pytest

from app.cashier.account_changes import AccountChange, update_account
from app.cashier.event_log import EventPage, nodes_of, number, number_all, page_after
from app.cashier.inbox import collect
from app.ledger.accounts import ChangeNote
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.event_log.numbering import number_events
from app.ledger.event_log.on_nodes import number_on_nodes
from app.ledger.event_log.told import (
    AlarmTold,
    ChangeTold,
    LimitTold,
    MovementTold,
    RoundTold,
    Told,
)
from app.ledger.money.book import Book
from app.wallet.event_log import Cursor, LoggedType
from app.wallet.limit_terms import DEFAULT_RAISE_RULES
from tests.cashier.dying import Dying
from tests.cashier.till import AGENT, Till, connect
from tests.conftest import Database

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

pytestmark = pytest.mark.own_node(
    "what a bucket tells is read at its node, and believed there alone"
)

HELD: Final = 77
"""The first half of the advisory locks that hold commits back; the second is the player."""

HOLD_COMMITS: Final = f"""
CREATE FUNCTION public.wait_for_test() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({HELD}, (NEW.player_id & 2147483647)::integer);
    RETURN NULL;
END
$$
"""
HOLD_AT_COMMIT: Final = (
    "CREATE CONSTRAINT TRIGGER wait_for_test AFTER INSERT ON {place}"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.wait_for_test()"
)
"""At its commit, a movement of a player whose lock is held waits: its row is there, unseen."""


async def page(
    till: Till,
    cursor: Cursor | None = None,
    *,
    types: Collection[LoggedType] = (),
    count_max: int = 1000,
) -> EventPage:
    found = await page_after(till.ledger, AGENT, cursor, types=types, count_max=count_max)
    assert found is not None
    return found


async def told(till: Till, kind: LoggedType | None = None) -> list[Told]:
    events = (await page(till)).events
    return [event for event in events if kind is None or event.type is kind]


def places(events: list[Told], user_id: str) -> list[str]:
    return [
        event.content.transaction_id
        for event in events
        if event.user_id == user_id and isinstance(event.content, MovementTold)
    ]


@pytest.fixture
async def till(db: Database) -> AsyncIterator[Till]:
    """Each bucket has a connection for every commit that is held, and one that looks."""
    ledger = PlacedLedger(db.service_url, buckets=db.buckets, pool_size=8 * db.buckets)
    yield Till(ledger, db.superuser_url)
    await ledger.close()


class Held:
    """Commits of some players that wait until they are let go."""

    def __init__(self, till: Till, holders: Mapping[str, "Connection"]) -> None:
        self.till = till
        self._holders = holders
        """at each server"""
        self._players: dict[str, tuple[Connection, int]] = {}
        """where a player's rows are, and the lock that holds them"""
        self._under_way: dict[str, asyncio.Task[object]] = {}

    async def begin(self, user_id: str, transaction_id: str) -> None:
        """Let a movement be recorded, and wait in its commit."""
        if user_id not in self._players:
            (row,) = await self.till.rows(
                "SELECT player_id & 2147483647 FROM players WHERE user_id = $1", user_id
            )
            holder = self._holders[(await self.till.home_of(user_id)).url]
            self._players[user_id] = (holder, row[0])
        holder, lock = self._players[user_id]
        await holder.execute(f"SELECT pg_advisory_lock({HELD}, {lock})")
        deposit = self.till.movement(
            user_id, "Deposit", "credit", "1", transaction_id=transaction_id
        )
        self._under_way[user_id] = asyncio.create_task(self.till.one(deposit))
        waiting = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            f" AND classid = {HELD} AND objid = {lock}"
        )
        for _ in range(2000):
            if await holder.fetchval(waiting):
                return
        raise AssertionError("the movement never came to its commit")

    async def end(self, user_id: str) -> None:
        """Let it commit."""
        holder, lock = self._players[user_id]
        await holder.execute(f"SELECT pg_advisory_unlock({HELD}, {lock})")
        await self._under_way.pop(user_id)

    @property
    def user_ids(self) -> list[str]:
        return list(self._under_way)


@pytest.fixture
async def held(till: Till) -> AsyncIterator[Held]:
    await till.make(HOLD_COMMITS)
    await till.trigger(HOLD_AT_COMMIT)
    async with AsyncExitStack() as open_ones:
        holders = {url: await connect(url) for url in await till.servers()}
        for holder in holders.values():
            open_ones.push_async_callback(holder.close)
        held = Held(till, holders)
        yield held
        for user_id in held.user_ids:
            await held.end(user_id)


@asynccontextmanager
async def service(till: Till) -> AsyncIterator["Connection"]:
    connection = await connect(till.superuser_url)
    try:
        yield connection
    finally:
        connection.terminate()


async def look_and_die(till: Till, *, after: int, most: int) -> bool:
    """Number, and be killed after so many statements; whether it was killed before its commit."""
    async with service(till) as connection:
        await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        book: Any = Book(Dying(connection, after), None)  # type: ignore[arg-type]
        parts = await till.ledger.parts()
        try:
            if parts:
                await number_on_nodes(book, nodes_of(parts), most)
            else:
                await number_events(book, most=most)
        except ConnectionResetError:
            return True
        return False


async def test_what_commits_late_is_told_after_what_committed_before(
    till: Till, held: Held
) -> None:
    for name in ("anna", "boris"):
        await till.player(name)
    await held.begin("anna", "first")
    await till.one(till.movement("boris", "Deposit", "credit", "1", transaction_id="second"))
    before = await page(till)
    assert places(before.events, "boris") == ["second"]
    assert places(before.events, "anna") == []
    await held.end("anna")
    after = await page(till, before.cursor)
    assert places(after.events, "anna") == ["first"]
    assert [event.number for event in after.events] == [before.events[-1].number + 1]


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_skipped_or_told_twice_whatever_commits_when_and_whoever_dies(
    till: Till, held: Held, seed: int
) -> None:
    dice = Dice(seed)  # noqa: S311 - a seed repeats a failure
    names = [await till.player(f"player-{seed}-{n}") for n in range(5)]
    heard: list[Told] = []
    cursor: Cursor | None = None
    expected: dict[str, list[str]] = {name: [] for name in names}
    deaths = 0
    for turn in range(60):
        name, most = dice.choice(names), dice.choice((1, 2, 5000))
        match dice.randrange(6):
            case 0 | 1 if name not in held.user_ids:
                expected[name].append(f"t{turn}")
                await held.begin(name, f"t{turn}")
            case 2 if name in held.user_ids:
                await held.end(name)
            case 3:
                deaths += await look_and_die(till, after=dice.randint(1, 3), most=most)
            case 4:
                await number(till.ledger, most=most)
            case _:
                found = await page(till, cursor, count_max=dice.choice((1, 3, 1000)))
                heard += found.events
                cursor = found.cursor
    for name in held.user_ids:
        await held.end(name)
    heard += (await page(till, cursor)).events
    assert deaths > 0
    assert heard == await told(till)
    assert [event.number for event in heard] == list(range(1, len(heard) + 1))
    assert {name: places(heard, name) for name in names} == expected
    assert len({event.id for event in heard}) == len(heard)


async def test_a_transaction_that_is_rolled_back_is_never_told(till: Till, held: Held) -> None:
    await till.player("anna")
    await held.begin("anna", "lost")
    await number_all(till.ledger)
    await till.rows_of(
        "anna",
        "SELECT pg_terminate_backend(pid) FROM pg_locks"
        f" WHERE locktype = 'advisory' AND classid = {HELD} AND NOT granted",
    )
    await held.end("anna")
    # The batcher's caller asks again: what stands is the second attempt's.
    assert places(await told(till), "anna") == ["lost"]


async def test_two_who_number_at_once_number_once(till: Till, other_till: Till) -> None:
    names = await till.players(20, real="1")
    done = await asyncio.gather(*(number(t.ledger) for t in (till, other_till) * 4))
    assert sum(d.events for d in done if d is not None) <= 40
    events = await told(till)
    assert len(events) == 40
    assert {event.user_id for event in events} == set(names)


async def test_each_agent_has_numbers_of_its_own(till: Till) -> None:
    await till.player("anna", "10")
    await till.rows("UPDATE wallets SET agent = 'rival'")
    await number_all(till.ledger)
    await till.rows("UPDATE wallets SET agent = 'house'")
    await till.player("boris", "10")
    assert [event.number for event in await told(till)] == [1, 2]
    rivals = await page_after(till.ledger, "rival", None, count_max=10)
    assert rivals is not None
    assert [event.number for event in rivals.events] == [1, 2]


async def test_what_was_there_before_the_upgrade_is_not_told_and_harms_nothing(till: Till) -> None:
    await till.player("anna", "10")
    await till.rewrite("UPDATE movements SET xid = NULL")
    await till.one(till.movement("anna", "Deposit", "credit", "1", transaction_id="new"))
    assert places(await told(till), "anna") == ["new"]


# --- what is told -------------------------------------------------------------------------------


async def test_a_round_is_settled_once_until_it_is_opened_again(till: Till) -> None:
    await till.player("anna", "100")
    play = till.movement
    await till.one(till.bet("anna", "10"))
    await till.one(till.bet("anna", "5"))
    await till.one(play("anna", "Win", "credit", "20"))
    await till.one(play("anna", "Win", "credit", "1"))
    await till.one(play("anna", "SportBetCancel", "debit", "1"))
    await till.one(play("anna", "Lose", "credit", "0"))
    await till.one(till.bet("anna", "3", event_id="given back"))
    await till.one(play("anna", "BetPlacingAbort", "credit", "3", event_id="given back"))
    rounds = [event.content for event in await told(till, LoggedType.ROUND_SETTLED)]
    assert all(isinstance(round_, RoundTold) for round_ in rounds)
    assert [(r.event_id, r.bets, r.stakes, r.wins, r.returns, r.net) for r in rounds] == [  # type: ignore[union-attr]
        ("event-1", 2, "15.00", "20.00", "0.00", "5.00"),
        ("event-1", 2, "15.00", "20.00", "0.00", "5.00"),
        ("given back", 1, "3.00", "0.00", "3.00", "0.00"),
    ]


async def test_a_refusal_for_ever_is_told_with_the_limit_that_refused(till: Till) -> None:
    await till.player("anna", "100")
    note = ChangeNote("house", "account/update", "{}", bytes(16), datetime.now(UTC))
    await update_account(
        till.ledger,
        "anna",
        AccountChange(limits={"stake_bet": "5"}),
        raises=DEFAULT_RAISE_RULES,
        note=note,
    )
    await till.one(till.bet("anna", "6"))
    events = await told(till)
    kinds = [event.type.value for event in events]
    assert kinds == [
        "account.opened",
        "movement.posted",
        "account.updated",
        "movement.declined",
        "limit.hit",
    ]
    hit, change = events[-1].content, events[2].content
    assert isinstance(hit, LimitTold)
    assert (hit.limit, hit.value, hit.used, hit.remaining) == ("stake_bet", "5.00", "0.00", "5.00")
    assert isinstance(change, ChangeTold)
    assert change.outcome["limits"]["stake_bet"]["amount"] == 500


async def test_an_exception_of_the_inbox_is_an_alarm(till: Till) -> None:
    await till.player("anna", "100")
    await till.one(till.movement("anna", "Win", "credit", "5", transaction_id="no bet"))
    await collect(till.ledger)
    (alarm,) = await told(till, LoggedType.ALARM_RAISED)
    assert isinstance(alarm.content, AlarmTold)
    assert (alarm.content.kind, alarm.content.transaction_id) == ("expected_credit", "no bet")


async def test_some_types_alone_are_found_among_many_others(till: Till) -> None:
    await till.player("anna", "1")
    for _ in range(5):
        await till.one(till.movement("anna", "Deposit", "credit", "1"))
    await till.player("boris")
    opened = {LoggedType.ACCOUNT_OPENED}
    first = await page(till, types=opened, count_max=1)
    assert [event.user_id for event in first.events] == ["anna"]
    second = await page(till, first.cursor, types=opened, count_max=2)
    assert [event.user_id for event in second.events] == ["boris"]
    assert not second.has_more
    assert (await page(till, second.cursor, types=opened)).events == []


# --- restored, copied, failed over --------------------------------------------------------------


async def test_a_cursor_of_events_that_were_lost_is_noticed(till: Till) -> None:
    await till.player("anna", "1")
    cursor = (await page(till)).cursor
    assert cursor is not None
    lost = cursor._replace(mark="0" * 8)
    assert await page_after(till.ledger, AGENT, lost, count_max=1) is None
    beyond = cursor._replace(number=cursor.number + 1)
    assert await page_after(till.ledger, AGENT, beyond, count_max=1) is None


@pytest.mark.one_server("it is about the ids of one server's transactions")
async def test_on_another_cluster_everything_is_told_that_was_not_and_nothing_again(
    till: Till, held: Held
) -> None:
    """What a restored dump looks like: ids of other transactions, and a snapshot of another log."""
    names = [await till.player(name) for name in ("anna", "boris")]
    await till.one(till.movement("anna", "Deposit", "credit", "1", transaction_id="told"))
    before = await page(till)
    await till.one(till.movement("anna", "Deposit", "credit", "1", transaction_id="not told"))
    await till.rows("ALTER TABLE movements DISABLE TRIGGER append_only")
    await till.rows(
        "UPDATE movements SET xid = ((xid::text::bigint) + 1000000000)::text::xid8"
        " WHERE transaction_id IN ('told', 'not told')"
    )
    await till.rows(
        "UPDATE event_log_progress SET system_identifier = 7, seen = '2000000000:2000000000:'"
    )
    await held.begin("boris", "under way")
    await number(till.ledger)
    await till.one(till.movement("anna", "Deposit", "credit", "1", transaction_id="meanwhile"))
    await number_all(till.ledger)
    await held.end("boris")
    await till.one(till.movement("anna", "Deposit", "credit", "1", transaction_id="later"))
    after = await page(till, before.cursor)
    whole = [*before.events, *after.events]
    assert places(whole, "anna") == ["told", "not told", "meanwhile", "later"]
    assert places(whole, "boris") == ["under way"]
    assert len({event.id for event in whole}) == len(whole) == 5 + len(names)
    # Its own ids pass those of the other cluster at last; nothing is told again then, either.
    await till.rows("UPDATE movements SET xid = '90' WHERE transaction_id = 'told'")
    await till.rows("UPDATE event_log_progress SET seen = '80:80:'")
    await number_all(till.ledger)
    assert await told(till) == whole


async def test_looks_that_find_nothing_write_nothing(till: Till) -> None:
    await till.player("anna", "1")
    await number_all(till.ledger)
    row = "SELECT ctid::text, xmin::text, xmax::text FROM event_log_progress"
    before = await till.rows(row)
    for _ in range(5):
        await number(till.ledger)
    assert await till.rows(row) == before


async def test_a_look_whose_process_is_stuck_stops_nobody_from_reading(till: Till) -> None:
    await till.player("anna", "1")
    await number_all(till.ledger)
    async with service(till) as connection:
        await connection.execute("BEGIN")
        # What a look holds, here and on nodes.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('event_log'))")
        await connection.execute("SELECT FROM event_log_progress FOR UPDATE")
        await till.one(till.movement("anna", "Deposit", "credit", "1"))
        async with asyncio.timeout(timedelta(seconds=5).total_seconds()):
            assert len((await page(till)).events) == 2
