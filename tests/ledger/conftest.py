"""Fixtures: those of the cashier, a proxy to the database that can be cut, and four buckets."""

from collections.abc import Iterator

import pytest

from app.postgres import EmbeddedPostgres
from tests.cashier.conftest import far_till, line, till
from tests.conftest import Database, clone, template_with
from tests.ledger.tls_server import guarded

__all__ = ["far_till", "four", "guarded", "line", "till"]

COUNT = 4
"""Buckets of `four`."""


@pytest.fixture
def four(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """A database of one server with several buckets."""
    yield from clone(postgres, template_with(postgres, COUNT), COUNT)
