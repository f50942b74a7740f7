"""One server and one database per file; players are cheap, and each test has its own."""

from collections.abc import Iterator

import pytest

from app.postgres import EmbeddedPostgres
from tests.conftest import Database, clone
from tests.edges.callback.house import House, open_house


@pytest.fixture(scope="module")
def choices() -> dict[str, object]:
    """The settings of this file's server; a file may have its own."""
    return {}


@pytest.fixture(scope="module", params=["on", "off"], ids=["fast path", "framework"])
def fast_path(request: pytest.FixtureRequest) -> str:
    """Every test of this contract runs both ways: on the fast path, and by the framework alone."""
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture(scope="module")
def module_db(fast_path: str, postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """A fresh database for the tests of one file, and for each way."""
    assert fast_path
    yield from clone(postgres, template)


@pytest.fixture(scope="module")
def house(module_db: Database, choices: dict[str, object], fast_path: str) -> Iterator[House]:
    with open_house(module_db, fast_path=fast_path, **choices) as house:
        yield house
