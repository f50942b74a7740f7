"""A Citus cluster that a test has for itself: servers that are killed, promoted and put back.

The programs are those of the cluster that the environment names. Each server is a child of ours, on
loopback, and ends with us. What Patroni does in production (a standby is promoted, and the cluster
is told its address) the test does itself.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from app.ledger.citus import Place
from app.postgres import process
from app.postgres.cluster import SUPERUSER
from tests.citus.cluster import CITUS_URL, WHY_SKIPPED, Citus, find, make_on, server_of
from tests.conftest import RUN_FOLDER, apart, migrate
from tests.ports import free_port
from tests.torture.stage import children_of, freeze, thaw

WAIT_SECONDS_MAX: Final = 40
STANDBY: Final = "standby"
DATABASE: Final = "wallet"

SETTINGS: Final = """
listen_addresses = '127.0.0.1'
shared_preload_libraries = 'citus'
wal_level = logical
max_connections = 100
max_prepared_transactions = 100
max_worker_processes = 20
max_pred_locks_per_transaction = 256
shared_buffers = 64MB
max_wal_size = 256MB
wal_keep_size = 64MB
fsync = off
citus.enable_statistics_collection = off
wal_retrieve_retry_interval = 200ms
log_min_messages = warning
"""
"""Nothing waits for the disk: a process is killed here, not the machine."""


@dataclass
class Machine:
    """One server with a folder of its own."""

    folder: Path
    programs: Path
    identity: str
    port: int
    frozen: list[int] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return Place("127.0.0.1", self.port)

    @property
    def pid(self) -> int | None:
        """The first process, if it runs."""
        try:
            note = (self.folder / "postmaster.pid").read_text(encoding="ascii")
        except OSError:
            return None
        pid = int(note.split("\n", 1)[0])
        return pid if Path(f"/proc/{pid}").exists() else None

    def make(self) -> None:
        """Make an empty server of it."""
        words = [str(self.programs / "initdb"), "-D", str(self.folder), "-U", SUPERUSER]
        words += ["--locale=C", "--encoding=UTF8", "-A", "trust", "--no-sync", "--no-instructions"]
        process.run(self.identity, words)
        with (self.folder / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(SETTINGS)

    def start(self) -> None:
        """Start it, and wait until it lets somebody in."""
        with contextlib.suppress(FileNotFoundError):
            # A server that was killed leaves its note behind.
            (self.folder / "postmaster.pid").unlink()
        words = [str(self.programs / "postgres"), "-D", str(self.folder), "-p", str(self.port)]
        words += ["-k", str(self.folder)]
        process.keep(self.identity, words, self.folder.with_suffix(".log"))
        self._until(self._lets_in)

    def _lets_in(self) -> bool:
        done = subprocess.run(
            [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
            check=False,
            timeout=10,
        )
        return done.returncode == 0

    def follow(self, primary: "Machine") -> None:
        """Become a copy of a running server that follows it, by a slot of its own."""
        slot = f"of_{self.port}"
        words = [str(self.programs / "pg_basebackup"), "-D", str(self.folder), "--no-sync"]
        words += ["-h", "127.0.0.1", "-p", str(primary.port), "-U", SUPERUSER, "-R"]
        words += ["--checkpoint=fast", "-C", "-S", slot]
        process.run(self.identity, words)
        with (self.folder / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
            where = f"host=127.0.0.1 port={primary.port} user={SUPERUSER}"
            settings.write(f"primary_conninfo = '{where} application_name={STANDBY}'\n")
        self.start()

    def promote(self) -> None:
        """Let a standby take over."""
        words = [str(self.programs / "pg_ctl"), "-D", str(self.folder), "-w", "promote"]
        process.run(self.identity, words)

    def kill(self) -> None:
        """Kill the first process with signal 9; the others notice by themselves."""
        pid = self.pid
        assert pid is not None
        others = children_of(pid)
        os.kill(pid, signal.SIGKILL)
        self._until(lambda: not any(Path(f"/proc/{other}").exists() for other in others))

    def stop(self) -> None:
        """End it at once, however it is."""
        self.thaw()
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGQUIT)
            self._until(lambda: self.pid is None)

    def stop_in_order(self) -> None:
        """End it as for maintenance: its standbys get everything first."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGINT)
            self._until(lambda: self.pid is None)

    def freeze(self) -> None:
        """Stop every process, as a machine does that hangs, or is cut off."""
        assert self.pid is not None
        self.frozen = [self.pid, *children_of(self.pid)]
        freeze(self.frozen)

    def thaw(self) -> None:
        thaw(self.frozen)
        self.frozen = []

    def copy(self) -> Path:
        """Copy the folder of a server that is not running."""
        assert self.pid is None
        kept = self.folder.with_name(f"{self.folder.name}-kept")
        shutil.copytree(self.folder, kept, symlinks=True)
        return kept

    def put_back(self, kept: Path) -> None:
        """Have the folder as it was copied; the server is not running."""
        assert self.pid is None
        shutil.rmtree(self.folder)
        kept.rename(self.folder)
        process.hand_over(self.folder, self.identity)

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not condition():
            assert time.monotonic() < deadline, self._log()
            time.sleep(0.02)

    def _log(self) -> str:
        return self.folder.with_suffix(".log").read_text(encoding="utf-8")[-3000:]


