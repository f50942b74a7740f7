"""Fixtures of all tests: a database for each test, on a real PostgreSQL started for the run.

The first test that wants a database starts the server, whichever worker it runs in; the other
workers join it. One template is migrated once, and each `db` is a clone of it.
"""

import asyncio
import functools
import itertools
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from argon2 import PasswordHasher
from hypothesis import settings

from app.cashier import passwords
from app.ledger.citus import Place
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.migrations import upgrade
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OPS, OWNER, SERVICE, SUPERUSER
from app.postgres.locks import FileLock
from app.wallet.buckets import bucket_of, schema_of
from tests.citus import cluster
from tests.citus.cluster import CITUS_URL, CITUS_URL_GIVEN, WHY_SKIPPED, CitusServer
from tests.long import turn
from tests.loops import StrictLoop

T = TypeVar("T")

RUN_FOLDER = "TESTS_RUN_FOLDER"
"""The variable that tells the workers where this run's files lie."""

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
MEMORY_BYTES_MIN = 4 << 30
"""A run's server needs some hundred megabytes: databases are dropped with their tests, and copying
one is a checkpoint, after which the log begins again."""

BUCKETS = int(os.environ.get("TESTS_BUCKETS", "1"))
"""How many buckets the ledgers of this run have: `make test-buckets` asks for 4."""

EMPTY = "template1"
"""The database that every other one is a clone of, which no migration has seen."""

RUN_PREFIX = "wallet_test_"
"""How the names of test databases begin; the number of the run's process follows."""

ON_NODES = os.environ.get("TESTS_ON_NODES") == "1"
"""Whether the ledgers of this run are on a Citus cluster: `make test-citus` asks for it, and `make
test-nodes`. Everything is skipped where none is named."""

VIA_OTHER_NODES = os.environ.get("TESTS_VIA_OTHER_NODES") == "1"
"""Whether every process takes each bucket for another node's: `make test-nodes VIA=other`."""

WAIT_FOR_OTHER_WORKERS_SECONDS = 300


