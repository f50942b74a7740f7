"""The deliverer: numbers events, and delivers its share of every endpoint's until it is stopped.

Several of them share the work through the database. Each signs on, takes as many shards as are its
share, renews them with what it has delivered, and leaves what others should have. When the database
is away it sends nothing beyond its lease, and goes on when the database is back.
"""

import asyncio
import os
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from app.cashier import deliveries
from app.cashier.deliveries import LEASE, Backlog
from app.cashier.event_log import number
from app.edges.webhooks.attempts import Counts
from app.edges.webhooks.endpoint import EndpointChoice
from app.edges.webhooks.stream import Stream
from app.ledger.errors import LedgerError
from app.ledger.transaction import Ledger
from app.telemetry.spare import SpareTime
from app.wallet.event_log import SHARDS

logger: Final = structlog.get_logger("webhooks")

NUMBER_EVERY: Final = timedelta(milliseconds=50)
NUMBER_SPREAD_US: Final = 500
NUMBER_EVERY_MAX: Final = timedelta(milliseconds=400)
"""A look costs PostgreSQL 1.4 ms before it finds anything, and 6 µs for each event: 11 µs an event
where it finds 300, 7 µs where it finds 1,500. So the more a look finds, the longer the next one is
waited for: at 1,000 events a second 100 ms, beyond 2,000 the longest, which is what an event may
be late by."""

NUMBER_SHARE: Final = 9
"""How many times as long as a look took nobody looks: a tenth of one connection's time at most, and
less often where the database is busy, so that each look finds more and costs less for each."""

NUMBER_PAUSE_MAX: Final = timedelta(seconds=1)
"""However long a look took: the machine of one bucket may be away, and others' events go on."""

FEED_EVERY: Final = timedelta(milliseconds=500)
"""When to look for events that other processes have numbered."""

TICK_EVERY: Final = timedelta(milliseconds=100)
WRITE_EVERY: Final = timedelta(milliseconds=250)
"""How often is written what was delivered; a process that dies delivers as much again."""

RENEW_SECONDS: Final = 5
BEAT_EVERY: Final = timedelta(milliseconds=1000)
LOOK_EVERY: Final = timedelta(seconds=10)
"""How old the backlog in the metrics may be; counting it reads the log's end."""

FORGET_EVERY: Final = timedelta(minutes=10)
"""When to forget retries that were taken long ago; each step is bounded."""

AWAY_EVERY: Final = timedelta(milliseconds=1000)
POLLS: Final = 250
GOODBYE_SECONDS: Final = 5
"""How long a shutdown waits for answers that are under way."""


def pause_after(events: int) -> timedelta:
    """How long to wait after a look that has found so many events, beside NUMBER_EVERY."""
    spread = timedelta(microseconds=events * NUMBER_SPREAD_US)
    return min(spread, NUMBER_EVERY_MAX - NUMBER_EVERY)


