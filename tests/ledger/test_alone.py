"""A place that one at a time holds: however it is taken and left, callers hear a ledger's error."""

import asyncio
from datetime import timedelta

import pytest

from app.ledger.errors import DeadlineError, LedgerAwayError
from app.ledger.transaction import Ledger
from tests.cashier.line import Line
from tests.cashier.till import Till


async def test_a_place_that_was_lost_at_the_end_undoes_nothing(till: Till) -> None:
    async with till.ledger.alone("a place"):
        ended = await till.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert [row[0] for row in ended] == [True]
    # Left without an error, and free for whoever comes next.
    async with till.ledger.alone("a place") as still:
        await still()


async def test_a_database_that_is_away_is_said_to_be(line: Line) -> None:
    ledger = Ledger(line.url, deadline=timedelta(seconds=5))
    line.is_down = True
    with pytest.raises(LedgerAwayError):
        async with ledger.alone("a place"):
            pytest.fail("nobody holds it")
    await ledger.close()


async def test_a_database_that_hangs_is_waited_for_until_the_deadline(line: Line) -> None:
    ledger = Ledger(line.url, deadline=timedelta(seconds=1))
    async with asyncio.timeout(10):
        async with ledger.alone("another place") as still:
            line.is_silent = True
            with pytest.raises(DeadlineError):
                await still()
    await ledger.close()
