"""One confirmation ends within its bound, whatever becomes of the server."""

import asyncio
from collections import Counter

import pytest

from app.ledger.confirming import commit_once
from app.ledger.errors import DeadlineError, LedgerAwayError
from app.ledger.outage import Outage
from app.ledger.standby import CONFIRM_SECONDS, Standby
from app.ledger.transaction import Ledger
from tests.cashier.line import Line


async def test_it_ends_on_a_line_that_fell_silent_after_the_standby(line: Line) -> None:
    """While it is under way no other is sent, so without an end nobody would be served again."""
    ledger = Ledger(line.url, pool_size=2)
    standby, confirming = Standby(ledger.verify_timeline), ledger._pools.confirming

    async def confirm() -> None:
        await commit_once(standby, confirming, Counter(), Outage(line.url))

    await confirm()
    standby._falls_silent()
    await confirm()
    line.is_silent = True
    async with asyncio.timeout(CONFIRM_SECONDS + 3):
        with pytest.raises(DeadlineError):
            await confirm()
    await ledger.close()
    await confirming.close()


async def test_who_waits_where_it_is_closed_hears_that_nobody_answers() -> None:
    """As where a bucket moves away from a node while somebody waits for its standby."""
    begun = asyncio.Event()

    async def never() -> None:
        begun.set()
        await asyncio.Event().wait()

    standby = Standby(never)
    waiting = [asyncio.create_task(standby.confirm()) for _ in range(2)]
    await begun.wait()
    waiting[0].cancel()
    await asyncio.sleep(0)
    await standby.close()
    async with asyncio.timeout(5):
        one, other = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(one, asyncio.CancelledError)
    assert isinstance(other, LedgerAwayError)
