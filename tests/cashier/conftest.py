"""A ledger on a real database, and a TCP proxy to it that can be cut."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.ledger.citus.ledger import PlacedLedger
from tests.cashier.line import FarLedger, Line
from tests.cashier.till import Till
from tests.conftest import Database

__all__ = ["Till", "far_till", "line", "other_till", "till"]


@pytest.fixture
async def till(db: Database) -> AsyncIterator[Till]:
    ledger = PlacedLedger(db.service_url, buckets=db.buckets)
    yield Till(ledger, db.superuser_url)
    await ledger.close()


@pytest.fixture
async def other_till(till: Till, db: Database) -> AsyncIterator[Till]:
    """Another process on the same database."""
    ledger = PlacedLedger(db.service_url, buckets=db.buckets)
    yield Till(
        ledger, db.superuser_url, tokens=till.tokens, is_stale_at_first=till.is_stale_at_first
    )
    await ledger.close()


@pytest.fixture
async def line(db: Database) -> AsyncIterator[Line]:
    """A TCP line to the database."""
    async with Line(db.service_url) as line:
        yield line


@pytest.fixture
async def far_till(db: Database, line: Line) -> AsyncIterator[Till]:
    """A till at the far end of that line; its deadline is short, so that silence costs little."""
    ledger = FarLedger(line, deadline=timedelta(seconds=1.5), buckets=db.buckets)
    # Several buckets are looked for once, in a transaction of its own; no fate is meant for that.
    await ledger.parts()
    line.commits = 0
    yield Till(ledger, db.superuser_url)
    await ledger.close()
