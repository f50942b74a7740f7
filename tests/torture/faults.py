"""The faults, each a class: how it is caused, and how the system is restored.

A fault strikes again and again while callers go on calling; `mend` leaves the world whole.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import struct
import time
from collections.abc import Sequence
from random import Random
from typing import ClassVar

import asyncpg
from typing_extensions import override

from tests.cashier.line import AtCommit
from tests.history.checker import Operation
from tests.model.caller import CALLBACK_KEY, Reply, sign
from tests.torture.betby import DISCARDED, call, discarding, making
from tests.torture.caller import Caller, NoAnswerError
from tests.torture.player import Player, Tally, code_of, hundredths
from tests.torture.stage import DEADLINE_SECONDS, Server, Stage

RIVALS = 3
SLOW_CLIENTS = 60
DELIVERIES = 500
DELIVERIES_AT_ONCE = 50
DAY_SECONDS = 86400


class Fault:
    """One way in which things go wrong."""

    name: ClassVar[str]
    needs_small_disk: ClassVar[bool] = False
    pause_seconds: ClassVar[float] = 0.5
    """between two strikes, about"""

    def __init__(self, stage: Stage, players: Sequence[Player], tally: Tally, dice: Random) -> None:
        self.stage = stage
        self.players = players
        self.tally = tally
        self.dice = dice
        self.strikes = 0

    @staticmethod
    def why_not() -> str | None:
        """Say why it cannot be had here; None: it can."""
        return None

    async def prepare(self) -> None:
        """Change the world before the callers begin."""

    async def strike(self) -> None:
        """Do it once."""
        raise NotImplementedError

    async def mend(self) -> None:
        """Leave the world whole."""

    def complain(self, words: str) -> None:
        self.tally.complaints.append(f"{self.name}: {words}")

    def seconds(self, least: float, most: float) -> float:
        return least + self.dice.random() * (most - least)

    def any_server(self) -> Server:
        return self.dice.choice(self.stage.servers)


class Nothing(Fault):
    """Nothing goes wrong; what fails here is no fault's doing."""

    name = "nothing"

    @override
    async def strike(self) -> None:
        """Do nothing."""


class ServerKilled(Fault):
    """kill -9 of a server at a random moment."""

    name = "server-killed"

    @override
    async def strike(self) -> None:
        server = self.any_server()
        await server.end(signal.SIGKILL)
        await asyncio.sleep(self.seconds(0, 0.3))
        server.start()
        await server.until_ready()


class PostmasterKilled(Fault):
    """kill -9 of PostgreSQL's first process; the supervisor starts it again."""

    name = "postmaster-killed"
    pause_seconds: ClassVar[float] = 1

    @override
    async def strike(self) -> None:
        self.stage.postmaster.kill()
        await asyncio.sleep(self.seconds(0, 2))
        await self.stage.postmaster.restart()
        await self.stage.until_ready()


class DatabaseAway(Fault):
    """PostgreSQL is away for longer than anybody waits; the service says so, at once."""

    name = "database-away"
    pause_seconds: ClassVar[float] = 1
    AT_ONCE_SECONDS: ClassVar[float] = 1.0
    PATIENCE_SECONDS: ClassVar[float] = 2.0

    @override
    async def strike(self) -> None:
        self.stage.road.is_down = True
        self.stage.road.cut()
        await asyncio.sleep(self.PATIENCE_SECONDS + 1.5)
        for server in self.stage.servers:
            if await server.readiness() != 503:
                self.complain("the database is away, and /health/ready does not say so")
            caller = Caller([server.port], self.dice)
            began = asyncio.get_running_loop().time()
            fields = {"token": self.players[0].token, "userId": self.players[0].user_id}
            try:
                reply = await caller.ask("getBalance", fields)
            except NoAnswerError as error:
                self.complain(f"no answer while the database is away: {error}")
            else:
                took = asyncio.get_running_loop().time() - began
                if reply.status != 503 or took > self.AT_ONCE_SECONDS:
                    self.complain(f"HTTP {reply.status} after {took:.1f} s instead of 503 at once")
            finally:
                caller.close()
        self.stage.road.come_back()
        await self.stage.until_ready()

    @override
    async def mend(self) -> None:
        self.stage.road.come_back()


