"""A database that refuses connections is reported after a bounded wait, and then at once."""

import asyncio
import time
from datetime import timedelta

import pytest

from app.ledger.connections import SHUT_NANOSECONDS_MAX
from app.ledger.errors import LedgerAwayError
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from tests.cashier.line import Line
from tests.tcp_server import tcp_server

WAIT_SECONDS = SHUT_NANOSECONDS_MAX / 10**9
GRACE_SECONDS = 1.5
AT_ONCE_SECONDS = 0.5


async def answer(book: Book) -> int:
    return int(await book.connection.fetchval("SELECT 7"))


async def told_away(ledger: Ledger) -> float:
    """Return how long it took to be told."""
    began = time.monotonic()
    with pytest.raises(LedgerAwayError):
        await ledger.serializable(answer)
    return time.monotonic() - began


async def test_nobody_there_is_told_long_before_the_deadline_and_then_at_once() -> None:
    ledger = Ledger("postgresql+asyncpg://nobody:x@127.0.0.1:1/nowhere")
    assert await told_away(ledger) < WAIT_SECONDS + GRACE_SECONDS
    assert await told_away(ledger) < AT_ONCE_SECONDS
    assert await told_away(ledger) < AT_ONCE_SECONDS
    await ledger.close()


async def test_it_is_noticed_at_once_when_the_database_is_back(line: Line) -> None:
    ledger = Ledger(line.url)
    assert await ledger.serializable(answer) == 7
    line.is_down = True
    line.cut()
    await told_away(ledger)
    assert await told_away(ledger) < AT_ONCE_SECONDS
    line.come_back()
    began = time.monotonic()
    assert await ledger.serializable(answer) == 7
    assert time.monotonic() - began < AT_ONCE_SECONDS
    # The outage before does not make the next one shorter.
    line.is_down = True
    line.cut()
    asyncio.get_running_loop().call_later(0.5, line.come_back)
    assert await ledger.serializable(answer) == 7
    await ledger.close()


async def test_a_door_where_nobody_answers_is_told_before_the_deadline() -> None:
    async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(say_nothing) as port:
        ledger = Ledger(
            f"postgresql+asyncpg://nobody:x@127.0.0.1:{port}/nowhere?ssl=disable",
            deadline=timedelta(seconds=9),
        )
        assert await told_away(ledger) < 3 + GRACE_SECONDS
        await ledger.close()
