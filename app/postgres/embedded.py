"""Start the embedded server, or join the one that runs on the same data folder; stop it.

The process that starts a server owns it and stops it; those that join do neither. Two locks
coordinate them: the *start* lock, held while looking and starting, so that of two processes one
starts and the other joins; and the *users* lock, shared by those that joined, so that an owner that
ends first waits for them.
"""

import atexit
import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from app.postgres import process
from app.postgres.address import Address, choose_address, forget_address
from app.postgres.binaries import find_binaries
from app.postgres.cluster import DATABASE, Cluster
from app.postgres.data_folder import cannot_be_used, make_data_dir
from app.postgres.errors import PostgresError
from app.postgres.locks import FileLock
from app.postgres.running import Running, read_running, remove_stale_note
from app.postgres.server_settings import server_arguments

START_SECONDS_MAX = 60
"""Crash recovery reads at most `max_wal_size` back: seconds, and a minute on a slow disk."""

STOP_SECONDS_MAX = 30
"""A fast shutdown writes what is in memory; after this long it is cut off and recovers later."""

LOG_BYTES_MAX = 10_000_000
"""A log this long is put aside at the next start; one older log is kept."""

POLL_SECONDS = 0.02
NOTHING: Mapping[str, str] = MappingProxyType({})

Say = Callable[[str], None]


def say_nothing(_sentence: str) -> None:
    """Print nothing; for callers that need not explain a wait."""


class EmbeddedPostgres:
    """A running server on a data folder, with the addresses that lead to it."""

    def __init__(self, cluster: Cluster, address: Address, kept: process.Kept | None) -> None:
        self._cluster = cluster
        self._address = address
        self._kept = kept
        self._users = FileLock(cluster.users_lock)
        self._stopped = False
        atexit.register(self.stop)

    @classmethod
    def start_or_join(
        cls,
        data_dir: Path,
        *,
        fsync: bool = True,
        own: bool = False,
        loopback: bool = False,
        identity: str | None = None,
        settings: Mapping[str, str] = NOTHING,
        say: Say = say_nothing,
    ) -> Self:
        """Start a server on this data folder, or join the one that runs there.

        With `own` this process must be the one that stops the server: if another process runs it,
        its end is awaited, `say` is called with who runs it, and after a while PostgresError is
        raised. `loopback` avoids unix sockets; `identity` and `settings` are for tests and benches.
        Raises PostgresError.
        """
        identity = identity or process.run_as()
        data_dir = make_data_dir(data_dir, identity)
        try:
            return cls._start_or_join(
                Cluster(data_dir, find_binaries(data_dir)),
                identity,
                fsync=fsync,
                own=own,
                loopback=loopback,
                settings=settings,
                say=say,
            )
        except OSError as error:
            raise PostgresError(cannot_be_used(data_dir, error)) from error

    @classmethod
    def _start_or_join(
        cls,
        cluster: Cluster,
        identity: str,
        *,
        fsync: bool,
        own: bool,
        loopback: bool,
        settings: Mapping[str, str],
        say: Say,
    ) -> Self:
        data_dir = cluster.data_dir
        with FileLock(cluster.start_lock) as lock:
            if not lock.exclusive(0):
                say(f"Another process is starting PostgreSQL in {data_dir}: waiting for it.")
                if not lock.exclusive(2 * START_SECONDS_MAX):
                    raise PostgresError(f"Another process keeps starting PostgreSQL in {data_dir}.")
            joined = cls._join(cluster, own=own, say=say)
            if joined is not None:
                return joined
            if not cluster.made:
                cluster.make(identity, fsync=fsync)
            process.hand_over(cluster.dir, identity)
            address = choose_address(data_dir, cluster.password(), loopback=loopback)
            if address.by_socket:
                process.hand_over(Path(address.host), identity)
            arguments = server_arguments(address, fsync=fsync, extra=settings)
            return cls(cluster, address, _start(cluster, identity, arguments))

    @property
    def joined(self) -> bool:
        """Whether somebody else started the server, and will stop it."""
        return self._kept is None

    @property
    def data_dir(self) -> Path:
        """The data folder as it was found: absolute."""
        return self._cluster.data_dir

    @property
    def log_file(self) -> Path:
        """Where the server writes its log."""
        return self._cluster.log_file

    def url_for(self, role: str, database: str = DATABASE) -> str:
        """Return the address for a role, as SQLAlchemy's URL for asyncpg."""
        return self._address.url_for(role, database)

    def psql_command(self, role: str, database: str = DATABASE) -> str:
        """Return a command line that opens psql, ready to paste into a shell."""
        cluster = self._cluster
        psql = cluster.binaries.program("psql")
        return self._address.psql_command(psql, cluster.password_file, role, database)

    def stop(self, *, wait_for_users_seconds: int = 0) -> None:
        """Stop what we started, and leave what we joined; stopping twice does no harm."""
        if self._stopped:
            return
        self._stopped = True
        atexit.unregister(self.stop)
        if self._kept is not None:
            self._users.exclusive(wait_for_users_seconds)
            _stop(self._kept.process)
            self._kept.keeper.join()
            forget_address(self._address, self._cluster.data_dir)
        self._users.close()

    def __enter__(self) -> Self:
        """Use it in a `with` block, which stops it at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, or leave."""
        self.stop()

    @classmethod
    def _join(cls, cluster: Cluster, *, own: bool, say: Say) -> Self | None:
        """Join the server that runs; None when there is none, however the last one ended."""
        is_said = False
        deadline = time.monotonic() + START_SECONDS_MAX
        while (running := read_running(cluster.dir)) is not None:
            if not running.alive():
                remove_stale_note(cluster.dir)
                return None
            if not own and running.ready and running.answers():
                joined = cls(cluster, _address_of(cluster, running), None)
                # Its owner may have begun to stop it: then it is waited for, and started anew.
                if joined._users.shared(0) and running.answers():
                    return joined
                joined.stop()
            if own and not is_said:
                say(f"{_in_the_way(cluster, running)}: waiting up to {START_SECONDS_MAX} seconds.")
                is_said = True
            if time.monotonic() >= deadline:
                who = _in_the_way(cluster, running)
                raise PostgresError(f"{who}, and did not stop within {START_SECONDS_MAX} seconds.")
            time.sleep(POLL_SECONDS)
        return None


