"""Waits that share a timer: never early, hardly late, and nobody's cancellation is taken away."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from app.deadlines import TICK_SECONDS, Deadlines, Watch

SLACK_SECONDS = 0.5
"""How late a busy machine may be beyond the tick."""


def now() -> float:
    return asyncio.get_running_loop().time()


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("seconds", [0, 0.01, TICK_SECONDS, 0.12])
async def test_who_is_late_hears_it_at_his_deadline_and_not_before(seconds: float) -> None:
    rung: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    began = now()
    Deadlines().watch(seconds, lambda: rung.set_result(now()))
    waited = await asyncio.wait_for(rung, 5) - began
    assert seconds <= waited <= seconds + TICK_SECONDS + SLACK_SECONDS


async def test_whose_wait_is_over_hears_nothing() -> None:
    deadlines = Deadlines()
    heard: list[str] = []
    ended = deadlines.watch(0.01, partial(heard.append, "ended"))
    deadlines.watch(0.01, partial(heard.append, "kept"))
    ended.end()
    ended.end()
    await asyncio.sleep(2 * TICK_SECONDS)
    assert heard == ["kept"]


async def test_who_hears_it_may_end_another_wait_of_the_same_turn() -> None:
    deadlines = Deadlines()
    heard: list[int] = []
    watches: list[Watch] = []

    def end_all(number: int) -> None:
        heard.append(number)
        for watch in watches:
            watch.end()

    watches += [deadlines.watch(0.01, partial(end_all, number)) for number in range(3)]
    await asyncio.sleep(2 * TICK_SECONDS)
    assert len(heard) == 1


async def test_many_waits_are_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    timers: list[float] = []
    call_at = loop.call_at

    def counted(when: float, callback: Callable[..., object], *rest: object) -> object:
        timers.append(when)
        return call_at(when, callback, *rest)

    moment = loop.time()
    monkeypatch.setattr(loop, "call_at", counted)
    monkeypatch.setattr(loop, "time", lambda: moment)
    deadlines = Deadlines()
    watches = [deadlines.watch(60, lambda: None) for _ in range(1000)]
    assert len(timers) == 1
    for watch in watches:
        watch.end()


class TestLimit:
    async def test_a_block_in_time_is_left_alone(self) -> None:
        with Deadlines().limit(0.05):
            await asyncio.sleep(0)
        await asyncio.sleep(0.05 + 2 * TICK_SECONDS)

    async def test_a_block_that_takes_too_long_is_a_timeout(self) -> None:
        began = now()
        with pytest.raises(TimeoutError), Deadlines().limit(0.02):
            await for_ever()
        assert now() - began >= 0.02
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    async def test_a_cancellation_by_another_stays_one(self) -> None:
        async def limited() -> None:
            with Deadlines().limit(5):
                await for_ever()

        task = asyncio.create_task(limited())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_a_cancellation_by_another_in_the_same_moment_stays_one(self) -> None:
        async def limited() -> None:
            with deadlines.limit(0.01):
                try:
                    await for_ever()
                except asyncio.CancelledError:
                    task.cancel()
                    raise

        deadlines = Deadlines()
        task = asyncio.create_task(limited())
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_another_error_stays_what_it_is(self) -> None:
        async def stumbling() -> None:
            try:
                await for_ever()
            except asyncio.CancelledError:
                raise KeyError from None

        with pytest.raises(KeyError), Deadlines().limit(0.01):
            await stumbling()
        await asyncio.sleep(0)

    async def test_the_inner_limit_does_not_end_the_outer_block(self) -> None:
        deadlines = Deadlines()
        with deadlines.limit(5):
            with pytest.raises(TimeoutError), deadlines.limit(0.01):
                await for_ever()
            await asyncio.sleep(0)

    async def test_the_outer_limit_goes_through_the_inner_one(self) -> None:
        deadlines, reached = Deadlines(), []

        async def limited() -> None:
            with deadlines.limit(5):
                await for_ever()
            reached.append(1)

        with pytest.raises(TimeoutError), deadlines.limit(0.01):
            await limited()
        assert not reached

    def test_only_a_task_can_be_limited(self) -> None:
        loop = asyncio.new_event_loop()
        failures: list[BaseException] = []

        def outside_of_any_task() -> None:
            try:
                with Deadlines().limit(1):
                    pass
            except RuntimeError as error:
                failures.append(error)
            loop.stop()

        loop.call_soon(outside_of_any_task)
        loop.run_forever()
        loop.close()
        assert len(failures) == 1
