"""Work that can wait leaves a full machine to others, for so long and no longer."""

import asyncio
import itertools
import time
from datetime import timedelta

import pytest

from app.telemetry.spare import SPARE_PERCENT, SpareTime, idle_nanoseconds

PATIENCE = timedelta(milliseconds=250)
PATIENCE_NS = 250_000_000
SECOND = 10**9


def cores(percent: int) -> SpareTime:
    """On a machine of one core that is idle so much of each second, as its clock tells."""
    clock = itertools.count(0, SECOND)
    looks = itertools.count(0, SECOND * percent // 100)
    return SpareTime(timedelta(days=1), idle=lambda: next(looks), clock=lambda: next(clock))


async def waited(spare: SpareTime, since: int) -> int:
    begun = time.monotonic_ns()
    async with asyncio.timeout(5):
        await spare.wait(since)
    return time.monotonic_ns() - begun


async def test_where_a_core_was_idle_nothing_waits() -> None:
    # The clock is read twice a look: for its patience, and for how long it is since the last one.
    assert await waited(cores(2 * SPARE_PERCENT), 0) < PATIENCE_NS


async def test_where_none_was_it_waits_for_one() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.15):
            await cores(2 * SPARE_PERCENT - 1).wait(0)


async def test_on_a_full_machine_it_waits_no_longer_than_its_patience() -> None:
    spare = SpareTime(PATIENCE, idle=lambda: 0)
    assert await waited(spare, time.monotonic_ns()) >= PATIENCE_NS
    assert await waited(spare, time.monotonic_ns() - PATIENCE_NS) < PATIENCE_NS


async def test_a_system_that_does_not_tell_has_time_to_spare() -> None:
    spare = SpareTime(timedelta(days=1), idle=lambda: None)
    assert await waited(spare, time.monotonic_ns()) < PATIENCE_NS


async def test_this_systems_idle_time_is_counted_or_it_does_not_tell() -> None:
    first = idle_nanoseconds()
    await asyncio.sleep(0.02)
    later = idle_nanoseconds()
    assert (first is None and later is None) or 0 < (first or 0) <= (later or 0)
