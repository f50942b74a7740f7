"""Two PostgreSQL nodes under Patroni, three members of etcd, and HAProxy, on loopback.

Everything is an ordinary process of ours, started from the files of `deploy/ha` with only the
addresses and the sizes changed. As root, they run as an ordinary user, as PostgreSQL wants.
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its types are a package of their own

from app.postgres import process
from app.postgres.cluster import DATABASE, OWNER, SERVICE, SUPERUSER
from tests.deploy.files import ROOT
from tests.ports import free_port
from tests.torture.stage import children_of, freeze, thaw

DEPLOY = ROOT / "deploy" / "ha"
SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
MEMBERS = 3
REST_USER = "patroni"
ASK_SECONDS_MAX = 3
WHOLE_SECONDS_MAX = 120

SMALL = {
    "shared_buffers": "64MB",
    "effective_cache_size": "128MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "max_wal_size": "256MB",
    "min_wal_size": "64MB",
    "wal_keep_size": "128MB",
    "max_connections": 60,
}
"""Sizes of a machine that has other things to do; nothing else of the deployed file is changed."""


def missing_programs() -> list[str]:
    """Return what is not installed, in the names of Debian's packages."""
    programs = {"patroni": "patroni", "etcd": "etcd-server", "haproxy": "haproxy"}
    found = [package for name, package in programs.items() if _program(name) is None]
    return found if _postgres_bin() else [*found, "postgresql"]


def _program(name: str) -> str | None:
    return shutil.which(name, path="/usr/bin:/usr/sbin:/usr/local/bin")


def _postgres_bin() -> Path | None:
    places = [place for place in SYSTEM_POSTGRES.glob("*/bin") if (place / "pg_rewind").exists()]
    return max(places, key=lambda place: int(place.parent.name), default=None)


class NotWholeError(Exception):
    """The cluster did not become whole again in time."""


@dataclass
class Daemon:
    """One process that is started, killed and started again."""

    command: list[str]
    log_file: Path
    identity: str
    kept: process.Kept | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        assert self.kept is not None
        return self.kept.process.pid

    @property
    def is_running(self) -> bool:
        return self.kept is not None and self.kept.process.poll() is None

    def start(self) -> None:
        self.kept = process.keep(self.identity, self.command, self.log_file)

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.is_running:
            os.kill(self.pid, number)


