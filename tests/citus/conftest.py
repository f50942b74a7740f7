"""A ledger with four buckets on a Citus cluster, where the environment names one."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta

import pytest
from typing_extensions import override

from app.ledger.citus import Place
from app.ledger.citus.ledger import PlacedLedger
from tests.cashier.till import Till
from tests.citus.cluster import CITUS_URL, WHY_SKIPPED, Citus, drop, make, others
from tests.conftest import apart, migrate, run_prefix
from tests.edges.transfer.bank import Bank, open_bank

BUCKETS = 4


class ViaOtherNodes(PlacedLedger):
    """A process that takes each bucket for another node's than it is."""

    @override
    async def _find_places(self) -> Mapping[int, Place]:
        return others(await super()._find_places())


def ledger_named(name: str) -> Iterator[Citus]:
    """Make a ledger on the cluster, and drop it."""
    url = os.environ.get(CITUS_URL)
    if not url:
        pytest.skip(WHY_SKIPPED)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    made = apart(make(url, f"{run_prefix()}{worker}_{name}"))
    migrate(made.owner_url, BUCKETS)
    yield made
    apart(drop(made))


@pytest.fixture(scope="session")
def citus() -> Iterator[Citus]:
    """A ledger for all tests of a worker, which take care not to meet each other in it."""
    yield from ledger_named("citus")


@pytest.fixture
async def till(citus: Citus) -> AsyncIterator[Till]:
    """A process that reaches each bucket at the node that owns it."""
    ledger = PlacedLedger(citus.service_url, buckets=BUCKETS)
    yield Till(ledger, citus.superuser_url)
    await ledger.close()


@pytest.fixture
async def far_till(citus: Citus, till: Till) -> AsyncIterator[Till]:
    """Another process, which reaches each bucket through a node that does not own it."""
    ledger = ViaOtherNodes(citus.service_url, buckets=BUCKETS)
    yield Till(ledger, citus.superuser_url, tokens=till.tokens)
    await ledger.close()


@pytest.fixture(scope="module")
def served(citus: Citus) -> Iterator[Bank]:
    """The transfer contract over HTTP."""
    with open_bank(citus, buckets=BUCKETS) as bank:
        yield bank


@pytest.fixture
def bank(served: Bank) -> Iterator[Bank]:
    served.ahead = timedelta(0)
    yield served
    served.ahead = timedelta(0)