# A slow machine is no failure, and a failure prints what repeats it.
# `--hypothesis-profile=thorough` looks for longer.
settings.register_profile("ordinary", deadline=None, print_blob=True)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=3000)
settings.load_profile("ordinary")


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's folder, once, before there are workers; forget the caller's settings."""
    # Under a name of ours: a command refuses settings that it does not know.
    if CITUS_URL_GIVEN in os.environ:
        os.environ[CITUS_URL] = os.environ[CITUS_URL_GIVEN]
    for name in [name for name in os.environ if name.startswith("WALLET_")]:
        del os.environ[name]
    if BUCKETS != 1:
        os.environ["WALLET_BUCKETS"] = str(BUCKETS)
    # A shell starts what it runs in the background with Ctrl-C ignored, and programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        # The path of a socket that lies deep in it is a hundred characters long at most.
        os.environ[RUN_FOLDER] = run = tempfile.mkdtemp(prefix=f"wt-{os.getpid()}-", dir=_memory())
        # Servers of single tests lie there, too: what they commit is on the disk at once.
        config.option.basetemp = config.option.basetemp or f"{run}/t"


def _memory() -> Path | None:
    """Where files cost nothing: hundreds of databases are made and dropped; None: on the disk."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < MEMORY_BYTES_MIN:
        return None
    for left in MEMORY.glob("wt-*-*"):
        # A run that was killed could not remove its own.
        if not Path(f"/proc/{left.name.split('-')[1]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    return MEMORY


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's
    """Give a worker one file at a time, and of those that take long one test."""
    from tests.turns import Turns  # noqa: PLC0415 - only where there are workers

    return Turns(config, log) if config.getvalue("dist") in {"load", "loadgroup"} else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; skip what this run is not about."""
    items.sort(key=lambda item: turn(item.nodeid))
    _skip_what_is_about_one_bucket(items)
    if ON_NODES and CITUS_URL not in os.environ:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=WHY_SKIPPED))


def _skip_what_is_about_one_bucket(items: list[pytest.Item]) -> None:
    """Skip what is about one bucket, one server or its own node elsewhere: its mark says why."""
    if BUCKETS == 1:
        return
    skipped = {"one_bucket": "one bucket"} | ({"one_server": "one server"} if ON_NODES else {})
    if VIA_OTHER_NODES:
        skipped["own_node"] = "its own node"
    for item in items:
        for name, why in skipped.items():
            mark = item.get_closest_marker(name)
            if mark is not None:
                item.add_marker(pytest.mark.skip(reason=f"{why}: {mark.args[0]}"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop this run's server, and remove the run's folder when all workers are gone."""
    if superuser_of.cache_info().currsize:
        for server in servers:
            superuser_of(server).close()
    for server in servers:
        server.stop(wait_for_users_seconds=WAIT_FOR_OTHER_WORKERS_SECONDS)
    servers.clear()
    if not hasattr(config, "workerinput"):
        if ON_NODES and CITUS_URL in os.environ:
            apart(cluster.drop_all(os.environ[CITUS_URL], run_prefix()))
        shutil.rmtree(os.environ.pop(RUN_FOLDER), ignore_errors=True)


def pytest_asyncio_loop_factories() -> dict[str, type[StrictLoop]]:
    """Give every test a loop that tells what the test leaves open."""
    return {"strict": StrictLoop}


def schema_for(user_id: str) -> str:
    """Return where rows of this player are written by hand."""
    return "public" if BUCKETS == 1 else schema_of(bucket_of(user_id, BUCKETS), BUCKETS)


@dataclass(frozen=True)
class Database:
    """A database with the newest schema, and the addresses of all who may use it."""

    server: EmbeddedPostgres | CitusServer
    name: str
    buckets: int = BUCKETS

    @property
    def service_url(self) -> str:
        return self.server.url_for(SERVICE, self.name)

    @property
    def owner_url(self) -> str:
        return self.server.url_for(OWNER, self.name)

    @property
    def ops_url(self) -> str:
        return self.server.url_for(OPS, self.name)

    @property
    def superuser_url(self) -> str:
        return self.server.url_for(SUPERUSER, self.name)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Hash passwords by the same algorithm at its least price; test_passwords.py has the real one.

    A sign-in at the real price is a tenth of a second's work, and tests do hundreds of them.
    """
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", cheap)
        patch.setattr(passwords, "NOBODYS", cheap.hash("nobody's"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _via_other_nodes() -> Iterator[None]:
    """Have every process reach each bucket through a node that does not own it, if so asked."""
    with pytest.MonkeyPatch.context() as patch:
        if VIA_OTHER_NODES:
            patch.setattr(PlacedLedger, "_find_places", _places_of_others)
        yield


_places = PlacedLedger._find_places


async def _places_of_others(ledger: PlacedLedger) -> Mapping[int, Place]:
    return cluster.others(await _places(ledger))


servers: list[EmbeddedPostgres] = []
"""The one of this run, if it was started: it is stopped after the last test, whose time limit would
else hold for the wait for the other workers, too."""


@pytest.fixture(scope="session")
def postgres() -> EmbeddedPostgres | CitusServer:
    """The server of this run; nothing on it outlives the run, so nothing waits for the disk."""
    if ON_NODES:
        return CitusServer(os.environ[CITUS_URL], Path(os.environ[RUN_FOLDER]))
    server = EmbeddedPostgres.start_or_join(Path(os.environ[RUN_FOLDER]) / "data", fsync=False)
    servers.append(server)
    return server


class Superuser:
    """One connection that makes and drops databases; a psql for each would cost as much again."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = ThreadPoolExecutor(1)
        url = server.url_for(SUPERUSER, SUPERUSER).replace("+asyncpg", "")
        self._connection = self._run(asyncpg.connect(url))

    def say(self, statement: str) -> None:
        self._run(self._connection.execute(statement))

    def close(self) -> None:
        self._run(self._connection.close())
        self._thread.shutdown()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._thread.submit(self._loop.run_until_complete, work).result(60)


@functools.cache
def superuser_of(server: EmbeddedPostgres) -> Superuser:
    """Return the superuser of this run's server."""
    return Superuser(server)


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres | CitusServer) -> str:
    """The name of the migrated database that the others are clones of."""
    return template_with(postgres, BUCKETS)


