"""Events of buckets on several nodes: each row is told once, in its player's order."""

import asyncio
import sys
from contextlib import suppress
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from app.cashier.event_log import nodes_of, number
from app.ledger.citus import Place
from app.ledger.citus.bucket import AWAY_SECONDS
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.citus.places import move
from app.ledger.errors import LedgerAwayError, LedgerError
from app.ledger.event_log.numbering import NUMBERED_MAX
from app.ledger.event_log.on_nodes import number_on_nodes
from app.ledger.event_log.told import MovementTold, Told
from app.ledger.money.book import Book
from app.wallet.buckets import bucket_of, schema_of
from app.wallet.event_log import Cursor, LoggedType
from tests.cashier.dying import Dying
from tests.cashier.test_event_log import page, places
from tests.cashier.till import Till, connect, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS
from tests.citus.load import Load, say

KILLS = 3

AWAY_SECONDS_MAX = 10
"""A move holds up writes for a second or two, and a claim that waits longer than one is given up:
from then on everybody is refused at once, until the node answers again."""


async def players_in(till: Till, bucket: int, count: int) -> list[str]:
    """Open accounts of new players, all in one bucket."""
    names: list[str] = []
    while len(names) < count:
        name = f"told-{next(numbers)}"
        if bucket_of(name, BUCKETS) == bucket:
            await till.player(name)
            names.append(name)
    return names


async def deposit(till: Till, name: str, transaction_id: str) -> None:
    """Deposit, and ask again while the bucket, or that of the id, goes over to another node."""
    movement = till.movement(name, "Deposit", "credit", "1", transaction_id=transaction_id)
    async with asyncio.timeout(AWAY_SECONDS_MAX):
        while True:
            with suppress(LedgerAwayError):
                await till.one(movement)
                return
            await asyncio.sleep(AWAY_SECONDS)


async def end_of_log(till: Till) -> Cursor | None:
    """Number and read everything that was there before a test."""
    cursor: Cursor | None = None
    while True:
        found = await page(till, cursor)
        cursor = found.cursor
        if not found.has_more:
            return cursor


async def told_after(till: Till, cursor: Cursor | None) -> list[Told]:
    heard: list[Told] = []
    while True:
        found = await page(till, cursor)
        heard += found.events
        cursor = found.cursor
        if not found.has_more:
            return heard


async def other_node(citus: Citus, till: Till, bucket: int) -> Place:
    there = placed(till).places[bucket]
    return next(node for node in citus.nodes if node != there)


def placed(till: Till) -> PlacedLedger:
    assert isinstance(till.ledger, PlacedLedger)
    return till.ledger


async def until_noticed(till: Till, bucket: int, to: Place) -> None:
    while placed(till).places[bucket] != to:  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(0.02)


async def number_and_die(citus: Citus, till: Till, after: int) -> bool:
    """Number, and be killed after so many statements; whether it was killed before its commit."""
    connection = await connect(citus.service_url)
    try:
        await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        book: Any = Book(Dying(connection, after), None)  # type: ignore[arg-type]
        try:
            at = nodes_of(await till.ledger.parts())
            await number_on_nodes(book, at, NUMBERED_MAX)
        except ConnectionResetError:
            return True
        return False
    finally:
        connection.terminate()


async def test_what_is_written_through_any_node_is_told_once(till: Till, far_till: Till) -> None:
    names = [f"told-{next(numbers)}" for _ in range(8)]
    before = await end_of_log(till)
    expected: dict[str, list[str]] = {name: [] for name in names}
    for name in names:
        await till.player(name)
        for turn, writer in enumerate((till, far_till, till)):
            expected[name].append(f"{name}-{turn}")
            await deposit(writer, name, f"{name}-{turn}")
    found = await told_after(till, before)
    assert {name: places(found, name) for name in names} == expected
    opened = [event.user_id for event in found if event.type is LoggedType.ACCOUNT_OPENED]
    assert sorted(opened) == sorted(names)


async def test_rows_say_which_transaction_of_their_own_node_wrote_them(
    citus: Citus, till: Till, far_till: Till
) -> None:
    (name,) = await players_in(till, 1, 1)
    await deposit(till, name, f"{name}-near")
    await deposit(far_till, name, f"{name}-far")
    rows = await citus.rows(
        "SELECT xid::text::bigint >> 48 AS node, xid::text::bigint & ((1::bigint << 48) - 1) AS own"
        f" FROM {schema_of(1, BUCKETS)}.movements WHERE transaction_id LIKE $1 ORDER BY position",
        f"{name}-%",
    )
    (node,) = await citus.rows(
        "SELECT groupid FROM pg_dist_node WHERE nodename = $1 AND nodeport = $2",
        *placed(till).places[1],
    )
    assert [row["node"] for row in rows] == [node[0]] * 2
    (now,) = await citus.rows(
        "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint", at=placed(till).places[1]
    )
    assert rows[0]["own"] < rows[1]["own"] < now[0]