@dataclass
class Node:
    """A database node: Patroni, and the PostgreSQL it looks after."""

    name: str
    folder: Path
    port: int
    rest_port: int
    patroni: Daemon
    frozen: list[int] = field(default_factory=list)

    @property
    def postmaster(self) -> int | None:
        """The pid of PostgreSQL's first process, as its own note says."""
        try:
            note = (self.folder / "data" / "postmaster.pid").read_text(encoding="ascii")
            return int(note.split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def kill_postmaster(self) -> None:
        """Kill the head of PostgreSQL; Patroni stays."""
        if (pid := self.postmaster) is not None:
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """Kill the whole node at once, as a machine that loses its power."""
        self.patroni.kill()
        for pid in self._postgres():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the node's processes, as a machine that hangs or is cut off."""
        self.frozen = [self.patroni.pid, *self._postgres()]
        freeze(self.frozen)

    def thaw(self) -> None:
        thaw(self.frozen)
        self.frozen = []

    def _postgres(self) -> list[int]:
        pid = self.postmaster
        return [] if pid is None else [pid, *children_of(pid)]


class Cluster:
    """The nodes and all that belongs to them."""

    def __init__(self, folder: Path, changes: dict[str, int] | None = None) -> None:
        """`changes`: of the cluster's settings, by name."""
        self.folder = folder
        self.changes = changes or {}
        self.is_synchronous = True
        self.identity = process.run_as()
        self.password = secrets.token_hex(16)
        self.members = self._members()
        self.nodes = self._nodes()
        self.write_port, self.reports_port = free_port(), free_port()
        self.haproxy = self._haproxy()

    # --- what is started ------------------------------------------------------------------------

    def _daemon(self, name: str, *command: str) -> Daemon:
        return Daemon(list(command), self.folder / f"{name}.log", self.identity)

    def _members(self) -> list[Daemon]:
        ports = [(free_port(), free_port()) for _ in range(MEMBERS)]
        self.etcd_hosts = ",".join(f"127.0.0.1:{client}" for client, _ in ports)
        self._etcd_ports = [client for client, _ in ports]
        everybody = ",".join(f"e{n}=http://127.0.0.1:{peer}" for n, (_, peer) in enumerate(ports))
        etcd = _program("etcd")
        assert etcd is not None
        return [
            self._daemon(
                f"etcd-{number}",
                etcd,
                f"--name=e{number}",
                f"--data-dir={self.folder}/etcd-{number}",
                f"--listen-client-urls=http://127.0.0.1:{client}",
                f"--advertise-client-urls=http://127.0.0.1:{client}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-cluster={everybody}",
                "--initial-cluster-token=wallet",
                "--logger=zap",
            )
            for number, (client, peer) in enumerate(ports)
        ]

    def _nodes(self) -> list[Node]:
        patroni, place = _program("patroni"), _postgres_bin()
        assert patroni is not None
        settings = yaml.safe_load((DEPLOY / "patroni.yml").read_text(encoding="utf-8"))
        settings["bootstrap"]["dcs"] |= self.changes
        settings["bootstrap"]["dcs"]["postgresql"]["parameters"] |= SMALL
        nodes = []
        for name in ("db1", "db2"):
            folder = self.folder / name
            folder.mkdir(mode=0o700)
            # The distribution's own folder for sockets belongs to its user.
            settings["postgresql"]["parameters"] = {"unix_socket_directories": str(folder)}
            file = self.folder / f"{name}.yml"
            file.write_text(yaml.safe_dump(settings), encoding="utf-8")
            port, rest_port = free_port(), free_port()
            environment = {
                "PATH": f"{place}:/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
                "PATRONI_NAME": name,
                "PATRONI_RESTAPI_LISTEN": f"127.0.0.1:{rest_port}",
                "PATRONI_RESTAPI_CONNECT_ADDRESS": f"127.0.0.1:{rest_port}",
                "PATRONI_RESTAPI_USERNAME": REST_USER,
                "PATRONI_RESTAPI_PASSWORD": self.password,
                "PATRONI_POSTGRESQL_LISTEN": f"127.0.0.1:{port}",
                "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"127.0.0.1:{port}",
                "PATRONI_POSTGRESQL_DATA_DIR": f"{folder}/data",
                "PATRONI_POSTGRESQL_BIN_DIR": str(place),
                "PATRONI_POSTGRESQL_PGPASS": f"{folder}/pgpass",
                "PATRONI_ETCD3_HOSTS": self.etcd_hosts,
                "PATRONI_SUPERUSER_PASSWORD": self.password,
                "PATRONI_REPLICATION_PASSWORD": self.password,
                "PATRONI_REWIND_PASSWORD": self.password,
            }
            words = [f"{key}={value}" for key, value in environment.items()]
            daemon = self._daemon(name, "/usr/bin/env", *words, patroni, str(file))
            nodes.append(Node(name, folder, port, rest_port, daemon))
        return nodes

    def _haproxy(self) -> Daemon:
        text = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
        text = text.replace("bind *:5000", f"bind 127.0.0.1:{self.write_port}")
        text = text.replace("bind *:5001", f"bind 127.0.0.1:{self.reports_port}")
        for node in self.nodes:
            there = f"127.0.0.1:{node.port} check port {node.rest_port}"
            text = text.replace(f"{node.name}:5432 check port 8008", there)
        file = self.folder / "haproxy.cfg"
        file.write_text(text, encoding="utf-8")
        haproxy = _program("haproxy")
        assert haproxy is not None
        return self._daemon("haproxy", haproxy, "-db", "-f", str(file))

    async def start(self) -> None:
        """Start everything, and make the wallet's roles and database."""
        process.hand_over(self.folder, self.identity)
        for member in self.members:
            member.start()
        await self._until(lambda: self._etcd_leader() is not None)
        for node in self.nodes:
            node.patroni.start()
        self.haproxy.start()
        await self.until_whole()
        await asyncio.to_thread(self._make_roles)

    def _make_roles(self) -> None:
        """Make the database and its roles, by the script of the deployment."""
        place = _postgres_bin()
        environment = {
            "PATH": f"{place}:/usr/bin:/bin",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.write_port),
            "PGPASSWORD": self.password,
            "OWNER_PASSWORD": self.password,
            "SERVICE_PASSWORD": self.password,
            "OPS_PASSWORD": self.password,
        }
        for command in (
            ["psql", "-X", "-q", "-U", SUPERUSER, "-c", f"CREATE DATABASE {DATABASE}"],
            ["sh", str(ROOT / "deploy" / "postgres" / "roles.sh")],
        ):
            subprocess.run(command, env=environment, check=True, timeout=60)

    def stop(self) -> None:
        """End every process, however it is."""
        for node in self.nodes:
            node.thaw()
            node.kill()
        for daemon in (self.haproxy, *self.members):
            daemon.kill()
        for daemon in (self.haproxy, *self.members, *(node.patroni for node in self.nodes)):
            if daemon.kept is not None:
                daemon.kept.keeper.join(10)

    # --- where it is ----------------------------------------------------------------------------

    def url_for(self, role: str, *, through_haproxy: bool = False) -> str:
        """Return the address of whichever node takes writes."""
        start = f"postgresql+asyncpg://{role}:{self.password}@"
        if through_haproxy:
            return f"{start}127.0.0.1:{self.write_port}/{DATABASE}?sslmode=disable"
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        more = "target_session_attrs=read-write&sslmode=disable"
        return f"{start}{hosts}/{DATABASE}?{more}"

    @property
    def service_url(self) -> str:
        return self.url_for(SERVICE)

    @property
    def owner_url(self) -> str:
        return self.url_for(OWNER)

    # --- how it is ------------------------------------------------------------------------------

    def view(self) -> dict[str, dict[str, Any]]:
        """Return the members as Patroni shows them, by name; empty: nobody answers."""
        for node in self.nodes:
            with contextlib.suppress(OSError, ValueError):
                said = self._ask(node, "cluster")
                return {member["name"]: member for member in said["members"]}
        return {}

    def leader(self) -> Node:
        """Return the node that is the primary."""
        view = self.view()
        for node in self.nodes:
            if view.get(node.name, {}).get("role") == "leader":
                return node
        raise NotWholeError(f"there is no leader: {view}")

    def standby(self) -> Node:
        """Return the other node."""
        return self.other_than(self.leader())

    def other_than(self, one: Node) -> Node:
        return next(node for node in self.nodes if node is not one)

    @property
    def is_whole(self) -> bool:
        """Whether there is a primary and a standby that follows it, synchronous if it must be."""
        members = self.view()
        roles = sorted(member.get("role", "") for member in members.values())
        states = {member.get("state") for member in members.values()}
        standby = "sync_standby" if self.is_synchronous else "replica"
        return roles == sorted(["leader", standby]) and states <= {"running", "streaming"}

    async def until_whole(self) -> None:
        """Wait until both nodes are where they belong; start again what was killed."""
        await self._until(lambda: self.is_whole)

    async def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WHOLE_SECONDS_MAX
        while not await asyncio.to_thread(condition):
            if time.monotonic() >= deadline:
                raise NotWholeError(f"after {WHOLE_SECONDS_MAX} s: {self.view()}")
            await asyncio.sleep(0.2)

    def etcd_leader(self) -> Daemon:
        """Return the member of etcd that leads the others."""
        leader = self._etcd_leader()
        if leader is None:
            raise NotWholeError("etcd has no leader")
        return leader

    def _etcd_leader(self) -> Daemon | None:
        for member, port in zip(self.members, self._etcd_ports, strict=True):
            with contextlib.suppress(OSError, ValueError):
                said = _post(f"http://127.0.0.1:{port}/v3/maintenance/status", b"{}", {})
                if said.get("leader") == said["header"]["member_id"]:
                    return member
        return None

    def switch_over(self) -> None:
        """Let Patroni swap primary and standby, as an operator does.

        Patroni refuses for a moment while the standby is not yet known to be synchronous.
        """
        deadline = time.monotonic() + WHOLE_SECONDS_MAX
        while True:
            leader, standby = self.leader(), self.standby()
            wish = json.dumps({"leader": leader.name, "candidate": standby.name}).encode()
            try:
                self._ask(leader, "switchover", wish, seconds=60)
            except OSError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.5)
            else:
                return

    def make_asynchronous(self) -> None:
        """Change the cluster's settings, as `patronictl edit-config` does."""
        change = json.dumps({"synchronous_mode": False}).encode()
        self._ask(self.leader(), "config", change, method="PATCH")
        self.is_synchronous = False

    def _ask(
        self,
        node: Node,
        path: str,
        body: bytes | None = None,
        *,
        method: str | None = None,
        seconds: int = ASK_SECONDS_MAX,
    ) -> Any:  # noqa: ANN401 - any JSON
        word = base64.b64encode(f"{REST_USER}:{self.password}".encode()).decode()
        url = f"http://127.0.0.1:{node.rest_port}/{path}"
        headers = {"Authorization": f"Basic {word}", "Content-Type": "application/json"}
        return _post(url, body, headers, method=method, seconds=seconds)


def _post(
    url: str,
    body: bytes | None,
    headers: dict[str, str],
    *,
    method: str | None = None,
    seconds: int = ASK_SECONDS_MAX,
) -> Any:  # noqa: ANN401 - any JSON
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise OSError(f"{url}: HTTP {error.code}: {error.read()[:300]!r}") from error
    return json.loads(text) if text[:1] in {b"{", b"["} else text
