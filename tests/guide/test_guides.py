"""Every command of every guide is run, in its order, beside a real demo server."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.console.command_table import TABLE
from tests.console.conftest import Console, beside, in_process
from tests.console.console import ENVIRONMENT, WALLET, Serving
from tests.guide.page import GUIDE, Page, Step, read_page
from tests.ports import free_port

__all__ = ["beside", "in_process"]

PAGES = sorted(path.name for path in GUIDE.glob("*.md"))
SHELL = ("|", "$(", ">", "export ", "WALLET_")
"""What only a shell understands; other commands are run in this process, which is faster."""

RECEIVER_PORT = 9099


@dataclass
class Reader:
    """Somebody who follows a page."""

    console: Console
    demo: Serving
    variables: dict[str, str] = field(default_factory=dict)

    def follow(self, step: Step) -> None:
        """Run a command, and hold what it prints against the page."""
        command = step.command
        for name, value in self.variables.items():
            command = command.replace(f"${name}", value)
        if command.startswith("export PATH="):
            return
        code, printed = self._run(command)
        printed = printed.replace(f":{self.demo.port}/", ":8080/")
        assert code == step.code, (step.command, printed)
        assert step.matches(printed), (step.command, step.shown, printed)

    def _run(self, command: str) -> tuple[int, str]:
        if not any(mark in command for mark in SHELL):
            words = shlex.split(command)
            assert words[0] == "wallet", command
            done = self.console(*words[1:])
            return done.code, done.out or done.err
        assigned = re.fullmatch(r"(\w+)=\$\((.*)\)", command, re.DOTALL)
        said = subprocess.run(
            ["bash", "-o", "pipefail", "-c", assigned[2] if assigned else command],
            cwd=self.demo.folder,
            env={
                **ENVIRONMENT,
                "WALLET_PORT": str(self.demo.port),
                "PATH": f"{self.demo.folder / 'bin'}:{os.environ['PATH']}",
            },
            capture_output=True,
            check=False,
            text=True,
            timeout=50,
        )
        if assigned and said.returncode == 0:
            self.variables[assigned[1]] = said.stdout.strip()
            return 0, ""
        return said.returncode, said.stdout + said.stderr


@pytest.fixture(scope="module")
def receiver_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, receiver_port: int) -> Iterator[Serving]:
    """The server as the first page starts it: a demo that sends webhooks."""
    (setting,) = re.findall(
        r"WALLET_WEBHOOKS='(.*)'", read_page("first-hour.md").terminals["server"]
    )
    folder = tmp_path_factory.mktemp("guide")
    program = folder / "bin" / "wallet"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(WALLET)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    webhooks = setting.replace(str(RECEIVER_PORT), str(receiver_port))
    settings = {"WALLET_WEBHOOKS": webhooks, "WALLET_PRIVATE_PORT": str(free_port())}
    with Serving(folder, ("--demo",), settings) as serving:
        assert "listens on" in serving.said(), serving.said()
        yield serving


@pytest.fixture
def reader(beside: Console, demo: Serving, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setenv("WALLET_PRIVATE_PORT", demo.settings["WALLET_PRIVATE_PORT"])
    return Reader(beside, demo)


@pytest.fixture(scope="module")
def received(
    demo: Serving, receiver_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The receiver of the first page, and what it prints."""
    assert demo.process.poll() is None
    folder = tmp_path_factory.mktemp("receiver")
    text = read_page("first-hour.md").files["receiver.py"]
    (folder / "receiver.py").write_text(
        text.replace(str(RECEIVER_PORT), str(receiver_port)), encoding="utf-8"
    )
    output = folder / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "receiver.py"], cwd=folder, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", receiver_port)) == 0:
                    break
            process.poll()
        yield output
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.timeout(120)
def test_the_first_hour_ends_with_a_webhook_and_the_same_event_by_cursor(
    reader: Reader, received: Path
) -> None:
    page = read_page("first-hour.md")
    for step in page.steps:
        reader.follow(step)
    told = ""
    for _ in range(200):
        told = received.read_text(encoding="utf-8")
        if " round.settled first\n" in told:
            break
        subprocess.run(["sleep", "0.1"], check=True)
    of_first = [line.split()[1] for line in told.splitlines() if line.endswith(" first")]
    assert of_first == [
        "account.opened",
        "movement.posted",
        "movement.posted",
        "movement.posted",
        "round.settled",
    ]
    asked = reader.console("transfer", "events", 'types:=["round.settled"]')
    events = json.loads(asked.out)["data"]["events"]
    (event,) = (event for event in events if event["user_id"] == "first")
    assert f"{event['cursor']} round.settled first" in told


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", [name for name in PAGES if name != "first-hour.md"])
def test_each_command_of_a_guide_does_what_the_guide_says(reader: Reader, name: str) -> None:
    page = read_page(name)
    for label, text in page.files.items():
        (reader.demo.folder / label).write_text(text, encoding="utf-8")
    for step in page.steps:
        reader.follow(step)


@pytest.mark.parametrize("name", PAGES)
def test_the_commands_that_are_only_named_exist(name: str) -> None:
    """In backticks or indented: those are not run."""
    known = {row.words for rows in TABLE.values() for row in rows}
    text = (GUIDE / name).read_text(encoding="utf-8")
    quoted = re.findall(r"`wallet ([^`]+)`", text.replace("\n", " "))
    indented = re.findall(r"^ {4}wallet (.+)$", text, re.MULTILINE)
    for said in (*quoted, *indented):
        words = said.split()
        assert words[0] in known or " ".join(words[:2]) in known, said


def test_a_page_says_what_is_printed_and_what_is_not() -> None:
    """The test of the tests: a page that is wrong is noticed."""
    page: Page = read_page("first-hour.md")
    bet = next(step for step in page.steps if step.command.startswith("wallet bet"))
    assert bet.matches('{"status":true,"balance":90.00,"realBalance":90.00,"bonusBalance":0.00}\n')
    assert not bet.matches('{"status":true,"balance":90.01,"realBalance":90.01,"bonusBalance":0}')
    assert Step("x", ["a", "...", "z"]).matches("a\nb\nc\nz\n")
    assert not Step("x", ["a", "...", "z"]).matches("a\nb\n")