@pytest.mark.parametrize("through_its_own_node", [True, False])
async def test_what_is_committed_late_on_a_node_is_told_late_and_not_skipped(
    citus: Citus, till: Till, *, through_its_own_node: bool
) -> None:
    late, soon = await players_in(till, 2, 2)
    before = await end_of_log(till)
    place = placed(till).places[2] if through_its_own_node else await other_node(citus, till, 2)
    holder = await connect(citus.url_for(at=place))
    try:
        await holder.execute("BEGIN")
        await holder.execute(
            f"INSERT INTO {schema_of(2, BUCKETS)}.account_changes"
            " (player_id, ledger_time, event_time, source, operation, asked, outcome, delivery)"
            " SELECT player_id, now(), now(), 'test', 'account/update', '{}', '{}', $1::uuid"
            f" FROM {schema_of(2, BUCKETS)}.players WHERE user_id = $2",
            uuid4(),
            late,
        )
        await deposit(till, soon, f"{soon}-0")
        first = await page(till, before)
        assert places(first.events, soon) == [f"{soon}-0"]
        assert [event.user_id for event in first.events] == [soon]
        await deposit(till, soon, f"{soon}-1")
        await holder.execute("COMMIT")
    finally:
        await holder.close()
    found = await page(till, first.cursor)
    assert sorted((e.user_id, e.type) for e in found.events) == sorted(
        [(late, LoggedType.ACCOUNT_UPDATED), (soon, LoggedType.MOVEMENT_POSTED)]
    )


async def test_a_look_that_finds_nothing_writes_nothing(citus: Citus, till: Till) -> None:
    await end_of_log(till)
    row = "SELECT ctid::text, xmin::text, xmax::text FROM event_log_progress"
    before = await citus.rows(row)
    for _ in range(5):
        await number(till.ledger)
    assert await citus.rows(row) == before


@pytest.mark.parametrize("most", [1, NUMBERED_MAX])
async def test_what_a_bucket_brings_from_other_nodes_comes_in_its_players_order(
    citus: Citus, till: Till, most: int
) -> None:
    """Nobody numbers while the bucket goes there and back."""
    names = await players_in(till, 3, 3)
    before = await end_of_log(till)
    there, back = await other_node(citus, till, 3), placed(till).places[3]
    expected: dict[str, list[str]] = {name: [] for name in names}
    for turn, to in enumerate((None, there, back)):
        if to is not None:
            await move(citus.owner_url, 3, BUCKETS, to)
            await until_noticed(till, 3, to)
        for name in names:
            for n in range(2):
                expected[name].append(f"{name}-{turn}-{n}")
                await deposit(till, name, f"{name}-{turn}-{n}")
    for _ in range(200):
        done = await number(till.ledger, most=most)
        if done is None or not done.is_more:
            break
    found = await told_after(till, before)
    assert {name: places(found, name) for name in names} == expected


async def test_nothing_is_skipped_or_doubled_under_load_whoever_dies_and_moves(
    citus: Citus, till: Till, far_till: Till
) -> None:
    """Load with repeats through any node, numberers that are killed, a bucket that moves."""
    before = await end_of_log(till)
    near = [f"near-{next(numbers)}" for _ in range(16)]
    far = [f"far-{next(numbers)}" for _ in range(8)]
    for name in (*near, *far):
        await till.player(name)
    loads = [Load(till, near), Load(far_till, far)]
    heard: list[Told] = []
    cursor = before
    over = asyncio.Event()
    deaths = 0

    async def read() -> None:
        nonlocal cursor
        while not over.is_set():
            found = await page(till, cursor, count_max=200)
            heard.extend(found.events)
            cursor = found.cursor

    async def repeat() -> None:
        """Send again, through other nodes, what was told: it is there, and nothing new."""
        while not over.is_set():
            for event in heard[-5:]:
                if isinstance(event.content, MovementTold):
                    again = event.content.transaction_id
                    with suppress(LedgerError):
                        await deposit(far_till, event.user_id, again)
            await asyncio.sleep(0.05)

    async def die() -> None:
        nonlocal deaths
        turn = 0
        while not over.is_set():
            turn += 1
            deaths += await number_and_die(citus, far_till, turn % 8 + 1)
            await asyncio.sleep(0.05)

    others = [
        asyncio.create_task(work) for work in (read(), repeat(), die(), be_killed(citus, over))
    ]
    running = [asyncio.create_task(load.run(9)) for load in loads]
    await asyncio.sleep(1)
    for _ in range(2):
        await move(citus.owner_url, 0, BUCKETS, await other_node(citus, till, 0))
        await asyncio.sleep(0.5)
    await asyncio.gather(*running)
    over.set()
    await asyncio.gather(*others)
    while (found := await page(till, cursor)).events:
        heard += found.events
        cursor = found.cursor
    say(f"{len(heard)} events, {deaths} deaths, {sum(load.unknown for load in loads)} repeats")
    assert deaths
    assert heard == await told_after(till, before)
    assert len({event.id for event in heard}) == len(heard)
    assert all(after.number == event.number + 1 for event, after in pairwise(heard))
    for name in (*near, *far):
        schema = schema_of(bucket_of(name, BUCKETS), BUCKETS)
        rows = await citus.rows(
            f"SELECT m.transaction_id FROM {schema}.movements m"
            f" JOIN {schema}.players p USING (player_id) WHERE p.user_id = $1 ORDER BY m.position",
            name,
        )
        assert places(heard, name) == [row["transaction_id"] for row in rows], name
    assert sum(len(places(heard, name)) for name in near) == loads[0].count


async def be_killed(citus: Citus, over: asyncio.Event) -> None:
    """Run processes that number, and kill each with signal 9 while it is at it."""
    for _ in range(KILLS):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.citus.numbering_process", citus.service_url, str(BUCKETS)
        )
        await asyncio.sleep(2)
        assert process.returncode is None
        process.kill()
        await process.wait()
        if over.is_set():
            return