class CutBeforeCommit(Fault):
    """The connection is cut before a commit reaches PostgreSQL."""

    name = "cut-before-commit"
    pause_seconds: ClassVar[float] = 0.02
    fate: ClassVar[AtCommit] = AtCommit.CUT_BEFORE

    @override
    async def prepare(self) -> None:
        self._struck_before = self.stage.road.struck

    @override
    async def strike(self) -> None:
        if not self.stage.road.at_commit:
            self.stage.road.at_commit.append(self.fate)

    @override
    async def mend(self) -> None:
        self.stage.road.at_commit.clear()
        if self.stage.road.struck == self._struck_before:
            self.complain("no commit was struck")


class CutAfterCommit(CutBeforeCommit):
    """PostgreSQL commits, and its answer is lost with the connection."""

    name = "cut-after-commit"
    fate: ClassVar[AtCommit] = AtCommit.CUT_AFTER


class SilentAfterCommit(CutBeforeCommit):
    """PostgreSQL commits, and nothing ever comes back on that connection."""

    name = "silent-after-commit"
    fate: ClassVar[AtCommit] = AtCommit.SILENCE_AFTER
    pause_seconds: ClassVar[float] = 1

    @override
    async def mend(self) -> None:
        await super().mend()
        self.stage.road.cut()


class DatabaseFrozen(Fault):
    """SIGSTOP of PostgreSQL, for a moment or past every deadline."""

    name = "database-frozen"

    @override
    async def strike(self) -> None:
        self.stage.postmaster.freeze()
        try:
            await asyncio.sleep(self.seconds(0.1, DEADLINE_SECONDS + 1))
        finally:
            self.stage.postmaster.thaw()

    @override
    async def mend(self) -> None:
        self.stage.postmaster.thaw()


class ServerFrozen(Fault):
    """SIGSTOP of a server, for a moment or past every deadline."""

    name = "server-frozen"

    @override
    async def strike(self) -> None:
        server = self.any_server()
        server.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(self.seconds(0.1, DEADLINE_SECONDS + 2))
        finally:
            server.send(signal.SIGCONT)


class Conflicts(Fault):
    """Rival sessions lock and update wallets in every order: 40001 and 40P01 at any statement."""

    name = "conflicts"
    pause_seconds: ClassVar[float] = 0.05
    conflicts = 0

    @override
    async def prepare(self) -> None:
        self._rivals = [await self.stage.postmaster.connect() for _ in range(RIVALS)]

    @override
    async def strike(self) -> None:
        await asyncio.gather(*(self._fight(rival) for rival in self._rivals))

    async def _fight(self, rival: "asyncpg.Connection[asyncpg.Record]") -> None:
        users = self.dice.sample([player.user_id for player in self.players], 4)
        try:
            async with rival.transaction(isolation="serializable"):
                for user in users:
                    await rival.execute(
                        "UPDATE wallets SET real = real WHERE player_id ="
                        " (SELECT player_id FROM players WHERE user_id = $1)",
                        user,
                    )
                    await asyncio.sleep(self.seconds(0, 0.02))
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            self.conflicts += 1

    @override
    async def mend(self) -> None:
        for rival in self._rivals:
            await rival.close()


class PoolExhausted(Fault):
    """PostgreSQL has no connection left, and those the service had are ended."""

    name = "pool-exhausted"

    @override
    async def strike(self) -> None:
        held: list[asyncpg.Connection[asyncpg.Record]] = []
        ending = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"
        )
        boss = await self.stage.postmaster.connect()
        try:
            with contextlib.suppress(asyncpg.TooManyConnectionsError):
                while True:
                    await boss.execute(ending, "wallet")
                    held.append(await self.stage.postmaster.connect("wallet_ops"))
            await asyncio.sleep(self.seconds(0.1, 1.5))
        finally:
            for connection in held:
                connection.terminate()
            boss.terminate()


class DiskFull(Fault):
    """The disk is full: PostgreSQL refuses to write, or falls over and is started again."""

    name = "disk-full"
    needs_small_disk = True
    pause_seconds: ClassVar[float] = 1

    @override
    @staticmethod
    def why_not() -> str | None:
        if os.geteuid() != 0:
            return "needs root, to mount a small tmpfs"
        return None if shutil.which("mount") else "needs mount"

    @override
    async def strike(self) -> None:
        filler = self.stage.folder / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            block = bytes(1 << 20)
            while True:
                file.write(block)
        with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        # The write-ahead log still has room in its segment; it is asked for a new one.
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            boss = await self.stage.postmaster.connect()
            await boss.execute("SELECT pg_switch_wal()", timeout=5)
            boss.terminate()
        await asyncio.sleep(self.seconds(0.5, 2))
        filler.unlink()
        await self._up_again()

    async def _up_again(self) -> None:
        try:
            boss = await self.stage.postmaster.connect()
            boss.terminate()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self.stage.postmaster.restart()
        await self.stage.until_ready()

    @override
    async def mend(self) -> None:
        (self.stage.folder / "filler").unlink(missing_ok=True)
        await self._up_again()


