"""A Citus cluster for tests: a database of our own on each of its nodes, and what happens to nodes.

WALLET_TEST_CITUS_URL leads to the coordinator, as a superuser. The nodes are those that it knows.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from app.database_url import node_url
from app.ledger.citus import Place
from app.postgres.cluster import OPS, OWNER, SERVICE, SUPERUSER
from tests.deploy.files import ROOT

CITUS_URL_GIVEN, CITUS_URL = "WALLET_TEST_CITUS_URL", "TESTS_CITUS_URL"
"""The variable that names a Citus cluster, and the one that the tests read it from."""

WHY_SKIPPED: Final = f"{CITUS_URL_GIVEN} names no cluster"

START_SECONDS_MAX: Final = 30

_END: Final = "pg_terminate_backend(pid, 5000)"

INTRODUCE: Final = ROOT / "deploy" / "citus" / "introduce.sql"


def others(places: Mapping[int, Place]) -> Mapping[int, Place]:
    """Return another node for each bucket than the one that owns it."""
    nodes = sorted(set(places.values()))
    return {
        bucket: nodes[(nodes.index(place) + 1) % len(nodes)] for bucket, place in places.items()
    }


@dataclass(frozen=True)
class Citus:
    """A database on the coordinator and on each node, with the newest schema."""

    url: str
    """of the coordinator's own database, as superuser"""
    name: str
    coordinator: Place
    nodes: tuple[Place, ...]

    def url_for(self, role: str | None = None, at: Place | None = None) -> str:
        """Return the address of the database at a node; None: at the coordinator, as superuser."""
        place = at or self.coordinator
        url = node_url(self.url, place.host, place.port)
        parts = urlsplit(url)
        login = parts.netloc if role is None else f"{role}@{place.host}:{place.port}"
        return f"{parts.scheme}://{login}/{self.name}"

    @property
    def service_url(self) -> str:
        return self.url_for(SERVICE)

    @property
    def owner_url(self) -> str:
        return self.url_for(OWNER)

    @property
    def superuser_url(self) -> str:
        """Reading above all buckets, past the code under test."""
        return self.url_for()

    async def rows(
        self, query: str, *arguments: object, at: Place | None = None, then: str | None = None
    ) -> list[asyncpg.Record]:
        """Ask a node's database itself; and then, on the same connection, run a statement."""
        connection = await asyncpg.connect(self.url_for(at=at), timeout=10)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
            if then is not None:
                await connection.execute(then)
            return rows
        finally:
            await connection.close()


async def find(url: str, name: str) -> Citus:
    """Name a database of the cluster, which may not be there yet."""
    parts = urlsplit(url)
    coordinator = Place(parts.hostname or "localhost", parts.port or 5432)
    connection = await asyncpg.connect(url, timeout=10)
    try:
        rows = await connection.fetch(
            "SELECT nodename, nodeport FROM pg_dist_node"
            " WHERE groupid > 0 AND noderole = 'primary' ORDER BY groupid"
        )
    finally:
        await connection.close()
    return Citus(url, name, coordinator, tuple(Place(*row) for row in rows))


async def make(url: str, name: str) -> Citus:
    """Make the database on every node, and the cluster that they are."""
    made = await find(url, name)
    await drop(made)
    await make_on(made)
    return made


async def make_on(made: Citus) -> None:
    """Make the database on every node that was named, and the cluster that they are."""
    for place in (made.coordinator, *made.nodes):
        await _make_database(made, place)
    connection = await asyncpg.connect(made.url_for(), timeout=10)
    try:
        await connection.execute("SELECT citus_set_coordinator_host($1, $2)", *made.coordinator)
        for place in made.nodes:
            await connection.execute("SELECT citus_add_node($1, $2)", *place)
        await connection.execute(INTRODUCE.read_text(encoding="utf-8"))
    finally:
        await connection.close()


async def _make_database(made: Citus, place: Place) -> None:
    connection = await asyncpg.connect(node_url(made.url, place.host, place.port), timeout=10)
    try:
        await connection.execute("SET citus.enable_create_role_propagation = off")
        for role in (OWNER, SERVICE, OPS):
            if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(f"CREATE ROLE {role} LOGIN")
        await connection.execute(f"CREATE DATABASE {made.name} OWNER {OWNER}")
    finally:
        await connection.close()
    connection = await asyncpg.connect(made.url_for(at=place), timeout=10)
    try:
        await connection.execute("CREATE EXTENSION citus")
    finally:
        await connection.close()


async def close_template(made: Citus) -> None:
    """Let nobody into the database any more."""
    for place in (made.coordinator, *made.nodes):
        await _run_beside(made, place, f"ALTER DATABASE {made.name} ALLOW_CONNECTIONS false")


