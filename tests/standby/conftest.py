"""One pair of servers for each file, and a wallet that is served on it."""

from collections.abc import Iterator

import pytest

from tests.edges.transfer.bank import Bank, open_bank
from tests.standby.pair import Pair, PairDatabase


@pytest.fixture(scope="module")
def one_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    # A socket's path is short.
    pair = Pair(tmp_path_factory.mktemp("pair"))
    pair.follow()
    yield pair
    pair.stop()


@pytest.fixture(scope="module")
def served(one_pair: Pair) -> Iterator[Bank]:
    with open_bank(PairDatabase(one_pair), deadline_seconds="1.5") as bank:
        yield bank


@pytest.fixture
def pair(one_pair: Pair) -> Iterator[Pair]:
    """The pair with its standby, which every commit waits for."""
    one_pair.wait_for_standby(wanted=True)
    yield one_pair
    one_pair.standby.thaw()
    one_pair.wait_for_standby(wanted=True)


@pytest.fixture
def bank(served: Bank, pair: Pair) -> Bank:
    """The served wallet, once it confirms what it commits."""
    pair.until_synchronous()
    return served