class ClockJumps(Fault):
    """The servers' clock jumps, both ways, by seconds or by weeks."""

    name = "clock-jumps"
    pause_seconds: ClassVar[float] = 0.2

    @override
    async def prepare(self) -> None:
        await self.stage.restart_servers(is_clocked=True)

    @override
    async def strike(self) -> None:
        jump = self.dice.choice(
            (-40 * DAY_SECONDS, -DAY_SECONDS, -30, 0, 30, 3600, 33 * DAY_SECONDS)
        )
        self._set(jump)

    def _set(self, seconds: int) -> None:
        new = self.stage.clock_file.with_suffix(".new")
        new.write_text(str(seconds), encoding="ascii")
        new.replace(self.stage.clock_file)

    @override
    async def mend(self) -> None:
        self._set(0)
        await self.stage.restart_servers(is_clocked=False)


class RollingRestart(Fault):
    """One server after the other is ended politely and started anew."""

    name = "rolling-restart"

    @override
    async def strike(self) -> None:
        for server in self.stage.servers:
            code = await server.end(signal.SIGTERM)
            if code not in {0, -signal.SIGTERM, 128 + signal.SIGTERM}:
                self.complain(f"a server ended with code {code}")
            server.start()
            await server.until_ready()


class BadClients(Fault):
    """Slow-loris, half-closed and vanishing clients beside the ordinary ones."""

    name = "bad-clients"
    pause_seconds: ClassVar[float] = 0.2

    @override
    async def prepare(self) -> None:
        self._slow: list[asyncio.StreamWriter] = []

    @override
    async def strike(self) -> None:
        port = self.dice.choice(self.stage.ports)
        while len(self._slow) < SLOW_CLIENTS:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST /moveFunds HTTP/1.1\r\nHost: wallet\r\nContent-Length: 900\r\n")
            self._slow.append(writer)
        # A server that had enough of them has closed them.
        self._slow = [writer for writer in self._slow if not writer.is_closing()]
        for writer in self._slow:
            writer.write(self.dice.choice((b"X-Slow: 1\r\n", b"\r\ntoken=", b"a")))
        for writer in self._slow[: SLOW_CLIENTS // 10]:
            writer.transport.abort()
        self._slow = self._slow[SLOW_CLIENTS // 10 :]
        await self._half_close(port)
        await self._vanish(port)

    async def _half_close(self, port: int) -> None:
        """Ask, say that nothing more will come, and read the answer all the same."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(self._question())
        writer.write_eof()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                answer = await reader.read()
                if answer and b"HTTP/1.1 200" not in answer and b"HTTP/1.1 503" not in answer:
                    self.complain(f"a half-closed client was told {answer!r}")
        writer.transport.abort()

    async def _vanish(self, port: int) -> None:
        """Ask, and be gone with a reset before the answer."""
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        line: socket.socket = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.write(self._question())
        await writer.drain()
        writer.transport.abort()

    def _question(self) -> bytes:
        player = self.dice.choice(self.players)
        signature = sign({"userId": player.user_id}, CALLBACK_KEY)
        return (
            f"GET /getUserToken?userId={player.user_id} HTTP/1.1\r\nHost: wallet\r\n"
            f"Hash-Authorization: {signature}\r\n\r\n"
        ).encode()

    @override
    async def mend(self) -> None:
        for writer in self._slow:
            writer.transport.abort()


class ManyDeliveries(Fault):
    """One transaction id, delivered 500 times at once with differing content to both servers."""

    name = "many-deliveries"
    pause_seconds: ClassVar[float] = 1

    @override
    async def strike(self) -> None:
        transaction_id = f"many-{self.strikes}-{self.dice.getrandbits(40)}"
        callers = [Caller(self.stage.ports, self.dice) for _ in range(DELIVERIES_AT_ONCE)]
        told: list[tuple[Player, int, Reply]] = []

        async def deliver(caller: Caller, count: int) -> None:
            for _ in range(count):
                player = self.dice.choice(self.players[-2:])
                amount = self.dice.randint(1, 9)
                fields = {
                    "token": player.token,
                    "userId": player.user_id,
                    "gameId": "7",
                    "extraData": "{}",
                    "eventId": self.dice.choice(("many-1", "many-2")),
                    "direction": "credit",
                    "transactionId": transaction_id,
                    "eventType": self.dice.choice(("PromoWin", "DropAndWin")),
                    "amount": f"0.0{amount}",
                }
                with contextlib.suppress(NoAnswerError):
                    told.append((player, amount, await caller.move_funds(fields)))

        share = DELIVERIES // DELIVERIES_AT_ONCE
        begin = time.monotonic()
        await asyncio.gather(*(deliver(caller, share) for caller in callers))
        for caller in callers:
            caller.close()
        self._judge(transaction_id, begin, told)

    def _judge(
        self, transaction_id: str, begin: float, told: list[tuple[Player, int, Reply]]
    ) -> None:
        accepted = {
            (player.user_id, amount, reply.body)
            for player, amount, reply in told
            if reply.status == 200 and reply.code == 0
        }
        codes = {reply.code for _, _, reply in told if reply.status == 200}
        if len(accepted) != 1 or not codes <= {0, 400, 409}:
            self.complain(f"{transaction_id}: {len(accepted)} accepted, codes {sorted(codes)}")
            return
        ((user_id, amount, body),) = accepted
        (player,) = (player for player in self.players if player.user_id == user_id)
        shown = hundredths(Reply(200, body).said["balance"])
        player.accept(Operation(transaction_id, begin, time.monotonic(), amount, shown))
        self.tally.acknowledged += 1


class ManyDiscards(Fault):
    """A bet of Betby's, made 100 times at once with differing stakes among discards of it."""

    name = "many-discards"
    CALLS: ClassVar[int] = 120

    @override
    async def strike(self) -> None:
        player = self.players[-1]
        name = f"many-{self.strikes}-{self.dice.getrandbits(40)}"
        callers = [Caller(self.stage.ports, self.dice) for _ in range(DELIVERIES_AT_ONCE)]
        made: list[tuple[int, Reply]] = []
        discarded: list[Reply] = []

        async def deliver(number: int) -> None:
            stake = self.dice.randint(0, 3)
            caller = callers[number % len(callers)]
            with contextlib.suppress(NoAnswerError):
                if number % 6 == 0:
                    discarded.append(await call(caller, "discard", discarding(player, name)))
                else:
                    made.append((stake, await call(caller, "make", making(player, name, stake))))

        begin = time.monotonic()
        for first in range(0, self.CALLS, len(callers)):
            numbers = range(first, min(first + len(callers), self.CALLS))
            await asyncio.gather(*map(deliver, numbers))
        for caller in callers:
            caller.close()
        self._judge(player, name, begin, made, discarded)

    def _judge(
        self,
        player: Player,
        name: str,
        begin: float,
        made: list[tuple[int, Reply]],
        discarded: list[Reply],
    ) -> None:
        accepted = {(stake, reply.body) for stake, reply in made if reply.status == 200}
        codes = {code_of(reply) for _, reply in made} - {0}
        told = {(reply.status, reply.body) for reply in discarded}
        if len(accepted) > 1 or told != {(200, b"{}")} or not codes <= {2001, 2004}:
            self.complain(f"{name}: {accepted} accepted, codes {codes}, discards told {told}")
        for stake, body in accepted:
            shown = int(Reply(200, body).said["balance"])
            end = time.monotonic()
            player.accept(Operation(name, begin, end, -stake, shown))
            # The stake came back, for each discard was told so.
            player.accept(Operation(f"{name} {DISCARDED}", begin, end, stake))
            self.tally.acknowledged += 2


class Repeats(Fault):
    """Half of all calls that move money are made twice at once, on two connections."""

    name = "repeats"

    @override
    async def prepare(self) -> None:
        for player in self.players:
            player.is_repeated = True

    @override
    async def strike(self) -> None:
        """Leave it to the callers."""


FAULTS: dict[str, type[Fault]] = {
    fault.name: fault
    for fault in (
        *(Nothing, ServerKilled, PostmasterKilled, DatabaseAway, CutBeforeCommit, CutAfterCommit),
        *(SilentAfterCommit, DatabaseFrozen, ServerFrozen, Conflicts, PoolExhausted, DiskFull),
        *(ClockJumps, RollingRestart, BadClients, ManyDeliveries, ManyDiscards, Repeats),
    )
}
