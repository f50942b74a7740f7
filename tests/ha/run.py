"""The run: callers with books of their own play while nodes fail, and then everything must add up.

1. The cluster is started from the files of `deploy/ha`, with two wallet servers on it: one names
   both nodes, the other goes through HAProxy.
2. Events happen by turns. In each round the callers are new, and when the servers are ready again,
   every answer is compared with the ledger.
3. The write gap of an event is the longest time without an accepted movement, over all callers.
4. At last replication is made asynchronous, and the same loss of a node shows what is lost then:
   the servers notice it, and wait for somebody to say yes.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from typing_extensions import override

from app.ledger.migrations import upgrade
from app.postgres.cluster import SERVICE, SUPERUSER
from tests.conftest import RUN_FOLDER
from tests.ha.cluster import Cluster
from tests.ha.events import EVENTS, Event, StandbyLeftBehind
from tests.model.caller import CALLBACK_KEY
from tests.ports import free_port
from tests.torture.player import AGENT, AGENT_KEY
from tests.torture.rounds import Books, Report
from tests.torture.stage import Server

DEADLINE_SECONDS = 3
BEFORE_SECONDS = 2.0
"""how long callers play before an event"""

AFTER_SECONDS = 1.0


@dataclass
class HaReport(Report):
    """What was survived, and how long nobody could move money."""

    gaps: list[tuple[str, float]] = field(default_factory=list)
    failovers: int = 0
    asynchronous: "Report | None" = None

    @override
    def lines(self) -> list[str]:
        """Say it, for people."""
        words = [
            f"failovers           {self.failovers}",
            *(f"write gap           {gap:5.1f} s  {name}" for name, gap in self.gaps),
            *super().lines(),
        ]
        if self.asynchronous is not None:
            words.append(
                f"ASYNCHRONOUS        {self.asynchronous.lost} of {self.asynchronous.acknowledged} "
                "acknowledged movements were lost: this is what a synchronous standby is for. The "
                "servers noticed, and served nobody before somebody had said yes"
            )
        return words


@dataclass
class World:
    """The cluster and the servers on it, as the callers' books know them."""

    cluster: Cluster
    servers: list[Server]

    @property
    def ports(self) -> list[int]:
        return [server.port for server in self.servers]

    def faults_logged(self) -> list[str]:
        """Return what the servers logged as faults of their own."""
        return [line for server in self.servers for line in server.faults_logged()]

    @property
    def superuser_url(self) -> str:
        return self.cluster.url_for(SUPERUSER)


@contextlib.asynccontextmanager
async def whole_world(changes: dict[str, int] | None = None) -> AsyncIterator[World]:
    """Stand everything up, and take it down whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix="wallet-ha-", dir=os.environ.get(RUN_FOLDER)))
    cluster = Cluster(folder, changes)
    servers: list[Server] = []
    try:
        await cluster.start()
        await upgrade(cluster.owner_url)
        clock = folder / "clock"
        clock.write_text("0", encoding="ascii")
        settings = {
            "WALLET_CALLBACK_KEYS": CALLBACK_KEY,
            "WALLET_AGENTS": json.dumps({AGENT: [base64.urlsafe_b64encode(AGENT_KEY).decode()]}),
            "WALLET_DEADLINE_SECONDS": str(DEADLINE_SECONDS),
            "WALLET_EXPECT_SYNC": "on",
        }
        addresses = (cluster.service_url, cluster.url_for(SERVICE, through_haproxy=True))
        for number, url in enumerate(addresses):
            port, private_port = free_port(), free_port()
            server = Server(folder, number, url, port, private_port, settings, clock)
            server.start()
            servers.append(server)
        world = World(cluster, servers)
        await asyncio.gather(*(server.until_ready() for server in servers))
        yield world
    finally:
        for server in servers:
            if server.process is not None and server.process.poll() is None:
                server.process.kill()
                server.process.wait()
        await asyncio.to_thread(cluster.stop)
        shutil.rmtree(folder, ignore_errors=True)


class Failovers(Books):
    """Rounds of one event each."""

    def __init__(self, world: World, report: Report, dice: Random) -> None:
        super().__init__(world, report, dice)
        self.cluster = world.cluster
        self.servers = world.servers

    async def round(self, kind: type[Event]) -> float:
        """Play through one event, and return its write gap."""
        gap = 0.0

        async def scene() -> None:
            nonlocal gap
            gap = await self._play_through(kind(self.cluster))

        await self.cluster.until_whole()
        await self.play(kind.name, scene)
        return gap

    async def _play_through(self, event: Event) -> float:
        goes_on = True
        playing = asyncio.gather(*(hand.play(lambda: goes_on) for hand in self.hands))
        try:
            await asyncio.sleep(BEFORE_SECONDS)
            struck = time.monotonic()
            try:
                await event.strike()
            finally:
                await event.mend()
            await asyncio.gather(*(server.until_ready() for server in self.servers))
            await asyncio.sleep(AFTER_SECONDS)
        finally:
            goes_on = False
            await playing
        self.report.strikes += 1
        return self._longest_gap(struck)

    def _longest_gap(self, since: float) -> float:
        """Return the longest time without an accepted movement from a moment on."""
        moments = sorted(
            operation.end
            for player in self.players
            for operation in player.history
            if operation.name in player.accepted
        )
        late = [since, *(moment for moment in moments if moment >= since)]
        return max(after - before for before, after in itertools.pairwise(late))


async def fail_over(
    failovers: int,
    seed: int,
    kinds: Sequence[type[Event]] = EVENTS,
    *,
    changes: dict[str, int] | None = None,
    also_asynchronous: bool = True,
    is_talkative: bool = False,
) -> HaReport:
    """Let events happen by turns until so many failovers have happened.

    `changes`: of the deployed settings of the cluster, by name.
    """
    dice = Random(seed)  # noqa: S311 — a simulation
    report = HaReport(seed)
    began = time.monotonic()
    async with whole_world(changes) as world:
        game = Failovers(world, report, dice)
        while report.failovers < failovers and not report.complaints:
            for kind in kinds:
                gap = await game.round(kind)
                report.gaps.append((kind.name, gap))
                report.failovers += kind.is_failover
                if is_talkative:
                    seconds = time.monotonic() - began
                    sys.stderr.write(f"{seconds:6.1f} s  {kind.name}: gap {gap:.1f} s\n")
                if report.complaints or report.failovers >= failovers:
                    break
        report.complaints += [f"logged: {line}" for line in world.faults_logged()]
        if also_asynchronous and not report.complaints:
            report.asynchronous = await asynchronous(world, seed, dice)
    report.seconds = time.monotonic() - began
    return report


async def asynchronous(world: World, seed: int, dice: Random) -> Report:
    """Make replication asynchronous, lose the primary, and report what was lost."""
    report = Report(seed)
    await asyncio.to_thread(world.cluster.make_asynchronous)
    await world.cluster.until_whole()
    await Failovers(world, report, dice).round(StandbyLeftBehind)
    return report
