"""The console run in this process, which is faster than a process for each command."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

from app.__main__ import contracts, delivery, projection, shadow
from app.console.cli import run_console
from app.console.composition import Composition
from tests.conftest import Database
from tests.console.console import Serving


def nobody_serves() -> NoReturn:
    raise AssertionError("these commands serve nobody")


@dataclass(frozen=True)
class Done:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def complaint(self) -> str:
        """The one sentence of a command that did nothing."""
        assert self.out == ""
        assert "\n" not in self.err.rstrip("\n")
        assert "Traceback" not in self.err
        return self.err.rstrip("\n")


Console = Callable[..., Done]


def run_in_process(*arguments: str) -> Done:
    """Carry out a command on whatever the standard streams are; nothing is captured."""
    composition = Composition(nobody_serves, nobody_serves, delivery, projection, shadow, contracts)
    return Done(run_console(composition, list(arguments)), "", "")


@pytest.fixture
def in_process(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Console:
    """Commands with the settings that the test has made, and no terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments: str) -> Done:
        capsys.readouterr()
        code = run_console(
            Composition(nobody_serves, nobody_serves, delivery, projection, shadow, contracts),
            list(arguments),
        )
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def console(in_process: Console, module_db: Database, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Commands on the database of the test's file."""
    monkeypatch.setenv("WALLET_DATABASE_URL", module_db.service_url)
    monkeypatch.setenv("WALLET_OWNER_DATABASE_URL", module_db.owner_url)
    monkeypatch.setenv("WALLET_CURRENCIES", "BTC:8")
    return in_process


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A running demo, shared by the files that play with it; each test has players of its own."""
    with Serving(tmp_path_factory.mktemp("demo"), ("--demo",)) as serving:
        assert "listens on" in serving.said(), serving.said()
        yield serving


@pytest.fixture
def beside(demo: Serving, in_process: Console, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Commands in the demo's folder, with its settings."""
    monkeypatch.chdir(demo.folder)
    monkeypatch.setenv("WALLET_PORT", str(demo.port))
    return in_process
