"""The environment of a bench: one PostgreSQL, its databases, and the programs that take part.

One embedded server, durable, serves everybody. `small` is made anew for every bench; `large`, with
millions of movements, and pgbench's own database are made once and kept.
"""

import asyncio
import os
import resource
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from app.ledger.buckets.splitting import split
from app.ledger.migrations import upgrade
from app.ledger.owner_changes import finish_upgrade
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OWNER, SERVICE, SUPERUSER

HERE = Path(__file__).parent
DATA = HERE.parent / "build" / "bench"
CALLBACK_KEY = "a-key-for-the-bench"

SMALL, LARGE, TPCB, SPLIT = "small", "large", "tpcb", "split"
BUCKETS = 4
"""Of the ledger that is split."""
SMALL_PLAYERS = 2_000
LARGE_PLAYERS, LARGE_MOVEMENTS = 500_000, 10
TPCB_SCALE = 50

READY_SECONDS_MAX = 30

DESCRIPTORS = 4096
"""A storm's connections, once as the load's and once as the server's, which inherits the limit."""

LOG_MB_PER_SECOND = 20
"""An average: the rows wrote 5 (lone requests) to 60 (TPC-B-like) in all, data included."""
LOG_SEGMENT_MB = 16

USE_LOG_SEGMENTS = """
DO $$ BEGIN FOR n IN 1..{count} LOOP
    PERFORM pg_logical_emit_message(false, 'bench', 'on to the next');
    PERFORM pg_switch_wal();
END LOOP; END $$
"""


class ToolMissingError(Exception):
    """A program that the bench needs is not installed."""


class Program(NamedTuple):
    """A server under test: where it listens, and its processes."""

    name: str
    port: int
    pids: tuple[int, ...]
    """those that serve, not the one that watches over them"""


