"""What a process does again and again for its nodes outlives a fault of its own."""

import asyncio

import pytest
from structlog.testing import capture_logs

from app.ledger.citus import ledger as placed
from app.ledger.citus.bucket import BucketLedger
from app.ledger.citus.ledger import PlacedLedger
from tests.cashier.till import Till, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS

SECONDS_MAX = 10


class FailsFirst:
    """A step that fails once, as no step should, and from then on does what it did."""

    def __init__(self, fails: int) -> None:
        self.calls = asyncio.Semaphore(0)
        self.left = fails

    def note(self) -> None:
        self.calls.release()
        if self.left:
            self.left -= 1
            raise RuntimeError("a fault")

    async def called(self, times: int) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            for _ in range(times):
                await self.calls.acquire()


async def test_buckets_are_followed_after_a_fault(
    citus: Citus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placed, "LOOK_SECONDS", 0.01)
    ledger = PlacedLedger(citus.service_url, buckets=BUCKETS)
    assert len(await ledger.parts()) == BUCKETS
    fault, find = FailsFirst(1), PlacedLedger._find_places

    async def find_places(self: PlacedLedger) -> object:
        fault.note()
        return await find(self)

    with capture_logs() as logged:
        monkeypatch.setattr(PlacedLedger, "_find_places", find_places)
        await fault.called(3)
    assert ("failed", "RuntimeError") in [(line["event"], line.get("error")) for line in logged]
    await ledger.close()


async def test_a_bucket_that_was_away_is_claimed_in_again_after_a_fault(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(till.ledger, PlacedLedger)
    name = f"loop-{next(numbers)}"
    await till.player(name, "10.00")
    bucket = till.ledger.bucket_of(name)
    fault, ask = FailsFirst(1), BucketLedger._of_claims

    async def of_claims(self: BucketLedger, *arguments: object, **named: object) -> object:
        fault.note()
        return await ask(self, *arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(BucketLedger, "_of_claims", of_claims)
        bucket._is_away()
        returning = bucket._returning
        assert returning is not None
        async with asyncio.timeout(SECONDS_MAX):
            await returning
    assert bucket._returning is None
    await till.one(till.bet(name, "1.00"))
