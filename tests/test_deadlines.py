"""A block with a deadline: never early, and nobody's cancellation is taken away."""

import asyncio
from datetime import timedelta

import pytest

from app.deadlines import Limit


def now() -> float:
    return asyncio.get_running_loop().time()


def limit(seconds: float) -> Limit:
    return Limit(timedelta(seconds=seconds))


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_a_block_in_time_is_left_alone() -> None:
    with limit(0.05):
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)


async def test_a_block_that_takes_too_long_is_a_timeout() -> None:
    began = now()
    with pytest.raises(TimeoutError), limit(0.02):
        await for_ever()
    assert now() - began >= 0.019
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancellation_by_another_stays_one() -> None:
    async def limited() -> None:
        with limit(5):
            await for_ever()

    task = asyncio.create_task(limited())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_by_another_in_the_same_moment_stays_one() -> None:
    async def limited() -> None:
        with limit(0.01):
            try:
                await for_ever()
            except asyncio.CancelledError:
                task.cancel()
                raise

    task = asyncio.create_task(limited())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_another_error_stays_what_it_is() -> None:
    async def stumbling() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            raise KeyError from None

    with pytest.raises(KeyError), limit(0.01):
        await stumbling()
    await asyncio.sleep(0)


async def test_the_inner_limit_does_not_end_the_outer_block() -> None:
    with limit(5):
        with pytest.raises(TimeoutError), limit(0.01):
            await for_ever()
        await asyncio.sleep(0)


async def test_the_outer_limit_goes_through_the_inner_one() -> None:
    reached = []

    async def limited() -> None:
        with limit(5):
            await for_ever()
        reached.append(1)

    with pytest.raises(TimeoutError), limit(0.01):
        await limited()
    assert not reached


def test_only_a_task_can_be_limited() -> None:
    loop = asyncio.new_event_loop()
    failures: list[BaseException] = []

    def outside_of_any_task() -> None:
        try:
            with limit(1):
                pass
        except RuntimeError as error:
            failures.append(error)
        loop.stop()

    loop.call_soon(outside_of_any_task)
    loop.run_forever()
    loop.close()
    assert len(failures) == 1