class Place:
    """The PostgreSQL of a bench, and how the tools reach it."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        pid_file = next(server.data_dir.glob("postgres-*/postmaster.pid"))
        self.postmaster = int(pid_file.read_text().splitlines()[0])

    def command(self, program: str, role: str, database: str) -> list[str]:
        """A command line of psql or pgbench, up to its own options."""
        *front, _psql, host, folder, port, number, user, name, _ = shlex.split(
            self.server.psql_command(role, database)
        )
        return [*front, program, host, folder, port, number, user, name]

    def psql(self, database: str, *words: str, role: str = SUPERUSER) -> str:
        """Run psql and return what it printed."""
        command = [*self.command("psql", role, database), "-XAtq", "-v", "ON_ERROR_STOP=1"]
        return run([*command, *words, database])

    def ask(self, database: str, question: str) -> str:
        """One statement as superuser, one answer."""
        return self.psql(database, "-c", question).strip()

    def has(self, database: str) -> bool:
        """Whether the database is there."""
        return bool(self.ask(SUPERUSER, f"SELECT 1 FROM pg_database WHERE datname = '{database}'"))  # noqa: S608

    def make(self, database: str, players: int, movements: int) -> None:
        """Make a database with the service's schema and so many players and movements of each."""
        making = f"{database}_making"
        self.ask(SUPERUSER, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.make_empty(making)
        asyncio.run(upgrade(self.server.url_for(OWNER, making)))
        files = ["-f", str(HERE / "function.sql"), "-f", str(HERE / "players.sql")]
        self.psql(making, *files, role=OWNER)
        fast = (
            "SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'"
        )
        self.psql(making, "-c", f"{fast}; SELECT bench_players({players}, {movements})", role=OWNER)
        self.psql(making, "-c", "VACUUM ANALYZE")
        self.ask(SUPERUSER, f"ALTER DATABASE {making} RENAME TO {database}")
        self.ask(SUPERUSER, "CHECKPOINT")

    def make_split(self) -> None:
        """Make a database like the small one, and split it into buckets."""
        self.make(SPLIT, SMALL_PLAYERS, 1)
        asyncio.run(split(self.server.url_for(OWNER, SPLIT), BUCKETS, lambda _: None))
        self.psql(SPLIT, "-c", "VACUUM ANALYZE")

    def make_empty(self, database: str) -> None:
        """Make a database anew, with nothing in it."""
        self.ask(SUPERUSER, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self.ask(SUPERUSER, f"CREATE DATABASE {database} OWNER {OWNER}")

    def bring_forward(self, database: str) -> None:
        """Bring a kept database's schema to the newest revision, and end the upgrade."""
        asyncio.run(upgrade(self.server.url_for(OWNER, database)))
        asyncio.run(finish_upgrade(self.server.url_for(OWNER, database), "bench"))
        self.psql(database, "-f", str(HERE / "function.sql"), role=OWNER)

    def make_tpcb(self) -> None:
        """Make pgbench's own tables."""
        self.ask(SUPERUSER, f"CREATE DATABASE {TPCB} OWNER {OWNER}")
        pgbench = self.command("pgbench", OWNER, TPCB)
        run([*pgbench, "-i", "-s", str(TPCB_SCALE), "-q", TPCB])

    def use_log_again(self, seconds: int) -> None:
        """Make enough WAL segments for a run of this length, as a server has after some days.

        A new segment is written with 16 MB of zeros, and every commit waits for it.
        """
        ahead = (
            "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn())"
        )
        wanted = seconds * LOG_MB_PER_SECOND // LOG_SEGMENT_MB
        if int(self.ask(SUPERUSER, ahead)) < wanted:
            self.ask(SUPERUSER, USE_LOG_SEGMENTS.format(count=wanted))
            self.ask(SUPERUSER, "CHECKPOINT")

    def url(self, database: str, role: str = SERVICE) -> str:
        """Where a role, the service's by default, finds a database."""
        return self.server.url_for(role, database)


@contextmanager
def open_place() -> Iterator[Place]:
    """Start the bench's PostgreSQL, with room for every opponent; stop it at the end.

    Its memory is sized as `docs/deploy.md` asks: a quarter of the machine's for the buffers,
    checkpoints by time, and a log whose segments are used again.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    settings = {
        "max_connections": "250",
        "shared_buffers": f"{memory // 4 >> 20}MB",
        "effective_cache_size": f"{memory * 3 // 4 >> 20}MB",
        "max_wal_size": "16GB",
        "min_wal_size": "8GB",
    }
    with EmbeddedPostgres.start_or_join(DATA, own=True, settings=settings) as server:
        yield Place(server)


@contextmanager
def serving(
    name: str,
    command: list[str],
    environment: Mapping[str, str],
    port: int,
    workers: int,
    *,
    folder: Path = HERE.parent,
) -> Iterator[Program]:
    """Run a server for as long as the block lasts; its log is shown if it does not start."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**plain_environment(), **environment},
            start_new_session=True,
        )
        try:
            try:
                _wait_for(port, process)
            except RuntimeError as error:
                log.seek(0)
                raise RuntimeError(f"{name}: {error}; its log: {log.read()[-4000:]}") from None
            yield Program(name, port, _servers(process.pid, workers))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def wallet(
    place: Place,
    database: str,
    workers: int,
    *,
    module: str = "app",
    checkout: Path = HERE.parent,
    python: str = sys.executable,
    **more: str,
) -> AbstractContextManager[Program]:
    """The service itself; `module` is what is run, from this checkout or another one."""
    port = free_port(1 + workers)
    environment = {
        "WALLET_DATABASE_URL": place.url(database),
        "WALLET_CALLBACK_KEYS": CALLBACK_KEY,
        "WALLET_PORT": str(port),
        "WALLET_PRIVATE_PORT": str(port + 1),
        "WALLET_WORKERS": str(workers),
        **more,
    }
    name = f"wallet, {database}, {workers}"
    command = [python, "-m", module, "serve"]
    return serving(name, command, environment, port, workers, folder=checkout)


def opponent(place: Place, isolation: str) -> AbstractContextManager[Program]:
    """The service most people would write."""
    port = free_port()
    environment = {
        "OPPONENT_DATABASE_URL": place.url(SMALL),
        "OPPONENT_KEY": CALLBACK_KEY,
        "OPPONENT_ISOLATION": isolation,
    }
    command = [sys.executable, "-m", "uvicorn", "bench.opponent.service:app", "--port", str(port)]
    command += ["--no-access-log", "--log-level", "warning"]
    return serving(f"opponent, {isolation}", command, environment, port, 1)


def raise_descriptor_limit() -> bool:
    """Raise the limit for this process and its children; False: the system allows too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
            return False
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    return True


def free_port(count: int = 1) -> int:
    """The first of so many ports in a row that are free, below those the kernel gives away."""
    while True:
        first = secrets.choice(range(10_000, 19_000))
        with suppress(OSError), ExitStack() as stack:
            for port in range(first, first + count):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


def run(command: list[str], **environment: str) -> str:
    """Run a program to its end, and return what it printed; fail with what it complained of."""
    done = subprocess.run(  # noqa: S603 - our own programs
        command,
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, **environment},
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[:3]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def check_tools() -> None:
    """Say which of Debian's programs are missing."""
    packages = {"wrk": "wrk", "pgbench": "postgresql-contrib", "psql": "postgresql-client"}
    missing = [package for tool, package in packages.items() if shutil.which(tool) is None]
    if missing:
        names = " ".join(missing)
        raise ToolMissingError(
            f"The bench needs {names}, and nothing else beside the project: apt-get install {names}"
        )


def plain_environment() -> dict[str, str]:
    """The environment without this wallet's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"a server ended with code {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(b"GET /nowhere HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                if probe.recv(12).startswith(b"HTTP/1.1"):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError("a server did not start in time")


def _servers(pid: int, workers: int) -> tuple[int, ...]:
    """The processes that serve: the program itself, or its workers."""
    if workers == 1:
        return (pid,)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return tuple(int(child) for child in children if _is_worker(child))


def _is_worker(pid: str) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
