"""Readiness and metrics tell of each node: one that is away takes its own buckets with it only."""

import asyncio

import pytest
from prometheus_client import Metric

from app.cashier.readiness import bucket_faults, sync_warning, why_not_ready
from app.cashier.watch import Watch
from app.edges.metrics.ledger import of_standby, of_watch
from app.ledger.citus import Place
from app.ledger.citus.ledger import PlacedLedger
from tests.cashier.till import Till, connect
from tests.citus.cluster import Citus, server_of, until_it_answers
from tests.citus.conftest import BUCKETS

DOES_NOT_ANSWER = "the database does not answer"
DOES_NOT_CONFIRM = "the synchronous standby does not confirm what is committed"


async def set_standby(citus: Citus, place: Place, name: str) -> None:
    """Have the commits of a node wait for a standby of this name."""
    connection = await connect(citus.url_for(at=place))
    try:
        await connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


def on(till: Till, place: Place) -> set[int]:
    assert isinstance(till.ledger, PlacedLedger)
    return {bucket for bucket, there in till.ledger.places.items() if there == place}


def numbers_of(metrics: list[Metric], name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name == name
    }


async def test_a_node_that_is_away_takes_its_own_buckets_only(citus: Citus, till: Till) -> None:
    server = await server_of(citus, citus.nodes[0])
    if server is None:
        pytest.skip("the nodes run on another machine, where this test cannot kill one")
    assert await bucket_faults(till.ledger) == dict.fromkeys(range(BUCKETS))
    server.kill()
    try:
        assert await why_not_ready(till.ledger) is None
        faults = await bucket_faults(till.ledger)
    finally:
        await asyncio.to_thread(server.start)
        await until_it_answers(citus, citus.nodes[0])
    away = on(till, citus.nodes[0])
    assert faults == {b: DOES_NOT_ANSWER if b in away else None for b in range(BUCKETS)}
    assert await why_not_ready(till.ledger) is None


async def test_the_standby_of_each_node_is_told_of(citus: Citus, till: Till) -> None:
    node = citus.nodes[1]
    watch = Watch(till.ledger)
    await bucket_faults(till.ledger)
    assert sync_warning(till.ledger, is_expected=True) is not None
    await set_standby(citus, node, "nobody")
    try:
        for _ in range(300):
            await bucket_faults(till.ledger)
            if all(till.ledger.bucket_standbys[bucket].is_silent for bucket in on(till, node)):
                break
            await asyncio.sleep(0.05)
        await watch.look()
        metrics = [*of_standby(till.ledger, expects_sync=True), *of_watch(watch.seen)]
        standby = numbers_of(metrics, "wallet_bucket_standby")
        ready = numbers_of(metrics, "wallet_bucket_ready")
        faults = await bucket_faults(till.ledger)
    finally:
        await set_standby(citus, node, "")
    waiting = on(till, node)
    for bucket in range(BUCKETS):
        assert standby[str(bucket), "wanted"] == (bucket in waiting)
        assert standby[str(bucket), "silent"] == (bucket in waiting)
        assert ready[str(bucket),] == (bucket not in waiting)
        assert faults[bucket] == (DOES_NOT_CONFIRM if bucket in waiting else None)
    for _ in range(300):
        if set((await bucket_faults(till.ledger)).values()) == {None}:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a node that waits for nobody is served again")