def run_prefix() -> str:
    """Return how the names of this run's databases begin: other runs may be on the same cluster."""
    return f"{RUN_PREFIX}{Path(os.environ[RUN_FOLDER]).name.split('-')[1]}_"


@functools.cache
def template_with(server: EmbeddedPostgres | CitusServer, buckets: int) -> str:
    """Return the name of a migrated database with so many buckets; the first to ask makes it."""
    name = f"{run_prefix()}template_{buckets}"
    with FileLock(server.data_dir / "template.lock") as lock:
        assert lock.exclusive(60)
        if isinstance(server, CitusServer):
            apart(template_on_nodes(server, name, buckets))
        elif sql(server, f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == "":
            making = f"{name}_making"
            sql(server, f"DROP DATABASE IF EXISTS {making}")
            sql(server, f"CREATE DATABASE {making} OWNER {OWNER}")
            migrate(server.url_for(OWNER, making), buckets)
            sql(server, f"ALTER DATABASE {making} RENAME TO {name}")
    return name


async def template_on_nodes(server: CitusServer, name: str, buckets: int) -> None:
    """Make it in this run: what an earlier one has left may be of another schema."""
    is_made = server.data_dir / name
    if not is_made.exists():
        await cluster.drop_left(server.url, RUN_PREFIX)
        made = await cluster.make(server.url, name)
        await asyncio.to_thread(migrate, made.owner_url, buckets)
        await cluster.close_template(made)
        is_made.touch()


in_buckets = pytest.mark.parametrize(
    "db",
    [1, 4] if BUCKETS == 1 else [BUCKETS],
    ids=lambda buckets: f"{buckets}-buckets",
    indirect=True,
)
"""Marks a test that is run on a ledger with one bucket, and on another with four."""


@pytest.fixture
def db(
    request: pytest.FixtureRequest,
    postgres: EmbeddedPostgres | CitusServer,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Database]:
    """A fresh database for one test."""
    buckets: int = getattr(request, "param", BUCKETS)
    if buckets != BUCKETS:
        monkeypatch.setenv("WALLET_BUCKETS", str(buckets))
    yield from clone(postgres, template_with(postgres, buckets), buckets)


@pytest.fixture(scope="module")
def module_db(postgres: EmbeddedPostgres | CitusServer, template: str) -> Iterator[Database]:
    """A fresh database for the tests of one file, which take care not to meet each other in it."""
    yield from clone(postgres, template)


@pytest.fixture
def empty_db(postgres: EmbeddedPostgres | CitusServer) -> Iterator[Database]:
    """A fresh database that no migration has seen."""
    yield from clone(postgres, EMPTY)


numbers = itertools.count(1)


def clone(
    server: EmbeddedPostgres | CitusServer, template: str, buckets: int = BUCKETS
) -> Iterator[Database]:
    """Make a database from a template, and drop it with whoever is still connected."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    name = f"{run_prefix()}{worker}_{next(numbers)}"
    if isinstance(server, CitusServer):
        if template == EMPTY:
            made = apart(cluster.make(server.url, name))
        else:
            made = apart(cluster.clone(server.url, template, name))
        yield Database(server, name, buckets)
        apart(cluster.drop(made))
        return
    # Its files are copied, and not written to the log; nothing here outlives a crash.
    say = superuser_of(server).say
    say(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER} STRATEGY FILE_COPY")
    yield Database(server, name, buckets)
    say(f"DROP DATABASE {name} WITH (FORCE)")


def migrate(url: str, buckets: int = BUCKETS) -> None:
    """Migrate from outside any event loop a test may have."""
    apart(upgrade(url, buckets=buckets))


def apart(work: Coroutine[object, object, T]) -> T:
    """Do this outside of any event loop that a test may have."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: asyncio.run(work)).result()


def sql(server: EmbeddedPostgres | CitusServer, statement: str, database: str = SUPERUSER) -> str:
    """Let psql say one statement as superuser, and return what came back."""
    command = shlex.split(server.psql_command(SUPERUSER, database))
    done = subprocess.run(
        [*command, "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