class Deliverer:
    """Delivers to all endpoints of the settings."""

    def __init__(
        self,
        ledger: Ledger,
        endpoints: Sequence[EndpointChoice],
        *,
        tls: ssl.SSLContext | None = None,
        spare: SpareTime | None = None,
    ) -> None:
        """Send nothing before `run`; `spare`: what it waits for before it numbers events."""
        self._ledger = ledger
        self._spare = spare or SpareTime(timedelta(0))
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._agents = [choice.agent for choice in endpoints]
        self.counts = Counts(self._agents)
        context = tls or ssl.create_default_context()
        self._streams = {
            choice.agent: Stream(ledger, choice, self.counts, context) for choice in endpoints
        }
        self._slot: int | None = None
        self._renewed_at = -(10**12)
        self._writing = asyncio.Lock()
        """held while shards come and go, or are written"""
        self.backlogs: list[Backlog] = []
        """as of the last look, for the metrics"""
        self.numbered_at = time.monotonic_ns()
        """when the ledger was last looked through, by whomever"""
        self._has_more = False
        """whether that look has left something"""
        self._restored = 0
        """the ledger's last restore, by the number of its time line"""

    async def run(self) -> None:
        """Deliver until cancelled, and then leave everything to others."""
        loops = [
            self._repeat(self._number, NUMBER_EVERY),
            self._repeat(self._write, WRITE_EVERY),
            self._repeat(self._beat, BEAT_EVERY),
            self._repeat(self._tick, TICK_EVERY),
            self._repeat(self._look, LOOK_EVERY),
            self._repeat(self._forget, FORGET_EVERY),
            *(self._feed(stream) for stream in self._streams.values()),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._say_goodbye()

    async def _repeat(self, step: Callable[[], Awaitable[bool]], every: timedelta) -> None:
        """Take a step again and again; one that returns True is followed by the next at once."""
        is_away = False
        while True:
            self._forget_what_was_lost()
            try:
                has_more = await step()
                is_away = False
            except LedgerError as error:
                if not is_away:
                    logger.warning("webhooks wait for the database", reason=str(error))
                is_away, has_more = True, False
                await asyncio.sleep(AWAY_EVERY.total_seconds())
            if not has_more:
                await asyncio.sleep(every.total_seconds())

    def _forget_what_was_lost(self) -> None:
        """Leave every position that was reached in a time line that a restore has ended.

        The numbers after it are given again, to other events: what was delivered of the lost ones
        must not be written as a position of theirs.
        """
        if self._restored == self._ledger.timeline.restored:
            return
        if self._slot is not None:
            logger.warning("webhooks begin anew", reason="the ledger was restored")
        self._restored = self._ledger.timeline.restored
        for stream in self._streams.values():
            stream.drop(list(stream.order.shards))

    async def _number(self) -> bool:
        # What has no number is read, signed and sent by nobody.
        if not self._has_more:
            await self._spare.wait(self.numbered_at)
        begun = time.monotonic_ns()
        done = await number(self._ledger)
        took = time.monotonic_ns() - begun
        self._has_more = done is not None and done.is_more
        if done is None:
            return False
        self.numbered_at = time.monotonic_ns()
        if done.events:
            for stream in self._streams.values():
                stream.news.set()
        if not done.is_more:
            busy = min(timedelta(microseconds=took * NUMBER_SHARE // 1000), NUMBER_PAUSE_MAX)
            await asyncio.sleep(max(busy, pause_after(done.events)).total_seconds())
        return done.is_more

    async def _feed(self, stream: Stream) -> None:
        async def step() -> bool:
            if await stream.feed():
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout(FEED_EVERY.total_seconds()):
                    await stream.news.wait()
            stream.news.clear()
            return False

        await self._repeat(step, timedelta(0))

    async def _tick(self) -> bool:
        for stream in self._streams.values():
            await stream.tick()
        return False

    async def _look(self) -> bool:
        self.backlogs = [
            backlog
            for backlog in await deliveries.backlogs(self._ledger)
            if backlog.agent in self._streams
        ]
        return False

    async def _forget(self) -> bool:
        return await deliveries.forget(self._ledger)

    async def _beat(self) -> bool:
        """Say that this process lives, hold its share of the shards, and see who moved what."""
        if self._slot is None:
            self._slot = await deliveries.sign_on(self._ledger, self._name, self._agents)
            if self._slot is None:
                return False
        living = await deliveries.be_seen(self._ledger, self._slot, self._name)
        if living is None:
            self._slot = None
            return True
        for endpoint in await deliveries.standing(self._ledger, self._agents):
            stream = self._streams[endpoint.agent]
            if stream.stands(endpoint):
                await stream.read_again()
        async with self._writing:
            await self._hold_a_share(living)
        return False

    async def _hold_a_share(self, living: int) -> None:
        held = [
            (stream.agent, shard)
            for stream in self._streams.values()
            for shard in sorted(stream.order.shards)
        ]
        whole = SHARDS * len(self._streams)
        share = -(-whole // max(living, 1))
        if len(held) > share:
            await self._leave(held[share:])
        elif len(held) < share:
            begun = time.monotonic_ns()
            taken = await deliveries.claim(
                self._ledger, self._name, self._agents, share - len(held)
            )
            for stream in self._streams.values():
                mine = [shard for shard in taken if shard.agent == stream.agent]
                if mine:
                    holds_none = not stream.order.shards
                    await stream.hold(mine)
                    if holds_none:
                        stream.lease(begun + LEASE.seconds * 10**9)
            if taken:
                logger.info("webhooks held", shards=len(held) + len(taken), deliverers=living)

    async def _leave(self, shards: Sequence[tuple[str, int]]) -> None:
        """Leave shards to others, once what was delivered of them is written."""
        await self._write_all()
        for agent, shard in shards:
            self._streams[agent].drop([shard])
        await deliveries.leave(self._ledger, self._name, shards)

    async def _write(self) -> bool:
        renews = time.monotonic_ns() - self._renewed_at >= RENEW_SECONDS * 10**9
        async with self._writing:
            await self._write_all(renews=renews)
        return False

    async def _write_all(self, *, renews: bool = True) -> None:
        begun = time.monotonic_ns()
        done = [
            progress
            for stream in self._streams.values()
            if (progress := stream.progress(is_whole=renews)) is not None
        ]
        if not done:
            return
        try:
            held = await deliveries.keep(self._ledger, self._name, done, restored=self._restored)
        except BaseException:
            for progress in done:
                self._streams[progress.agent].was_not_written(progress)
            raise
        if renews:
            self._renewed_at = begun
        for progress in done:
            stream = self._streams[progress.agent]
            lost = [s.shard for s in progress.shards if (s.agent, s.shard) not in held]
            if lost:
                logger.warning("webhooks left to others", agent=stream.agent, shards=len(lost))
                stream.drop(lost)
            stream.was_written(progress)
            if renews:
                stream.lease(begun + LEASE.seconds * 10**9)

    async def _say_goodbye(self) -> None:
        """Wait for what is under way, write it down, and leave everything."""
        for stream in self._streams.values():
            stream.lease(0)
        for _ in range(POLLS):
            if all(stream.is_idle for stream in self._streams.values()):
                break
            await asyncio.sleep(GOODBYE_SECONDS / POLLS)
        with suppress(LedgerError):
            await self._write_all()
            await deliveries.sign_off(self._ledger, self._name)
        for stream in self._streams.values():
            await stream.close()