class OwnCluster:
    """A coordinator and two nodes, each of which can get a standby."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._identity = process.run_as()
        self._made = 0
        self.machines: list[Machine] = []
        """the coordinator and the nodes, as they serve now"""
        self.standbys: dict[int, Machine] = {}
        """of a machine, by its number"""
        self._all: list[Machine] = []

    def machine(self) -> Machine:
        """Return a new machine, with nothing on it."""
        self._made += 1
        place = self._folder / f"m{self._made}"
        made = Machine(place, self._programs, self._identity, free_port())
        self._all.append(made)
        return made

    def start(self) -> None:
        """Stand everything up, with the wallet's roles and database, and its newest schema."""
        self.machines = [self.machine() for _ in range(3)]
        process.hand_over(self._folder, self._identity)
        for made in self.machines:
            made.make()
            made.start()
        apart(make_on(self.citus))

    def stop(self) -> None:
        for made in self._all:
            made.stop()

    @property
    def citus(self) -> Citus:
        """The ledger's database, at the coordinator that serves now."""
        coordinator, *nodes = [machine.place for machine in self.machines]
        url = f"postgresql://{SUPERUSER}@127.0.0.1:{coordinator.port}/postgres"
        return Citus(url, DATABASE, coordinator, tuple(nodes))

    def url_for(self, role: str) -> str:
        """Return an address of the coordinator and of its standby: whichever takes writes."""
        ports = [self.machines[0].port, *(m.port for n, m in self.standbys.items() if n == 0)]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        return f"postgresql://{role}@{hosts}/{DATABASE}?target_session_attrs=read-write"

    def give_standby(self, number: int, *, is_synchronous: bool = True) -> Machine:
        """Let a machine have a standby, which every commit there waits for, or none."""
        standby = self.machine()
        standby.follow(self.machines[number])
        self.standbys[number] = standby
        if is_synchronous:
            apart(self.wait_for_standby(number, wanted=True))
        return standby

    async def wait_for_standby(self, number: int, *, wanted: bool) -> None:
        """Let every commit of a machine wait for its standby, or for nobody."""
        name = STANDBY if wanted else ""
        await self.sql(number, f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        await self.sql(number, "SELECT pg_reload_conf()")
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        state = "SELECT coalesce(max(sync_state), '') FROM pg_stat_replication"
        while wanted and await self.sql(number, state) != "sync":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    async def sql(self, number: int, statement: str, *arguments: object) -> object:
        """Ask one machine itself, in the ledger's database, for one value."""
        url = self.citus.url_for(at=self.machines[number].place)
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close()

    def take_over(self, number: int) -> None:
        """Promote the standby of a machine that is gone; it then serves at its own address."""
        standby = self.standbys.pop(number)
        standby.promote()
        self.machines[number] = standby

    async def tell_address(self, number: int) -> None:
        """Tell the cluster where a machine of it is now, again and again, as Patroni does.

        Citus 13.2.2 wakes its maintenance process here, and where that has not yet begun after a
        promotion, the coordinator ends with a segmentation fault, and starts again.
        """
        place = self.machines[number].place
        told = "SELECT citus_update_node(nodeid, $2, $3) FROM pg_dist_node WHERE groupid = $1"
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            try:
                await self.sql(0, told, number, *place)
                break
            except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
        if number == 0:
            # On machines of their own every server has the same port.
            await self.sql(0, f"ALTER SERVER buckets OPTIONS (SET port '{place.port}')")


def own_cluster(buckets: int) -> Iterator[OwnCluster]:
    """Make a cluster with a ledger on it, and remove it."""
    url = os.environ.get(CITUS_URL)
    import pytest  # noqa: PLC0415 - this module is also the run's, which has no tests

    if not url:
        pytest.skip(WHY_SKIPPED)
    given = apart(_programs_of(url))
    if given is None:
        pytest.skip("the cluster runs on another machine, whose programs are not here")
    folder = Path(tempfile.mkdtemp(prefix="citus-", dir=os.environ.get(RUN_FOLDER)))
    cluster = OwnCluster(folder, given)
    try:
        cluster.start()
        migrate(cluster.citus.owner_url, buckets)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _programs_of(url: str) -> Path | None:
    given = await find(url, "postgres")
    server = await server_of(given, given.coordinator)
    return None if server is None else server.program.parent