async def clone(url: str, template: str, name: str) -> Citus:
    """Copy a database on every node: with it goes what each knows of the others."""
    made = await find(url, name)
    await drop(made)
    for place in (made.coordinator, *made.nodes):
        await _run_beside(
            made,
            place,
            # Citus's own daemons are connected to a database for as long as it is used.
            f"SELECT {_END} FROM pg_stat_activity WHERE datname = '{template}'",
            f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER} STRATEGY FILE_COPY",
        )
    await made.rows(f"ALTER SERVER buckets OPTIONS (SET dbname '{name}')")
    return made


async def _run_beside(made: Citus, place: Place, *statements: str) -> None:
    """Run statements at a node, about a database that nobody may be connected to."""
    connection = await asyncpg.connect(node_url(made.url, place.host, place.port), timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def drop(made: Citus) -> None:
    """Drop the database on every node, with whoever is still connected.

    Citus's own daemon of a database connects to it once more before it ends, which a DROP would
    keep from it: so it is ended before, and is not let in again.
    """
    for place in (made.coordinator, *made.nodes):
        await _run_beside(
            made,
            place,
            f"UPDATE pg_database SET datallowconn = false WHERE datname = '{made.name}'",
            f"SELECT {_END} FROM pg_stat_activity WHERE datname = '{made.name}'",
        )
    for place in (made.coordinator, *made.nodes):
        await _run_beside(made, place, f"DROP DATABASE IF EXISTS {made.name} WITH (FORCE)")


async def drop_all(url: str, prefix: str) -> None:
    """Drop every database of a run."""
    for name in await _names(url, prefix):
        await drop(await find(url, name))


async def drop_left(url: str, prefix: str) -> None:
    """Drop what runs have left that were killed; their process's number follows the prefix."""
    for name in await _names(url, prefix):
        if not _is_running(name.removeprefix(prefix).partition("_")[0]):
            await drop(await find(url, name))


def _is_running(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


async def _names(url: str, prefix: str) -> list[str]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        rows = await connection.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix
        )
        return [row["datname"] for row in rows]
    finally:
        await connection.close()


@dataclass(frozen=True)
class CitusServer:
    """The cluster as the server of a run: its databases are found at the coordinator."""

    url: str
    data_dir: Path
    """of the run"""

    def url_for(self, role: str, database: str) -> str:
        """Return the address of a database for a role; the superuser is whoever was given."""
        parts = urlsplit(self.url)
        login = parts.netloc.rpartition("@")[0] if role == SUPERUSER else role
        return f"{parts.scheme}://{login}@{parts.netloc.rpartition('@')[2]}/{database}"

    def psql_command(self, role: str, database: str) -> str:
        """Return a command to look into a database with."""
        return f"psql {self.url_for(role, database)}"


@dataclass(frozen=True)
class Server:
    """A node whose server runs on this machine, where it can be killed and started again."""

    pid: int
    data: Path
    program: Path
    owner: int

    def kill(self) -> None:
        """Kill the postmaster with signal 9, and all that it started with it."""
        children = (
            Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
        )
        for pid in (self.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Start it again; it recovers from its log."""
        command = [str(self.program.with_name("pg_ctl")), "-D", str(self.data), "-w", "-t"]
        command += [str(START_SECONDS_MAX), "-l", str(self.data.with_suffix(".log")), "start"]
        # A postmaster that was killed leaves its note behind, and its sockets' locks.
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            done = subprocess.run(
                command,
                user=self.owner,
                # Where it looks for certificates when it connects to other nodes.
                env={"HOME": str(self.data), "PATH": os.defpath},
                capture_output=True,
                check=False,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=2 * START_SECONDS_MAX,
            )
            if done.returncode == 0:
                return
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.2)


async def server_of(citus: Citus, place: Place) -> Server | None:
    """Return the server of a node, if it runs on this machine."""
    (row,) = await citus.rows(
        "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::integer AS pid,"
        " current_setting('data_directory') AS data",
        at=place,
    )
    return _here(row["pid"], Path(row["data"]))


def _here(pid: int, data: Path) -> Server | None:
    process = Path(f"/proc/{pid}")
    if (
        not data.exists()
        or not process.exists()
        or b"postgres" not in (process / "cmdline").read_bytes()
    ):
        return None
    return Server(pid, data, (process / "exe").resolve(), data.stat().st_uid)


async def until_it_answers(citus: Citus, place: Place) -> None:
    """Return when a node accepts connections again."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            await citus.rows("SELECT 1", at=place)
        except (OSError, asyncpg.PostgresError):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        else:
            return
