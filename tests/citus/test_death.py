"""A node is killed while its neighbours are served."""

import asyncio

import pytest

from app.ledger.citus.ledger import PlacedLedger
from tests.cashier.till import Till, numbers
from tests.citus.cluster import Citus, server_of, until_it_answers
from tests.citus.conftest import BUCKETS
from tests.citus.load import Load, say

GAP_SECONDS_MAX = 0.5


async def test_buckets_of_other_nodes_go_on_and_nothing_is_lost(citus: Citus, till: Till) -> None:
    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    victim = citus.nodes[0]
    server = await server_of(citus, victim)
    if server is None:
        pytest.skip("the nodes run on another machine, where this test cannot kill one")
    names = [f"mourner-{next(numbers)}" for _ in range(32)]
    for name in names:
        await till.player(name)
    load = Load(till, names)
    running = asyncio.create_task(load.run(6))
    await asyncio.sleep(1.5)
    server.kill()
    await asyncio.sleep(2)
    await asyncio.to_thread(server.start)
    await until_it_answers(citus, victim)
    await running
    others = [bucket for bucket in range(BUCKETS) if ledger.places[bucket] != victim]
    gaps = {bucket: load.gap(bucket) for bucket in range(BUCKETS)}
    say(
        f"{load.count} acknowledged, {load.unknown} unknown meanwhile; longest gaps {gaps}, of the"
        f" other node's buckets {others}"
    )
    assert await load.lost() == 0
    assert max(gaps[bucket] for bucket in others) <= GAP_SECONDS_MAX
    await till.is_sound()
