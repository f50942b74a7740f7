"""What is confirmed ends within the ledger's deadline, with all that comes before it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import pytest

from app.cashier.lookups import check_transaction
from app.cashier.one_time import OneTimeRequest, check_free, run_once
from app.cashier.tail import follow
from app.ledger.errors import DeadlineError
from app.ledger.money.book import Book
from app.ledger.request_ids import RequestKey
from app.ledger.standby import CONFIRM_SECONDS
from app.ledger.tail import TailFilter
from app.ledger.transaction import Ledger
from app.postgres.cluster import DATABASE, SERVICE, SUPERUSER
from tests.cashier.till import AGENT, Till, connect
from tests.edges.transfer.bank import unique
from tests.standby.pair import Pair

DEADLINE: Final = timedelta(seconds=CONFIRM_SECONDS * 1.5)
"""What is read takes as long here as a standby is waited for: alone, each would end in time."""

Ask = Callable[[Ledger, str], Awaitable[object]]


@pytest.fixture
async def till(pair: Pair) -> AsyncIterator[Till]:
    ledger = Ledger(pair.url_for(SERVICE))
    yield Till(ledger, pair.primary.address.url_for(SUPERUSER, DATABASE))
    await ledger.close()


@pytest.fixture
async def hurried(pair: Pair) -> AsyncIterator[Ledger]:
    """A process that knows that commits wait for a standby, and not yet that it is away."""
    ledger = Ledger(pair.url_for(SERVICE), deadline=DEADLINE)
    await ledger.read_only(nothing)
    yield ledger
    await ledger.close()


@asynccontextmanager
async def locked(till: Till, table: str) -> AsyncIterator[None]:
    """Have nobody read a table for as long as a standby is waited for."""

    async def hold() -> None:
        connection = await connect(till.superuser_url)
        await connection.execute(f"BEGIN; LOCK TABLE {table}")
        is_held.set()
        await asyncio.sleep(CONFIRM_SECONDS)
        # A commit would wait for the standby.
        await connection.execute("ROLLBACK")
        await connection.close()

    is_held = asyncio.Event()
    holding = asyncio.create_task(hold())
    await is_held.wait()
    yield
    await holding


async def nothing(_book: Book) -> None:
    """Work that does nothing."""


def key_of(user_id: str) -> RequestKey:
    return RequestKey(AGENT, f"once-{user_id}", "account/session", bytes(32), bytes(16))


async def check(ledger: Ledger, user_id: str) -> object:
    return await check_transaction(ledger, AGENT, f"deposit-{user_id}")


async def see(ledger: Ledger, user_id: str) -> object:
    return await anext(follow(ledger, TailFilter(user_id=user_id), back=timedelta(hours=1)))


async def ask_once(ledger: Ledger, user_id: str) -> None:
    request: OneTimeRequest[None] = OneTimeRequest(key_of(user_id), lambda _: "sealed")
    await run_once(ledger, nothing, request, of=user_id)


async def hear_again(ledger: Ledger, user_id: str) -> None:
    await check_free(ledger, key_of(user_id))


@pytest.mark.parametrize(
    ("ask", "table"),
    [
        (check, "movements"),
        (see, "movements"),
        (ask_once, "request_ids"),
        (hear_again, "request_ids"),
    ],
)
async def test_what_is_looked_up_and_its_confirmation_have_one_deadline(
    till: Till, hurried: Ledger, pair: Pair, ask: Ask, table: str
) -> None:
    anna = await till.player(unique("anna"))
    named = till.movement(anna, "Deposit", "credit", "5", transaction_id=f"deposit-{anna}")
    await till.one(named)
    assert await check(till.ledger, anna) is not None
    await ask_once(till.ledger, anna)
    pair.standby.freeze()
    async with locked(till, table):
        with pytest.raises(DeadlineError):
            await ask(hurried, anna)
    assert pair.given_up() == []


async def test_a_read_and_its_confirmation_have_one_deadline(hurried: Ledger, pair: Pair) -> None:
    async def read(_book: Book) -> None:
        await asyncio.sleep(CONFIRM_SECONDS)

    pair.standby.freeze()
    with pytest.raises(DeadlineError):
        await hurried.read_only(read)
