"""Every example of docs/reports.md and docs/disputes.md is what is printed, letter by letter."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from app.postgres import EmbeddedPostgres
from tests.conftest import Database, clone
from tests.console.conftest import Console
from tests.reports.conftest import Longer

DOCS = Path(__file__).parents[2] / "docs"
PAGE, DISPUTES = DOCS / "reports.md", DOCS / "disputes.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```csv\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """A command, and what it prints."""

    command: str
    printed: str


def examples(text: str) -> list[Example]:
    """Every command of the page, in its order."""
    found = []
    for block in BLOCK.findall(text):
        for part in re.split(r"^\$ wallet ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            found.append(Example(command, printed))
    return found


@pytest.fixture(scope="module")
def told(postgres: EmbeddedPostgres, template: str) -> Iterator[Database]:
    """The story in a database of its own: a run of reconciliation is kept, and numbered."""
    for db in clone(postgres, template):
        with ThreadPoolExecutor(1) as outside:
            outside.submit(asyncio.run, Longer(db.service_url).tell()).result()
        yield db


def test_every_command_is_shown_by_an_example() -> None:
    shown = " ".join(example.command for example in examples(PAGE.read_text(encoding="utf-8")))
    commands = ("statement", "balance", "export movements", "export rounds", "export sessions")
    for command in (*commands, "report daily", "report funds", "report debts", "reconcile"):
        assert command in shown


@pytest.mark.one_server("links of chains hold the numbers of players, which a node gives")
@pytest.mark.parametrize(
    "example",
    [each for page in (PAGE, DISPUTES) for each in examples(page.read_text(encoding="utf-8"))],
    ids=lambda example: example.command,
)
def test_the_example_is_what_is_printed(
    example: Example,
    in_process: Console,
    told: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("WALLET_DATABASE_URL", told.service_url)
    monkeypatch.chdir(tmp_path)
    (report,) = FILE.findall(PAGE.read_text(encoding="utf-8"))
    Path("report.csv").write_text(report, encoding="utf-8")
    done = in_process(*example.command.split())
    printed = "\n".join(line.rstrip() for line in done.out.strip("\n").splitlines())
    assert printed == example.printed.strip("\n"), done.err
