"""The contenders: the service under several loads, and its four opponents."""

import json
import secrets
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from typing_extensions import override

from app.postgres.cluster import OWNER, SERVICE
from bench.meter import Transactions, cpu_us, memory_mb, postgres_cpu_us
from bench.place import CALLBACK_KEY, HERE, TPCB, Place, run

PGBENCH_CLIENTS = 32
FUNCTION_TRIES_MAX = 100

PLAYING_MIXED = 256
"""Four for each of 64 connections."""

BEFORE_SECONDS, BEFORE_CONNECTIONS = 1, 64
"""The ordinary traffic that a storm repeats: some thousands of movements."""


class Sample(NamedTuple):
    """One run of one contender."""

    rate: float
    """requests per second that were answered as they should be"""
    p50_ms: float
    p99_ms: float
    errors: int
    server_us: float | None
    """CPU time of the server for each of them; None: there is no server"""
    postgres_us: float
    memory_mb: float | None
    rolled_back: float
    """share of the transactions that would have written"""
    per_commit: float | None
    """movements that a transaction wrote, where one wrote; None: the journal is not read"""


class Written(NamedTuple):
    """What the journal has gained."""

    movements: int
    """accepted, and refused for ever"""
    transactions: int


class Told(NamedTuple):
    """What a load generator says of its run."""

    seconds: float
    requests: int
    p50_ms: float
    p99_ms: float
    errors: int
    """requests without an answer, or with another one than they call for"""
    unwritten: int = 0
    """requests that rightly wrote nothing: repeats"""


@dataclass(frozen=True)
class Contender(ABC):
    """Somebody who moves money on a database while it is looked at what that costs."""

    name: str
    place: Place
    database: str
    pids: tuple[int, ...] = ()
    has_journal: bool = True
    """whether its journal is ours to read; another release's may look otherwise"""

    @property
    def in_flight(self) -> int:
        """How many requests may be under way when the load ends: decided, but not answered."""
        return 0

    @abstractmethod
    def load(self, seconds: int) -> Told:
        """Work for so long."""

    def written_since(self, moment: str) -> Written | None:
        """What the journal has gained; None: it is not asked."""
        if not self.has_journal:
            return None
        question = (
            "SELECT count(*), count(DISTINCT xmin::text) FROM movements"  # noqa: S608
            f" WHERE ledger_time >= '{moment}'"
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
        written = self.written_since(moment)
        answered, surplus = told.requests - told.errors, 0
        if written is not None:
            # Only what the journal bears out counts: all that should be written, nothing twice.
            borne_out = written.movements + told.unwritten
            answered = min(answered, borne_out)
            surplus = max(borne_out - told.requests - self.in_flight, 0)
        moved, commits = written or (answered, committed)
        answered = max(answered, 1)
        return Sample(
            rate=answered / told.seconds,
            p50_ms=told.p50_ms,
            p99_ms=told.p99_ms,
            errors=max(told.requests - answered, told.errors) + surplus,
            server_us=server / answered if self.pids else None,
            postgres_us=postgres / answered,
            memory_mb=memory_mb(self.pids) if self.pids else None,
            rolled_back=rolled_back / max(commits + rolled_back, 1),
            per_commit=moved / max(commits, 1) if self.has_journal else None,
        )

    def _transactions(self) -> Transactions:
        question = "SELECT xact_commit, xact_rollback FROM pg_stat_database WHERE datname = "
        answer = self.place.ask(self.database, f"{question}'{self.database}'")
        committed, rolled_back = answer.split("|")
        return Transactions(int(committed), int(rolled_back))

    def _transactions_since(self, before: Transactions) -> Transactions:
        # A session that is idle a second after its last report tells the rest ten seconds later:
        # that rest is counted in whichever row runs then.
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
    mix: str = "ordinary"
    """what the requests are, in the words of load.lua"""
    players_file: str = "-"
    run_name: str = ""
    storm_length: int = 0
    lasts: int = 1
    """how many times as long as the others it runs: who is slow needs longer to play a mix"""

    @property
    @override
    def in_flight(self) -> int:
        return self.connections

    @override
    def load(self, seconds: int) -> Told:
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "--timeout", "10s"]
        command += ["-s", str(HERE / "load.lua"), f"http://127.0.0.1:{self.port}/moveFunds", "--"]
        command += [CALLBACK_KEY, self.run_name or new_run(), str(self.first), str(self.players)]
        command += [self.mix, str(self.storm_length), self.players_file]
        # A mix has wins, aborts and cancels soon, if few play at the same time; more than there
        # are connections, so that a player's last movement is answered before the next.
        command += [str(PLAYING_MIXED if self.mix == "mixed" else self.players)]
        return _told(run(command))

    @override
    def run(self, seconds: int) -> Sample:
        return Contender.run(self, seconds * self.lasts)


