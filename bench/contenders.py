"""Who takes part, and one run of each: the service under several loads, and its four opponents."""

import json
import secrets
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from typing_extensions import override

from app.postgres.cluster import OWNER, SERVICE
from bench.meter import Transactions, cpu_us, memory_mb, postgres_cpu_us
from bench.place import CALLBACK_KEY, HERE, TPCB, Place, run

PGBENCH_CLIENTS = 32
FUNCTION_TRIES_MAX = 100


class Sample(NamedTuple):
    """One run of one contender."""

    rate: float
    """movements per second"""
    p50_ms: float
    p99_ms: float
    errors: int
    server_us: float | None
    """CPU time of the server per movement; None: there is no server"""
    postgres_us: float
    memory_mb: float | None
    rolled_back: float
    """share of the transactions that would have written"""
    per_commit: float
    """movements in a transaction that wrote"""


class Written(NamedTuple):
    """What the journal has gained."""

    movements: int
    transactions: int
    refused: int


class Told(NamedTuple):
    """What a load generator says of its run."""

    seconds: float
    requests: int
    p50_ms: float
    p99_ms: float
    errors: int


@dataclass(frozen=True)
class Contender(ABC):
    """Somebody who moves money on a database while it is looked at what that costs."""

    name: str
    place: Place
    database: str
    pids: tuple[int, ...] = ()

    @abstractmethod
    def load(self, seconds: int) -> Told:
        """Work for so long."""

    def written_since(self, moment: str) -> Written | None:
        """What the journal has gained; None: it is not asked."""
        question = (
            "SELECT count(*) FILTER (WHERE decision = 'ACCEPTED'), count(DISTINCT xmin::text),"  # noqa: S608
            " count(*) FILTER (WHERE decision <> 'ACCEPTED')"
            f" + (SELECT count(*) FROM refusals WHERE ledger_time >= '{moment}')"
            f" FROM movements WHERE ledger_time >= '{moment}'"
        )
        return Written(*map(int, self.place.ask(self.database, question).split("|")))

    def run(self, seconds: int) -> Sample:
        """Work for so long, and see what it cost."""
        moment = self.place.ask(self.database, "SELECT clock_timestamp()")
        transactions = self._transactions()
        server, postgres = cpu_us(self.pids), postgres_cpu_us(self.place.postmaster)
        told = self.load(seconds)
        server = cpu_us(self.pids) - server
        postgres = postgres_cpu_us(self.place.postmaster) - postgres
        committed, rolled_back = self._transactions_since(transactions)
        written = self.written_since(moment) or Written(told.requests - told.errors, committed, 0)
        # What was still under way when the load ended is neither counted nor an error.
        moved = max(written.movements, 1)
        refused = max(told.requests - told.errors - written.movements, written.refused)
        return Sample(
            rate=min(moved, told.requests) / told.seconds,
            p50_ms=told.p50_ms,
            p99_ms=told.p99_ms,
            errors=told.errors + refused,
            server_us=server / moved if self.pids else None,
            postgres_us=postgres / moved,
            memory_mb=memory_mb(self.pids) if self.pids else None,
            rolled_back=rolled_back / max(written.transactions + rolled_back, 1),
            per_commit=moved / max(written.transactions, 1),
        )

    def _transactions(self) -> Transactions:
        question = "SELECT xact_commit, xact_rollback FROM pg_stat_database WHERE datname = "
        answer = self.place.ask(self.database, f"{question}'{self.database}'")
        committed, rolled_back = answer.split("|")
        return Transactions(int(committed), int(rolled_back))

    def _transactions_since(self, before: Transactions) -> Transactions:
        # A session reports what it did a second later at the latest.
        time.sleep(1.1)
        now = self._transactions()
        return Transactions(now.committed - before.committed, now.rolled_back - before.rolled_back)


@dataclass(frozen=True)
class Closed(Contender):
    """wrk: so many connections, each sending the next request when the last is answered."""

    port: int = 0
    connections: int = 64
    players: int = 2000
    first: int = 0

    @override
    def load(self, seconds: int) -> Told:
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "--timeout", "10s"]
        command += ["-s", str(HERE / "load.lua"), f"http://127.0.0.1:{self.port}/moveFunds", "--"]
        command += [CALLBACK_KEY, new_run(), str(self.first), str(self.players)]
        return _told(run(command))


@dataclass(frozen=True)
class Paced(Contender):
    """Requests that leave when the clock says so; the rate is chosen just before the run."""

    port: int = 0
    connections: int = 64
    players: int = 2000
    rate: Callable[[], float] = lambda: 1000

    @override
    def load(self, seconds: int) -> Told:
        command = [sys.executable, "-m", "bench.paced", str(self.port), CALLBACK_KEY, new_run()]
        command += [str(self.players), str(self.connections), str(int(self.rate())), str(seconds)]
        return _told(run(command))


@dataclass(frozen=True)
class Function(Contender):
    """(b) pgbench: one call of one SQL function a movement, serializable, one commit each."""

    clients: int = PGBENCH_CLIENTS

    @override
    def load(self, seconds: int) -> Told:
        with tempfile.TemporaryDirectory() as folder:
            command = self.place.command("pgbench", SERVICE, self.database)
            command += ["-n", "-M", "prepared", f"-c{self.clients}", f"-j{min(self.clients, 2)}"]
            command += [f"-T{seconds}", f"--max-tries={FUNCTION_TRIES_MAX}", "-D", "turn=0"]
            command += ["-D", f"run={int(new_run(), 16)}", "-f", str(HERE / "function.pgbench")]
            command += ["--log", f"--log-prefix={folder}/log", self.database]
            run(command, PGOPTIONS="-c default_transaction_isolation=serializable")
            return _told_by_log(folder, seconds)


@dataclass(frozen=True)
class TpcB(Contender):
    """(a) pgbench's own transaction, TPC-B-like."""

    @override
    def load(self, seconds: int) -> Told:
        with tempfile.TemporaryDirectory() as folder:
            command = self.place.command("pgbench", OWNER, TPCB)
            command += ["-n", "-M", "prepared", f"-c{PGBENCH_CLIENTS}", "-j2", f"-T{seconds}"]
            run([*command, "--log", f"--log-prefix={folder}/log", TPCB])
            return _told_by_log(folder, seconds)

    @override
    def written_since(self, moment: str) -> Written | None:
        return None


def new_run() -> str:
    """A name for a run, so that its ids are its own."""
    return secrets.token_hex(4)


def _told(printed: str) -> Told:
    line = next(line for line in printed.splitlines() if line.startswith("RESULT "))
    return Told(**json.loads(line.removeprefix("RESULT ")))


def _told_by_log(folder: str, seconds: int) -> Told:
    """Pgbench's log: client, transaction, microseconds, ….; `failed` where there is no time."""
    times: list[int] = []
    failed = 0
    for path in Path(folder).iterdir():
        for line in path.read_text().splitlines():
            microseconds = line.split()[2]
            if microseconds.isdecimal():
                times.append(int(microseconds))
            else:
                failed += 1
    times.sort()
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    return Told(seconds, len(times) + failed, p50 / 1000, p99 / 1000, failed)
