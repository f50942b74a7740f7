"""One server and one database per file; players are cheap, and each test has its own."""

from collections.abc import Iterator

import pytest

from tests.conftest import Database
from tests.edges.betby.bookmaker import Bookmaker, open_bookmaker


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    """The settings of this file's server; a file may have its own."""
    return {}


@pytest.fixture(scope="module")
def betby(module_db: Database, choices: dict[str, object]) -> Iterator[Bookmaker]:
    with open_bookmaker(module_db, **choices) as bookmaker:
        yield bookmaker
