"""A Citus cluster for tests: a database of our own on each of its nodes, and what happens to nodes.

WALLET_TEST_CITUS_URL leads to the coordinator, as a superuser. The nodes are those that it knows.
"""

import asyncio
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from app.database_url import node_url
from app.ledger.citus import Place
from app.postgres.cluster import OPS, OWNER, SERVICE
from tests.conftest import CITUS_URL_GIVEN
from tests.deploy.files import ROOT

WHY_SKIPPED: Final = f"{CITUS_URL_GIVEN} names no cluster"

START_SECONDS_MAX: Final = 30

INTRODUCE: Final = (ROOT / "deploy" / "citus" / "introduce.sql").read_text(encoding="utf-8")


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
        self, query: str, *arguments: object, at: Place | None = None
    ) -> list[asyncpg.Record]:
        """Ask a node's database itself."""
        connection = await asyncpg.connect(self.url_for(at=at), timeout=10)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
            return rows
        finally:
            await connection.close()


async def make(url: str, name: str) -> Citus:
    """Make the database on every node, and the cluster that they are."""
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
    made = Citus(url, name, coordinator, tuple(Place(*row) for row in rows))
    await drop(made)
    for place in (coordinator, *made.nodes):
        await _make_database(made, place)
    connection = await asyncpg.connect(made.url_for(), timeout=10)
    try:
        await connection.execute("SELECT citus_set_coordinator_host($1, $2)", *coordinator)
        for place in made.nodes:
            await connection.execute("SELECT citus_add_node($1, $2)", *place)
        await connection.execute(INTRODUCE)
    finally:
        await connection.close()
    return made


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


async def drop(made: Citus) -> None:
    """Drop the database on every node, with whoever is still connected."""
    for place in (made.coordinator, *made.nodes):
        connection = await asyncpg.connect(node_url(made.url, place.host, place.port), timeout=10)
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {made.name} WITH (FORCE)")
        finally:
            await connection.close()


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
