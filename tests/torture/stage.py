"""The system under torture: a PostgreSQL, a TCP proxy to it, and two server processes.

A call takes this way:

    callers ── HTTP ──> two `wallet serve` ── TCP ──> the line ── socket ──> PostgreSQL

The line is ours and can be cut at a COMMIT. PostgreSQL is started here as a process of its own and,
when a fault has killed it, started again, as a supervisor would.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from typing_extensions import override

from app.ledger.citus import Place
from app.ledger.migrations import upgrade
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OWNER, SERVICE, SUPERUSER
from tests.cashier.line import Line
from tests.conftest import BUCKETS, RUN_FOLDER
from tests.model.betby_caller import betby_setting
from tests.model.caller import CALLBACK_KEY
from tests.ports import free_port
from tests.torture.caller import read_reply
from tests.torture.player import AGENT, AGENT_KEY

DEADLINE_SECONDS = 3
READY_SECONDS_MAX = 60
DATABASE = "wallet"

POSTGRES_SETTINGS = {
    # Deadlocks are wanted here, and wanted quickly.
    "deadlock_timeout": "50ms",
    "max_connections": "40",
    # A small disk must do, for it will be full.
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "shared_buffers": "64MB",
}


class Road(Line):
    """A line that hangs up when nobody answers at its other end."""

    @override
    async def _answer_call(
        self, there: Place, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        try:
            await super()._answer_call(there, client, to_client)
        except OSError:
            to_client.transport.abort()
        finally:
            self._writers.discard(to_client)


class Postmaster:
    """PostgreSQL on one data folder, killed, stopped and started again."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._server: EmbeddedPostgres | None = None
        self._frozen: list[int] = []

    @property
    def server(self) -> EmbeddedPostgres:
        assert self._server is not None
        return self._server

    async def start(self) -> None:
        """Start the server, on the same data."""
        self._server = await asyncio.to_thread(
            EmbeddedPostgres.start_or_join, self.data_dir, own=True, settings=POSTGRES_SETTINGS
        )

    async def stop(self) -> None:
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    async def restart(self) -> None:
        """Start again what was killed."""
        await self.stop()
        await self.start()

    @property
    def pid(self) -> int:
        (cluster,) = self.data_dir.glob("postgres-*/postmaster.pid")
        return int(cluster.read_text(encoding="ascii").split("\n", 1)[0])

    def kill(self) -> None:
        """Kill the head; the other processes notice by themselves."""
        os.kill(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop every process of the server."""
        self._frozen = [self.pid, *children_of(self.pid)]
        freeze(self._frozen)

    def thaw(self) -> None:
        thaw(self._frozen)
        self._frozen = []

    async def connect(self, role: str = SUPERUSER) -> "asyncpg.Connection[asyncpg.Record]":
        """Connect past the line."""
        url = self.server.url_for(role, DATABASE).replace("+asyncpg", "")
        return await asyncpg.connect(url, timeout=10)


def freeze(pids: Iterable[int]) -> None:
    """Stop processes, as a machine does that hangs or is cut off."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)


def thaw(pids: Iterable[int]) -> None:
    """Let processes go on that were stopped; they may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has made."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = stat.read_text(encoding="latin-1").rpartition(")")[2].split()
            if int(words[1]) == pid:
                found.append(int(stat.parent.name))
    return found


@dataclass
class Server:
    """One `wallet serve`, started again whenever somebody wants it."""

    folder: Path
    number: int
    database_url: str
    port: int
    private_port: int
    settings: dict[str, str]
    clock_file: Path
    is_clocked: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log_file(self) -> Path:
        return self.folder / f"server-{self.number}.log"

    def start(self) -> None:
        environment = {
            **{name: value for name, value in os.environ.items() if name[:7] != "WALLET_"},
            **self.settings,
            "WALLET_DATABASE_URL": self.database_url,
            "WALLET_PORT": str(self.port),
            "WALLET_PRIVATE_PORT": str(self.private_port),
        }
        command = (
            ["-m", "tests.torture.entry", str(self.clock_file)]
            if self.is_clocked
            else ["-m", "app", "serve"]
        )
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def faults_logged(self) -> list[str]:
        """Return what this server logged as faults of its own."""
        words = ('"event":"failed"', "Traceback")
        log = self.log_file.read_text(encoding="utf-8", errors="replace")
        return [line[:2000] for line in log.splitlines() if any(word in line for word in words)]

    def send(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """End the process, and return its exit code."""
        assert self.process is not None
        self.send(number)
        try:
            return await asyncio.to_thread(self.process.wait, DEADLINE_SECONDS + 15)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            await asyncio.to_thread(self.process.wait)
            raise

    async def until_ready(self) -> None:
        """Wait until it says that it is ready; start it again if it gave up meanwhile."""
        async with asyncio.timeout(READY_SECONDS_MAX):
            while await self.readiness() != 200:
                if self.process is not None and self.process.poll() is not None:
                    self.start()
                await asyncio.sleep(0.1)

    async def readiness(self) -> int:
        """Ask `/health/ready`; 0: no answer."""
        try:
            async with asyncio.timeout(5):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.private_port)
                try:
                    writer.write(b"GET /health/ready HTTP/1.1\r\nHost: wallet\r\n\r\n")
                    reply, _ = await read_reply(reader)
                    return reply.status
                finally:
                    writer.transport.abort()
        except (OSError, EOFError):
            return 0


@dataclass
class Stage:
    folder: Path
    postmaster: Postmaster
    road: Road
    servers: list[Server]
    clock_file: Path

    @property
    def ports(self) -> list[int]:
        return [server.port for server in self.servers]

    @property
    def superuser_url(self) -> str:
        return self.postmaster.server.url_for(SUPERUSER, DATABASE)

    async def restart_servers(self, *, is_clocked: bool) -> None:
        """Start all servers anew, with the real clock or with one that can be moved."""
        for server in self.servers:
            await server.end()
            server.is_clocked = is_clocked
            server.start()
        await self.until_ready()

    async def until_ready(self) -> None:
        await asyncio.gather(*(server.until_ready() for server in self.servers))

    def faults_logged(self) -> list[str]:
        """Return what the servers logged as faults of their own."""
        return [line for server in self.servers for line in server.faults_logged()]


@contextlib.asynccontextmanager
async def staged(*, duplicate_reply: str, small_disk: bool = False) -> AsyncIterator[Stage]:
    """Build the world in a folder of its own, and take it down whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix="wallet-torture-", dir=os.environ.get(RUN_FOLDER)))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if small_disk:
            _run("mount", "-t", "tmpfs", "-o", "size=320m", "torture", str(folder))
            stack.callback(_run, "umount", "-l", str(folder))
        postmaster = Postmaster(folder / "data")
        await postmaster.start()
        stack.push_async_callback(postmaster.stop)
        await upgrade(postmaster.server.url_for(OWNER, DATABASE), buckets=BUCKETS)
        road = Road(postmaster.server.url_for(SERVICE, DATABASE))
        await stack.enter_async_context(road)
        clock_file = folder / "clock"
        clock_file.write_text("0", encoding="ascii")
        settings = {
            "WALLET_CALLBACK_KEYS": CALLBACK_KEY,
            "WALLET_AGENTS": json.dumps({AGENT: [base64.urlsafe_b64encode(AGENT_KEY).decode()]}),
            "WALLET_DEADLINE_SECONDS": str(DEADLINE_SECONDS),
            "WALLET_DUPLICATE_REPLY": duplicate_reply,
            "WALLET_TOKEN_LIFE_SECONDS": str(360 * 86400),
            "WALLET_POOL_SIZE": "4",
            "WALLET_BETBY": betby_setting(),
            "WALLET_BUCKETS": str(BUCKETS),
        }
        servers = [
            Server(
                folder,
                number,
                road.url,
                free_port(),
                free_port(),
                # Both ways are tortured: one process answers on the fast path, one without it.
                {**settings, "WALLET_FAST_PATH": fast_path},
                clock_file,
            )
            for number, fast_path in enumerate(("on", "off"))
        ]
        stage = Stage(folder, postmaster, road, servers, clock_file)
        for server in servers:
            server.start()
            stack.push_async_callback(_put_down, server)
        await stage.until_ready()
        yield stage


async def _put_down(server: Server) -> None:
    server.send(signal.SIGCONT)
    if server.process is not None and server.process.poll() is None:
        await server.end(signal.SIGKILL)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
