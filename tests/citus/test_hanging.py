"""A node hangs: it does not even refuse. Whoever needs it is told so in time, and nobody else."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

import pytest

from app.cashier.batching import Batcher
from app.cashier.lookups import check_transaction
from app.cashier.policy import PolicyInForce
from app.ledger.errors import LedgerError
from app.wallet.buckets import bucket_of
from app.wallet.outcomes import Posting
from tests.cashier.till import AGENT
from tests.citus.conftest import BUCKETS
from tests.citus.own import OwnCluster, own_cluster
from tests.citus.test_promotion import buckets_on, serving, some_players
from tests.citus.test_restored import _nothing

pytestmark = pytest.mark.timeout(150)

DEADLINE_SECONDS = 1.5
TOLD_SECONDS_MAX = 6
"""More than twice the deadline: the work's own, and that of what comes after it."""

STANDBY_BELIEVED_SECONDS = 1.1
"""After that, a node is asked again whether its commits wait for a standby."""

NEIGHBOURS_SECONDS_MAX = 4


@pytest.fixture(scope="module")
def own() -> Iterator[OwnCluster]:
    yield from own_cluster(BUCKETS)


@contextmanager
def hanging(own: OwnCluster, number: int) -> Iterator[None]:
    own.machines[number].freeze()
    try:
        yield
    finally:
        own.machines[number].thaw()


def id_at(buckets: list[int], name: str = "id") -> str:
    """Return a transaction id that is claimed in one of these buckets."""
    return next(i for n in count() if bucket_of(i := f"{name}-{n}", BUCKETS) in buckets)


async def test_a_look_for_an_id_that_is_at_home_there_ends(own: OwnCluster) -> None:
    async with serving(own, seconds=DEADLINE_SECONDS) as served:
        await some_players(served, 1)
        there = id_at(buckets_on(own, served, 2))
        assert await check_transaction(served.ledger, AGENT, there) is None
        with hanging(own, 2):
            async with asyncio.timeout(TOLD_SECONDS_MAX):
                with pytest.raises(LedgerError):
                    await check_transaction(served.ledger, AGENT, there)


async def test_a_read_above_all_buckets_ends(own: OwnCluster) -> None:
    async with serving(own, seconds=DEADLINE_SECONDS) as served:
        await some_players(served, 8)
        await asyncio.sleep(STANDBY_BELIEVED_SECONDS)
        await served.ledger.read_only(_nothing)
        with hanging(own, 2):
            await asyncio.sleep(STANDBY_BELIEVED_SECONDS)
            async with asyncio.timeout(TOLD_SECONDS_MAX):
                with pytest.raises(LedgerError):
                    await served.ledger.read_only(_nothing)


async def test_who_has_an_id_that_a_player_there_holds_holds_up_nobody(own: OwnCluster) -> None:
    async with serving(own) as served:
        names = await some_players(served, 48)
        here, there = buckets_on(own, served, 1), buckets_on(own, served, 2)
        holder = next(name for name in names if bucket_of(name, BUCKETS) in there)
        asking, *beside = (name for name in names if bucket_of(name, BUCKETS) == here[0])
        held = id_at(here)
        deposit = served.movement(holder, "Deposit", "credit", "1", transaction_id=held)
        assert isinstance(await served.one(deposit), Posting)
        batcher = Batcher(served.ledger, PolicyInForce(served.policy), lanes=BUCKETS)
        others = [
            served.movement(name, "Deposit", "credit", "1", transaction_id=id_at(here, name))
            for name in beside
        ]
        asked = [served.movement(asking, "Deposit", "credit", "1", transaction_id=held), *others]
        with hanging(own, 2):
            moves = [
                asyncio.create_task(batcher.move(each, deadline=timedelta(seconds=8)))
                for each in asked
            ]
            told, _ = await asyncio.wait(moves[1:], timeout=NEIGHBOURS_SECONDS_MAX)
            assert len(told) == len(others)
            assert {type(each.result()) for each in told} == {Posting}
            with pytest.raises(LedgerError):
                await moves[0]
        await batcher.close()