@dataclass(frozen=True)
class Storm(Closed):
    """wrk: so many callers at once who all repeat what was answered a moment ago."""

    lasts: int = 2
    """Thousands connect first, and as many are unanswered at the end: it must weigh little."""

    @override
    def run(self, seconds: int) -> Sample:
        name = new_run()
        before = replace(self, connections=BEFORE_CONNECTIONS, mix="ordinary", run_name=name)
        moved = before.load(BEFORE_SECONDS).requests
        # The last ones may be under way still, and unanswered.
        length = max(moved - 2 * BEFORE_CONNECTIONS, 1)
        return Closed.run(replace(self, mix="storm", run_name=name, storm_length=length), seconds)


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
    is_mixed: bool = False

    @override
    def load(self, seconds: int) -> Told:
        script = HERE / ("function_mixed.pgbench" if self.is_mixed else "function.pgbench")
        with tempfile.TemporaryDirectory() as folder:
            command = self.place.command("pgbench", SERVICE, self.database)
            command += ["-n", "-M", "prepared", f"-c{self.clients}", f"-j{min(self.clients, 2)}"]
            command += [f"-T{seconds}", f"--max-tries={FUNCTION_TRIES_MAX}", "-D", "turn=0"]
            command += ["-D", f"run={int(new_run(), 16)}", "-f", str(script)]
            command += ["--log", f"--log-prefix={folder}/log", self.database]
            run(command, PGOPTIONS="-c default_transaction_isolation=serializable")
            told, turns = _told_by_log(folder, seconds)
        # Every tenth turn of a client is a repeat.
        return told._replace(unwritten=sum(n // 10 for n in turns) if self.is_mixed else 0)


@dataclass(frozen=True)
class TpcB(Contender):
    """(a) pgbench's own transaction, TPC-B-like."""

    @override
    def load(self, seconds: int) -> Told:
        with tempfile.TemporaryDirectory() as folder:
            command = self.place.command("pgbench", OWNER, TPCB)
            command += ["-n", "-M", "prepared", f"-c{PGBENCH_CLIENTS}", "-j2", f"-T{seconds}"]
            run([*command, "--log", f"--log-prefix={folder}/log", TPCB])
            return _told_by_log(folder, seconds)[0]

    @override
    def written_since(self, moment: str) -> Written | None:
        return None


def new_run() -> str:
    """A name for a run, so that its ids are its own."""
    return secrets.token_hex(4)


def _told(printed: str) -> Told:
    line = next(line for line in printed.splitlines() if line.startswith("RESULT "))
    return Told(**json.loads(line.removeprefix("RESULT ")))


def _told_by_log(folder: str, seconds: int) -> tuple[Told, list[int]]:
    """What pgbench's log says, and how many turns each client had.

    Its lines: client, transaction, microseconds, …; `failed` where there is no time.
    """
    times: list[int] = []
    turns: Counter[str] = Counter()
    for path in Path(folder).iterdir():
        for line in path.read_text().splitlines():
            client, _, microseconds, *_ = line.split()
            turns[client] += 1
            if microseconds.isdecimal():
                times.append(int(microseconds))
    times.sort()
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    requests = turns.total()
    told = Told(seconds, requests, p50 / 1000, p99 / 1000, requests - len(times))
    return told, list(turns.values())
