"""One server and one database per file; players are cheap, and each test has its own."""

from collections.abc import Iterator

import pytest

from tests.conftest import Database
from tests.edges.callback.house import House, open_house


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    """The settings of this file's server; a file may have its own."""
    return {}


@pytest.fixture(scope="module")
def house(module_db: Database, choices: dict[str, object]) -> Iterator[House]:
    with open_house(module_db, **choices) as house:
        yield house
