"""Callers with books of their own: what they were told, and how long they heard nothing."""

import asyncio
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from app.cashier.batching import Batcher
from app.cashier.policy import PolicyInForce
from app.ledger.errors import LedgerError
from app.wallet.buckets import bucket_of
from app.wallet.movement import Movement
from app.wallet.outcomes import Posting, Replay
from tests.cashier.till import Till
from tests.citus.conftest import BUCKETS

numbers = itertools.count(1)

DEADLINE = timedelta(seconds=4)

REPEAT_SECONDS = 0.05
REPEATS_MAX = 300


def say(measured: str) -> None:
    """Show what was measured: `pytest -s`, or `-rP`."""
    sys.stdout.write(f"\n{measured}\n")


@dataclass
class Load:
    """Callers who deposit one unit after the other, and repeat what was not answered."""

    till: Till
    names: Sequence[str]
    booked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """acknowledged deposits, by player"""
    heard: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    """when a bucket's callers heard of a posting, by the clock of this process"""
    unknown: int = 0
    """answers that left the outcome open"""
    _is_over: bool = False

    async def run(self, seconds: float) -> None:
        """Load for so long, and return when every movement that was begun is acknowledged."""
        batcher = Batcher(
            self.till.ledger, PolicyInForce(self.till.policy), lanes=BUCKETS, take_turns=True
        )
        callers = [asyncio.create_task(self._call(batcher, name)) for name in self.names]
        try:
            await asyncio.sleep(seconds)
        finally:
            self._is_over = True
            await asyncio.gather(*callers)
            await batcher.close()

    async def _call(self, batcher: Batcher, name: str) -> None:
        """Send one after the other; what was not answered is repeated beside, until it is known."""
        beside: set[asyncio.Task[None]] = set()
        while not self._is_over:
            movement = self.till.movement(
                name, "Deposit", "credit", "1", transaction_id=f"load-{next(numbers)}-{name}"
            )
            if not await self._is_known(batcher, movement):
                beside.add(asyncio.create_task(self._repeat(batcher, movement)))
                await asyncio.sleep(REPEAT_SECONDS)
        await asyncio.gather(*beside)

    async def _is_known(self, batcher: Batcher, movement: Movement) -> bool:
        try:
            receipt = await batcher.move(movement, deadline=DEADLINE)
        except LedgerError:
            self.unknown += 1
            return False
        assert isinstance(receipt, (Posting, Replay)), receipt
        self.booked[movement.user_id] += 1
        self.heard[bucket_of(movement.user_id, BUCKETS)].append(time.monotonic())
        return True

    async def _repeat(self, batcher: Batcher, movement: Movement) -> None:
        for attempt in range(1, REPEATS_MAX):
            await asyncio.sleep(4 * REPEAT_SECONDS)
            if await self._is_known(batcher, movement._replace(delivery=attempt.to_bytes(16))):
                return
        raise AssertionError("never answered")

    def gap(self, bucket: int) -> float:
        """Return the longest time in which nobody of this bucket heard of a posting."""
        heard = self.heard[bucket]
        return max((after - before for before, after in itertools.pairwise(heard)), default=0.0)

    @property
    def count(self) -> int:
        """All acknowledged deposits."""
        return sum(self.booked.values())

    async def lost(self) -> int:
        """Return how many acknowledged deposits are not in their wallets, or are there twice."""
        wrong = 0
        for name in self.names:
            pockets = await self.till.pockets(name)
            wrong += abs(pockets.real - 100 * self.booked[name])
        return wrong // 100
