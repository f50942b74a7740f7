"""The story's database, and psql as operations use it: signed in as wallet_ops."""

import asyncio
import shlex
import subprocess
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OPS
from tests.cashier.conftest import till as till_fixture
from tests.conftest import Database, clone
from tests.ops_sql.protection_story import Storyteller as ProtectionStoryteller
from tests.ops_sql.sport_story import Storyteller as SportStoryteller
from tests.ops_sql.story import Storyteller

till = till_fixture


class Psql:
    """Operations' own window on one database."""

    def __init__(self, db: Database) -> None:
        self.db = db

    def run(self, statement: str, *, role: str = OPS, options: str = "") -> tuple[int, str]:
        """Return psql's exit code, and what it printed on both ways."""
        command = shlex.split(self.db.server.psql_command(role, self.db.name) + " " + options)
        done = subprocess.run(
            [*command, "-X", "-v", "ON_ERROR_STOP=1"],
            input=f"SET TIME ZONE 'UTC';\n{statement}",
            capture_output=True,
            check=False,
            text=True,
            timeout=30,
        )
        return done.returncode, done.stdout.removeprefix("SET\n") + done.stderr

    def says(self, statement: str) -> str:
        """Return what psql prints, as it prints it."""
        code, printed = self.run(statement)
        assert code == 0, printed
        return printed.strip("\n")

    def rows(self, statement: str, *, role: str = OPS) -> list[tuple[str, ...]]:
        """Return the rows, every value as text; null is empty."""
        code, printed = self.run(statement, role=role, options="-A -t -F '\x1f'")
        assert code == 0, printed
        return [tuple(line.split("\x1f")) for line in printed.splitlines() if line]


@pytest.fixture(scope="session")
def told(postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """The database in which the story was played; nobody changes it."""
    for db in clone(postgres, template):
        play(Storyteller(db.service_url).tell())
        yield db


@pytest.fixture(scope="session")
def protected(postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """The database in which the story of player protection was played; nobody changes it."""
    for db in clone(postgres, template):
        play(ProtectionStoryteller(db.service_url).tell())
        yield db


@pytest.fixture(scope="session")
def sporting(postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """The database in which the story of the sportsbook was played; nobody changes it."""
    for db in clone(postgres, template):
        play(SportStoryteller(db.service_url).tell())
        yield db


def play(story: Coroutine[object, object, None]) -> None:
    """Play a story from outside any event loop a test may have."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(lambda: asyncio.run(story)).result()


@pytest.fixture
def psql(told: Database) -> Psql:
    return Psql(told)
