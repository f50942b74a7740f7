"""Webhooks, the tail and slips of a ledger whose buckets are on several nodes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.cashier import slips
from app.cashier.event_log import number_all
from app.cashier.staff_lookups import look_up_event, look_up_slip
from app.cashier.tail import follow
from app.ledger.citus.bucket import BucketLedger
from app.ledger.citus.ledger import LOOK_SECONDS
from app.ledger.citus.places import move
from app.ledger.lookups import OwnedEntry
from app.ledger.tail import LoggedRefusal, TailFilter
from app.slips.projector import Projector
from app.wallet.buckets import schema_of
from app.wallet.event_log import LoggedType
from tests.cashier.till import Till, connect, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS
from tests.citus.test_events import deposit, end_of_log, other_node, told_after
from tests.edges.webhooks.conftest import delivering, endpoint
from tests.edges.webhooks.receiver import Receiver
from tests.edges.webhooks.test_deliveries import everything_numbered, in_order, signed_on
from tests.slips.slip_texts import betslip, leg, settled

if TYPE_CHECKING:
    from app.ledger.event_log.told import Told

PLACES_LOOKS_MAX = 5


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def test_two_deliverers_deliver_everything_in_order_while_a_bucket_moves(
    citus: Citus, till: Till, far_till: Till, receiver: Receiver
) -> None:
    names = [f"hooked-{next(numbers)}" for _ in range(12)]
    choice = endpoint(receiver)
    async with delivering(citus.service_url, choice), delivering(citus.service_url, choice):
        await signed_on(till)
        # What others have done in this ledger is no part of it.
        await everything_numbered(till)
        before = await end_of_log(till)
        for name in names:
            await till.player(name)
        moving = asyncio.create_task(
            move(citus.owner_url, 1, BUCKETS, await other_node(citus, till, 1))
        )
        turn = 0
        while not moving.done() or turn < 3:
            writer = (till, far_till)[turn % 2]
            await asyncio.gather(*(deposit(writer, name, f"{name}-{turn}") for name in names))
            turn += 1
        await moving
        # A look passes over a bucket that is not where this process takes it for, until it has
        # looked at the places again.
        expected: list[Told] = []
        for _ in range(PLACES_LOOKS_MAX):
            await everything_numbered(till)
            expected = await told_after(till, before)
            if len(expected) == len(names) * (turn + 1):
                break
            await asyncio.sleep(LOOK_SECONDS)
        assert len(expected) == len(names) * (turn + 1)
        ids = {event.id for event in expected}
        await receiver.until(lambda: ids <= {heard.id for heard in receiver.taken}, 30)
    mine = [heard for heard in receiver.taken if heard.id in ids]
    assert in_order(mine)


async def test_an_exception_of_a_player_on_a_node_is_an_alarm(
    till: Till,
) -> None:
    name = f"alarmed-{next(numbers)}"
    before = await end_of_log(till)
    await till.player(name, "100")
    # A win without its bet, as the inbox's collector lists it.
    await till.rows(
        "INSERT INTO exceptions (kind, key, player_id, user_id, summary, happened_at, opened_at)"
        " SELECT 'expected_credit', user_id, player_id, user_id, 'no bet', now(), now()"
        " FROM players WHERE user_id = $1",
        name,
    )
    kinds = [event.type for event in await told_after(till, before) if event.user_id == name]
    assert kinds == [
        LoggedType.ACCOUNT_OPENED,
        LoggedType.MOVEMENT_POSTED,
        LoggedType.ALARM_RAISED,
    ]


async def test_the_tail_shows_what_all_buckets_decide(till: Till, far_till: Till) -> None:
    names = [f"tailed-{next(numbers)}" for _ in range(6)]
    for name in names:
        await till.player(name)
        await deposit(far_till, name, f"{name}-0")
    await till.one(till.movement("nobody-here", "Win", "credit", "5"))
    seen = [
        line
        async for lines in follow(
            till.ledger, TailFilter(), back=timedelta(seconds=60), seconds_max=0
        )
        for line in lines
    ]
    entries = [line for line in seen if isinstance(line, OwnedEntry)]
    assert {line.user_id for line in entries} >= set(names)
    keys = [(line.user_id, line.entry.position) for line in entries]
    assert len(keys) == len(set(keys))
    refusals = [line.user_id for line in seen if isinstance(line, LoggedRefusal)]
    assert refusals.count("nobody-here") == 1


async def project(till: Till) -> None:
    await number_all(till.ledger)
    await Projector(till.ledger).look()


async def kept(till: Till, names: list[str]) -> dict[str, list[tuple[object, ...]]]:
    """What was projected of these players."""
    rows = await till.rows("SELECT player_id FROM players WHERE user_id = ANY($1)", names)
    players = [row[0] for row in rows]
    return {
        table: [
            tuple(row)
            for row in await till.rows(
                f"SELECT * FROM {table} WHERE player_id = ANY($1) ORDER BY 1, 2, 3", players
            )
        ]
        for table in ("sport_bets", "sport_legs", "slip_faults", "slip_mismatches")
    }


async def test_slips_of_all_buckets_are_projected_and_found(till: Till, far_till: Till) -> None:
    names = [f"slip-{next(numbers)}" for _ in range(6)]
    for n, name in enumerate(names):
        await till.player(name, "100")
        text = betslip(f"of-{name}", kind="2/2", legs=[leg(1), leg(2)])
        writer = (till, far_till)[n % 2]
        await writer.one(till.movement(name, "BetPlacing", "debit", "10", extra_data=text))
    await project(till)
    won = names[0]
    win = settled("win", f"of-{won}", {"leg-1": "won", "leg-2": "won"})
    await far_till.one(till.movement(won, "Win", "credit", "30", extra_data=win))
    # A movement without a text touches the round of a bet that is known.
    await till.one(till.movement(names[1], "Lose", "credit", "0", extra_data=""))
    await project(till)
    before = await kept(till, names)
    rows = await till.rows(
        "SELECT b.slip_id, b.status FROM sport_bets b WHERE slip_id = ANY($1) ORDER BY b.slip_id",
        [f"of-{name}" for name in names],
    )
    expected = dict.fromkeys((f"of-{name}" for name in names), "open")
    expected |= {f"of-{won}": "won", f"of-{names[1]}": "lost"}
    assert dict(map(tuple, rows)) == expected
    assert len(before["sport_legs"]) == 2 * len(names)
    (by_slip,) = await look_up_slip(till.ledger, f"of-{won}")
    assert by_slip.account.user_id == won
    assert [owned.entry.event_type.value for owned in by_slip.entries] == ["BetPlacing", "Win"]
    assert [leg.result for leg in by_slip.slips[0].legs] == ["won", "won"]
    assert await look_up_event(till.ledger, by_slip.account.key.event_id, won) == [by_slip]
    of_all = await look_up_event(till.ledger, by_slip.account.key.event_id, None)
    assert {details.account.user_id for details in of_all} >= set(names)
    moments = [details.account.opened_at for details in of_all]
    assert moments == sorted(moments)
    await slips.begin_anew(till.ledger)
    await project(till)
    assert await kept(till, names) == before


async def test_slips_without_an_event_are_read_in_every_bucket(citus: Citus, till: Till) -> None:
    """As imported ones are: their rows say no transaction, and have no number."""
    names = [f"old-slip-{next(numbers)}" for _ in range(6)]
    for name in names:
        await till.player(name, "100")
        bet = till.movement(name, "BetPlacing", "debit", "10", extra_data=betslip(f"of-{name}"))
        await till.one(bet)
    await number_all(till.ledger)
    parts = await till.ledger.parts()
    for bucket, part in parts.items():
        assert isinstance(part, BucketLedger)
        schema = schema_of(bucket, BUCKETS)
        (shard,) = await citus.rows(
            "SELECT shardid FROM pg_dist_shard WHERE logicalrelid = $1::text::regclass",
            f"{schema}.movements",
        )
        connection = await connect(citus.url_for(at=part.place))
        await connection.execute("SET citus.enable_manual_changes_to_shards = on")
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(
            f"UPDATE {schema}.movements_{shard[0]} SET xid = NULL WHERE player_id IN"
            f" (SELECT player_id FROM {schema}.players WHERE user_id = ANY($1))",
            names,
        )
        await connection.close()
    connection = await connect(citus.url_for())
    await connection.execute("SET session_replication_role = replica")
    of_these = "player_id IN (SELECT player_id FROM players WHERE user_id = ANY($1))"
    assert await connection.execute(f"DELETE FROM event_log WHERE {of_these}", names) != "DELETE 0"
    await connection.close()
    await slips.begin_anew(till.ledger)
    await project(till)
    rows = await till.rows(
        "SELECT slip_id FROM sport_bets WHERE slip_id = ANY($1)", [f"of-{n}" for n in names]
    )
    assert sorted(row[0] for row in rows) == sorted(f"of-{name}" for name in names)