def _address_of(cluster: Cluster, running: Running) -> Address:
    """Return the address that a running server wrote down."""
    return Address(running.host, running.port, cluster.password())


def _in_the_way(cluster: Cluster, running: Running) -> str:
    """Say who runs the server that is in our way."""
    return f"PostgreSQL on {cluster.dir} is run by another process ({running.owner()})"


def _start(cluster: Cluster, identity: str, arguments: list[str]) -> process.Kept:
    """Start the server and wait until it is ready.

    After its main process was killed, a server's other processes may need a moment to end; until
    then they hold the shared memory and PostgreSQL refuses to start. So a start is tried again.
    """
    _put_log_aside(cluster.log_file)
    command = [cluster.binaries.program("postgres"), "-D", str(cluster.dir), *arguments]
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        log_begins = cluster.log_file.stat().st_size if cluster.log_file.exists() else 0
        kept = process.keep(identity, command, cluster.log_file)
        while kept.process.poll() is None:
            running = read_running(cluster.dir)
            if running is not None and running.pid == kept.process.pid and running.ready:
                return kept
            if time.monotonic() >= deadline:
                _stop(kept.process)
                raise PostgresError(_did_not_start(cluster, log_begins))
            time.sleep(POLL_SECONDS)
        said = _log_from(cluster.log_file, log_begins)
        if "shared memory block" not in said or time.monotonic() >= deadline:
            raise PostgresError(_did_not_start(cluster, log_begins))
        time.sleep(POLL_SECONDS)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ask for a fast shutdown, then for an immediate one, then do not ask."""
    for number, seconds in (
        (signal.SIGINT, STOP_SECONDS_MAX),
        (signal.SIGQUIT, 5),
        (signal.SIGKILL, 5),
    ):
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(seconds)
            return


def _did_not_start(cluster: Cluster, log_begins: int) -> str:
    """Quote the last lines of the log that this start wrote."""
    lines = _log_from(cluster.log_file, log_begins).strip().splitlines()[-5:]
    return f"PostgreSQL did not start; its log {cluster.log_file} ends: {' | '.join(lines)}"


def _log_from(log_file: Path, begins: int) -> str:
    """Read the log from a position on."""
    with log_file.open("rb") as log:
        log.seek(begins)
        return log.read().decode("utf-8", errors="replace")


def _put_log_aside(log_file: Path) -> None:
    """Keep one older log, so that logs do not grow for ever."""
    if log_file.exists() and log_file.stat().st_size > LOG_BYTES_MAX:
        log_file.replace(log_file.with_suffix(".log.old"))
