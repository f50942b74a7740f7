"""One server and one database per file; players are cheap, and each test has its own."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.conftest import Database
from tests.edges.transfer.bank import Bank, open_bank


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    """The settings of this file's server; a file may have its own."""
    return {}


@pytest.fixture(scope="module")
def served(module_db: Database, choices: dict[str, object]) -> Iterator[Bank]:
    with open_bank(module_db, **choices) as bank:
        yield bank


@pytest.fixture
def bank(served: Bank) -> Iterator[Bank]:
    """The served wallet, on time."""
    served.ahead = timedelta(0)
    yield served
    served.ahead = timedelta(0)
