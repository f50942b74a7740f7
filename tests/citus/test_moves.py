"""A bucket moves to another node while it is served."""

import asyncio
from collections.abc import Mapping

from app.ledger.citus import Place
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.citus.places import move
from app.postgres.cluster import SERVICE
from tests.cashier.till import Till, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS
from tests.citus.load import Load, say

GAP_SECONDS_MAX = 2
NOTICED_SECONDS_MAX = 1


async def test_a_move_under_load_loses_nothing(citus: Citus, till: Till) -> None:
    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    names = [f"mover-{next(numbers)}" for _ in range(32)]
    for name in names:
        await till.player(name)
    load = Load(till, names)
    running = asyncio.create_task(load.run(8))
    await asyncio.sleep(1.5)
    before = dict(ledger.places)
    there = before[0]
    to = next(node for node in citus.nodes if node != there)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await move(citus.owner_url, 0, BUCKETS, to)
    moved = loop.time()
    while ledger.places[0] != to:  # noqa: ASYNC110 - nobody is told of it
        await asyncio.sleep(0.02)
    noticed = loop.time() - moved
    await running
    gaps = {bucket: load.gap(bucket) for bucket in range(BUCKETS)}
    say(
        f"moved in {moved - began:.1f} s, noticed {noticed:.2f} s later; {load.count} acknowledged,"
        f" {load.unknown} unknown meanwhile; longest gaps {gaps}",
    )
    assert await load.lost() == 0
    assert gaps[0] <= GAP_SECONDS_MAX
    assert noticed <= NOTICED_SECONDS_MAX
    await till.is_sound()
    assert _without(ledger.places, 0) == _without(before, 0)
    assert ledger.bucket_of(names[0]).place in citus.nodes


async def test_a_move_is_noticed_by_who_could_not_read_where_buckets_are(
    citus: Citus, till: Till
) -> None:
    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    await ledger.parts()
    there = ledger.places[0]
    to = next(node for node in citus.nodes if node != there)
    await citus.rows("SELECT 1", then=f"REVOKE SELECT ON public.buckets FROM {SERVICE}")
    try:
        await asyncio.sleep(1)
    finally:
        await citus.rows("SELECT 1", then=f"GRANT SELECT ON public.buckets TO {SERVICE}")
    await move(citus.owner_url, 0, BUCKETS, to)
    async with asyncio.timeout(NOTICED_SECONDS_MAX + 1):
        while ledger.places[0] != to:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.02)


def _without(places: Mapping[int, Place], bucket: int) -> dict[int, Place]:
    return {each: place for each, place in places.items() if each != bucket}
