"""Deliverers on a real database, with a receiver on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest

from app.edges.webhooks.deliverer import Deliverer
from app.edges.webhooks.endpoint import EndpointChoice
from app.ledger.citus.ledger import PlacedLedger
from app.wallet.event_log import LoggedType
from tests.cashier.till import AGENT, Till
from tests.conftest import Database
from tests.edges.webhooks.receiver import SECRET, Receiver

Deliver = Callable[..., Any]


@pytest.fixture
async def till(db: Database) -> AsyncIterator[Till]:
    ledger = PlacedLedger(db.service_url)
    yield Till(ledger, db.superuser_url)
    await ledger.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@asynccontextmanager
async def delivering(url: str, *choices: EndpointChoice, **more: Any) -> AsyncIterator[Deliverer]:  # noqa: ANN401 - as the class takes it
    """Run a deliverer until the block ends."""
    ledger = PlacedLedger(url, pool_size=5, serves=True)
    deliverer = Deliverer(ledger, choices, **more)
    task = asyncio.create_task(deliverer.run())
    try:
        yield deliverer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await ledger.close()


def endpoint(receiver: Receiver, agent: str = AGENT, **more: Any) -> EndpointChoice:  # noqa: ANN401 - as the class takes it
    return EndpointChoice(
        **{
            "agent": agent,
            "url": receiver.url,
            "secrets": [SECRET],
            "types": frozenset(LoggedType),
            "may_be_loopback": True,
            **more,
        }
    )


@pytest.fixture
async def deliver(db: Database, receiver: Receiver) -> AsyncIterator[Deliver]:
    """Begin to deliver to the receiver, until the test ends."""
    async with AsyncExitStack() as stack:

        async def begin(**more: Any) -> Deliverer:  # noqa: ANN401 - as the class takes it
            choice = endpoint(receiver, **more)
            return await stack.enter_async_context(delivering(db.service_url, choice))

        yield begin
