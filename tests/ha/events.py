"""What befalls the cluster while callers play: each event begins, and is over when mended."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

import asyncpg
from typing_extensions import override

from app.cashier.restored import accept, state
from app.ledger.errors import LedgerError
from app.ledger.transaction import Ledger
from app.postgres.cluster import DATABASE, OWNER
from app.wallet.operators import Operator, Role, Via
from tests.ha.cluster import Cluster, Node, NotWholeError

TAKEOVER_SECONDS_MAX = 60
"""The leader's lock runs out after `ttl` (20 s); a busy machine needs longer."""


class Event:
    """One way in which a node, or what connects the nodes, fails."""

    name: ClassVar[str]
    is_failover: ClassVar[bool] = True
    """whether another node takes over"""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    async def strike(self) -> None:
        """Do it, and return when the cluster has dealt with it."""
        raise NotImplementedError

    async def mend(self) -> None:
        """Bring back what was taken away."""

    async def taken_over_from(self, node: Node) -> None:
        """Wait until another node leads."""
        await self._until(lambda: self.cluster.leader() is not node)

    async def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TAKEOVER_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                if await asyncio.to_thread(condition):
                    return
            except NotWholeError:
                pass
            await asyncio.sleep(0.1)
        raise NotWholeError(f"{self.name}: nobody took over; {self.cluster.view()}")


class Switchover(Event):
    """An operator swaps the roles, for maintenance."""

    name = "switchover"

    @override
    async def strike(self) -> None:
        await asyncio.to_thread(self.cluster.switch_over)


class PostmasterKilled(Event):
    """kill -9 of the first process of the primary's PostgreSQL."""

    name = "postmaster-killed"

    @override
    async def strike(self) -> None:
        node = self.cluster.leader()
        node.kill_postmaster()
        await self.taken_over_from(node)


class NodeKilled(Event):
    """The primary's node is gone without a word: Patroni and PostgreSQL at once."""

    name = "node-killed"

    @override
    async def strike(self) -> None:
        self.node = self.cluster.leader()
        self.node.kill()
        await self.taken_over_from(self.node)

    @override
    async def mend(self) -> None:
        self.node.patroni.start()


LOG_NOBODY_WAITS_FOR = (
    "SELECT pg_logical_emit_message(false, 'test', $1) FROM generate_series(1, 1024)"
)
"""64 MB of the primary's log that no commit stands in, as vacuum writes: more than sockets keep."""


class StandbyCutThenNodeKilled(NodeKilled):
    """The standby is cut off while commits wait for it, and then the primary's node is gone.

    The standby has every answered commit, and lacks log that nobody was told of.
    """

    name = "standby-cut-then-node-killed"

    @override
    async def strike(self) -> None:
        standby = self.cluster.standby()
        standby.freeze()
        self.node = self.cluster.other_than(standby)
        await self._write_log(self.node)
        # Patroni tells the others the log's end when it looks next.
        await asyncio.sleep(2.5)
        self.node.kill()
        standby.thaw()
        await self.taken_over_from(self.node)

    async def _write_log(self, node: Node) -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=node.port,
            user=OWNER,
            password=self.cluster.password,
            database=DATABASE,
            ssl=False,
            timeout=10,
        )
        try:
            await connection.fetch(LOG_NOBODY_WAITS_FOR, "x" * 65536, timeout=10)
        finally:
            await connection.close(timeout=10)


class BothKilled(Event):
    """The standby's node is gone, and then the primary's; both come back."""

    name = "both-killed"
    is_failover = False

    @override
    async def strike(self) -> None:
        primary, standby = self.cluster.leader(), self.cluster.standby()
        standby.kill()
        await asyncio.sleep(1.5)
        primary.kill()
        for node in (standby, primary):
            node.patroni.start()


class EtcdLeaderKilled(Event):
    """kill -9 of the member of etcd that leads the others."""

    name = "etcd-leader-killed"
    is_failover = False

    @override
    async def strike(self) -> None:
        self.member = await asyncio.to_thread(self.cluster.etcd_leader)
        self.member.kill()
        await asyncio.sleep(4)

    @override
    async def mend(self) -> None:
        self.member.start()


class StandbyCut(Event):
    """The standby hangs, connections open, for longer than the primary waits for it."""

    name = "standby-cut"
    is_failover = False

    @override
    async def strike(self) -> None:
        self.standby = self.cluster.standby()
        self.standby.freeze()
        await asyncio.sleep(12)

    @override
    async def mend(self) -> None:
        self.standby.thaw()


class StandbyLeftBehind(Event):
    """Asynchronous replication: the standby is 1.5 seconds behind when it must take over.

    The servers notice that movements which they had answered are missing, and serve nobody before
    somebody has said yes.
    """

    name = "asynchronous"

    @override
    async def strike(self) -> None:
        self.node, standby = self.cluster.leader(), self.cluster.standby()
        standby.kill()
        await asyncio.sleep(1.5)
        self.node.kill()
        standby.patroni.start()
        await self.taken_over_from(self.node)

    @override
    async def mend(self) -> None:
        self.node.patroni.start()
        await self._say_yes()

    async def _say_yes(self) -> None:
        by = Operator("mira", True, frozenset({Role.ADMIN}), Via.CONSOLE, "")  # noqa: FBT003
        ledger = Ledger(self.cluster.service_url)
        deadline = time.monotonic() + TAKEOVER_SECONDS_MAX
        try:
            while time.monotonic() < deadline:
                with contextlib.suppress(LedgerError):
                    shown = (await state(ledger)).waiting
                    if shown is not None:
                        await accept(ledger, by, shown, "a test of what is lost", timedelta(0))
                        return
                await asyncio.sleep(0.2)
        finally:
            await ledger.close()
        raise NotWholeError("no server noticed what was lost")


EVENTS: tuple[type[Event], ...] = (
    PostmasterKilled,
    Switchover,
    StandbyCut,
    NodeKilled,
    EtcdLeaderKilled,
    StandbyCutThenNodeKilled,
    BothKilled,
)
