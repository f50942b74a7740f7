"""A primary and a synchronous standby: real servers, killed, frozen and promoted by a test."""

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, urlencode

from app.postgres import process
from app.postgres.address import Address, choose_address
from app.postgres.binaries import find_binaries
from app.postgres.cluster import DATABASE, OWNER, SERVICE, SUPERUSER, Cluster
from app.postgres.running import read_running, remove_stale_note
from app.postgres.server_settings import server_arguments
from tests.conftest import migrate
from tests.torture.stage import children_of, freeze, thaw

WAIT_SECONDS_MAX = 30
STANDBY = "standby"
NOTHING: Mapping[str, str] = MappingProxyType({})


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a server does in its own time."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


class Node:
    """One server on a folder of its own, reached by a unix socket that stays the same."""

    def __init__(
        self, folder: Path, settings: Mapping[str, str] = NOTHING, *, fsync: bool = False
    ) -> None:
        """`settings`: of PostgreSQL, beside those of the embedded server."""
        self.fsync = fsync
        self.settings = {"max_connections": "60", **settings}
        self.identity = process.run_as()
        folder.mkdir(mode=0o700)
        process.hand_over(folder, self.identity)
        self.cluster = Cluster(folder, find_binaries(folder))
        self._address: Address | None = None
        self._frozen: list[int] = []

    @property
    def address(self) -> Address:
        assert self._address is not None
        return self._address

    @property
    def pid(self) -> int:
        running = read_running(self.cluster.dir)
        assert running is not None
        return running.pid

    def start(self) -> None:
        """Start the server, and wait until it lets somebody in."""
        cluster = self.cluster
        remove_stale_note(cluster.dir)
        self._address = choose_address(cluster.data_dir, cluster.password(), loopback=False)
        if self.address.by_socket:
            process.hand_over(Path(self.address.host), self.identity)
        arguments = server_arguments(self.address, fsync=self.fsync, extra=self.settings)
        command = [cluster.binaries.program("postgres"), "-D", str(cluster.dir), *arguments]
        kept = process.keep(self.identity, command, cluster.log_file)
        until(lambda: kept.process.poll() is not None or self._lets_in())
        assert kept.process.poll() is None, cluster.log_file.read_text(encoding="utf-8")

    def _lets_in(self) -> bool:
        return self._psql("SELECT 1").returncode == 0

    def sql(self, statement: str, database: str = SUPERUSER) -> str:
        """Let psql say one statement as superuser, and return what came back."""
        done = self._psql(statement, database)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _psql(
        self, statement: str, database: str = SUPERUSER
    ) -> "subprocess.CompletedProcess[str]":
        cluster = self.cluster
        psql = self.address.psql_command(
            cluster.binaries.program("psql"), cluster.password_file, SUPERUSER, database
        )
        return subprocess.run(
            [*shlex.split(psql), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement],
            capture_output=True,
            check=False,
            text=True,
            timeout=WAIT_SECONDS_MAX,
        )

    def back_up(self, folder: Path) -> None:
        """Take a base backup while it runs."""
        program = self.cluster.binaries.program("pg_basebackup")
        where = ["-h", self.address.host, "-p", str(self.address.port), "-U", SUPERUSER]
        command = [program, "-D", str(folder), *where, "--checkpoint=fast", "--no-sync"]
        process.run(self.identity, command)

    def kill(self) -> None:
        """Kill the first process; the others notice by themselves."""
        pid, others = self.pid, children_of(self.pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{other}").exists() for other in others))

    def stop(self) -> None:
        """End it within moments, as a crash would."""
        self.thaw()
        running = read_running(self.cluster.dir)
        if running is not None and running.alive():
            os.kill(running.pid, signal.SIGQUIT)
            until(lambda: not running.alive())

    def freeze(self) -> None:
        """Stop every process, as a machine does that hangs."""
        self._frozen = [self.pid, *children_of(self.pid)]
        freeze(self._frozen)

    def thaw(self) -> None:
        thaw(self._frozen)
        self._frozen = []


class Pair:
    """A primary with the newest schema, and a standby that is a copy of it."""

    def __init__(self, folder: Path) -> None:
        self.primary, self.standby = Node(folder / "a"), Node(folder / "b")
        made = self.primary.cluster
        made.make(self.primary.identity, fsync=False)
        shutil.copytree(made.dir, self.standby.cluster.dir)
        shutil.copy(made.password_file, self.standby.cluster.password_file)
        self.primary.start()
        migrate(self.primary.address.url_for(OWNER, DATABASE))

    def follow(self) -> None:
        """Copy the primary again while it runs, and let the copy follow it."""
        copy = self.standby.cluster.dir
        shutil.rmtree(copy)
        address = self.primary.address
        self.primary.back_up(copy)
        (copy / "standby.signal").touch()
        conninfo = f"host={address.host} port={address.port} user={SUPERUSER}"
        with (copy / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
            settings.write(f"primary_conninfo = '{conninfo} application_name={STANDBY}'\n")
            settings.write("wal_retrieve_retry_interval = '200ms'\n")
        process.hand_over(copy, self.standby.identity)
        self.standby.start()

    def wait_for_standby(self, *, wanted: bool) -> None:
        """Let every commit wait for the standby, or for nobody."""
        name = STANDBY if wanted else ""
        self.primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.primary.sql("SELECT pg_reload_conf()")
        until(lambda: self.primary.sql("SHOW synchronous_standby_names") == name)
        if wanted:
            self.until_synchronous()

    def until_synchronous(self) -> None:
        state = "SELECT sync_state FROM pg_stat_replication"
        until(lambda: self.primary.sql(state) == "sync")

    def fail_over(self) -> None:
        """Make the standby the primary; the other one must be dead."""
        self.standby.sql("SELECT pg_promote()")
        self.primary, self.standby = self.standby, self.primary
        self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = ''")
        self.primary.sql("SELECT pg_reload_conf()")

    def stop(self) -> None:
        for node in (self.standby, self.primary):
            node.stop()

    def commits_waiting(self) -> int:
        """How many commits wait on the primary for its standby."""
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        return int(self.primary.sql(waiting))

    def given_up(self) -> list[str]:
        """What the servers' logs say of commits that gave up their wait."""
        return [
            line
            for node in (self.primary, self.standby)
            for line in node.cluster.log_file.read_text(encoding="utf-8").splitlines()
            if "canceling" in line and "synchronous replication" in line
        ]

    def url_for(self, role: str, database: str = DATABASE) -> str:
        """Return an address of both servers, for whoever wants the one that takes writes."""
        hosts = ",".join(node.address.host for node in (self.primary, self.standby))
        where = urlencode({"host": hosts, "target_session_attrs": "read-write"}, quote_via=quote)
        return f"postgresql+asyncpg://{role}@/{database}?{where}"


@dataclass(frozen=True)
class PairDatabase:
    """The pair as the tests of the doors know a database."""

    pair: Pair

    @property
    def service_url(self) -> str:
        return self.pair.url_for(SERVICE)

    @property
    def superuser_url(self) -> str:
        return self.pair.primary.address.url_for(SUPERUSER, DATABASE)
