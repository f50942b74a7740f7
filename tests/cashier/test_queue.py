"""The queue: no ticket waits beyond its deadline, and none fails before it."""

import asyncio
import time
from datetime import timedelta

import pytest

from app.cashier import queue
from app.cashier.queue import Patience, Queue, Ticket
from app.ledger.errors import DeadlineError
from tests.cashier.till import Till

SOON = timedelta(milliseconds=50)
LATER = timedelta(seconds=30)


async def test_everybody_is_told_when_his_own_time_is_over(till: Till) -> None:
    patience = Patience()
    began = time.monotonic()
    soon, later = Ticket(till.bet(), SOON), Ticket(till.bet(), LATER)
    for ticket in (later, soon):
        patience.watch(ticket)
    with pytest.raises(DeadlineError):
        await soon.receipt
    assert time.monotonic() - began >= SOON.total_seconds()
    assert later.has_caller
    later.receipt.cancel()


async def test_the_moment_does_not_wait_for_the_next_look(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LOOK_SECONDS", 0.04)
    patience, ticket = Patience(), Ticket(till.bet(), SOON)
    patience.watch(ticket)
    monkeypatch.setattr(queue, "LOOK_SECONDS", 30)
    async with asyncio.timeout(20):
        with pytest.raises(DeadlineError):
            await ticket.receipt


async def test_it_looks_no_more_when_nobody_waits(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LOOK_SECONDS", 0.001)
    patience = Patience()
    for _ in range(2):
        ticket = Ticket(till.bet(), LATER)
        patience.watch(ticket)
        assert is_looking(patience)
        ticket.receipt.cancel()
        async with asyncio.timeout(20):
            while is_looking(patience):  # noqa: ASYNC110 - a timer of its own ends it
                await asyncio.sleep(0.001)
        assert patience._waiting == []


def is_looking(patience: Patience) -> bool:
    return patience._is_looking


async def test_who_has_no_time_left_is_not_begun_and_hears_so(till: Till) -> None:
    queue = Queue()
    late, good = Ticket(till.bet(), timedelta(0)), Ticket(till.bet(), LATER)
    queue.append(late)
    queue.append(good)
    assert queue.take_batch(10, 1000) == [good]
    assert len(queue) == 0
    with pytest.raises(DeadlineError):
        await late.receipt
    good.receipt.cancel()


async def test_a_deadline_may_be_days(till: Till) -> None:
    ticket = Ticket(till.bet(), timedelta(days=2, seconds=3, microseconds=4))
    assert ticket.expires_at - ticket.queued_at == (2 * 86_400 + 3) * 10**9 + 4000
    ticket.receipt.cancel()
