"""Every command, with hostile values for every argument, on every kind of output stream.

No input may end in a traceback, and every exit code is one that `wallet --help` documents. Every
line is a process of its own, with real descriptors (`tests.console.warm`). The ordinary run gives
each parameter a part of the values, each on one stream, such that every value and every stream
comes up often. CONSOLE_FUZZ=each (`make fuzz-console`) gives every value to every parameter, the
streams by turns, and then several hostile values at once; CONSOLE_FUZZ=product is every value on
every stream, and takes six times as long.
"""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.conftest import Database
from tests.console.console import ENVIRONMENT, wallet
from tests.console.hostile import (
    COMMANDS,
    DEEP,
    HOSTILE,
    NOISE,
    PROOF,
    REPORT,
    SEAL_KEY,
    SEAL_KEY_PUBLIC,
    line_for,
)
from tests.console.warm import STREAMS, Ended, WarmConsole

MODE: Final = os.environ.get("CONSOLE_FUZZ", "part")

PART: Final = 37
"""One in so many values, in the ordinary run."""

SEVERAL: Final = 0 if MODE == "part" else 40
"""Lines of each command with two to four hostile values at once, drawn by a seed."""

CODES: Final = {0, 1, 2}
PRINTS: Final = ("ascii", "latin", "narrow")
"""The streams whose output is read again; the others take none."""


class Stage(NamedTuple):
    """Where the fuzz plays: a warm console on a ledger, in a folder of its own."""

    console: WarmConsole
    folder: Path


@pytest.fixture(scope="module")
def stage(module_db: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A ledger with a player who has everything hostile that an account can hold."""
    folder = tmp_path_factory.mktemp("fuzz")
    settings = {
        "WALLET_DATABASE_URL": module_db.service_url,
        "WALLET_OWNER_DATABASE_URL": module_db.owner_url,
        "WALLET_CURRENCIES": "BTC:8",
    }
    sealing = {"WALLET_SEAL_KEY": str(folder / SEAL_KEY), "WALLET_SEAL_TO": str(folder / "seals")}
    key = wallet(folder, "seal", "key", SEAL_KEY)
    (folder / SEAL_KEY_PUBLIC).write_text(key.stdout, encoding="ascii")
    (folder / NOISE).write_bytes(random.Random(1).randbytes(4096))  # noqa: S311
    (folder / DEEP).write_text("[" * 100_000, encoding="ascii")
    (folder / REPORT).write_text(
        "transaction_id,user_id,event_id,type,direction,amount,currency,time,status\n"
        "t-9,fuzzed,e-1,bet,debit,1.00,USD,2026-01-01T00:00:00Z,done\n",
        encoding="ascii",
    )
    house = ("--agent", "house", "--currency", "USD")
    with WarmConsole({**ENVIRONMENT, **settings, **sealing}) as console:
        here = Stage(console, folder)
        for line in (
            ("player", "open", "fuzzed", *house, "--nickname", "Ω[/b]😀", "--email", "a:id:7@x"),
            ("deposit", "fuzzed", "1000", "--id", "[red]t-1"),
            ("deposit", "fuzzed", "1000", "--id", "t-1"),
            ("hold", "open", "fuzzed", "1", "--id", "h-1"),
            ("seal",),
            ("prove", "t-1", "--to", PROOF),
        ):
            ended = console.run(line, "narrow", folder)
            assert ended.code == 0, (line, ended)
        yield here


def faults_of(path: str, ended: Ended, stream: str) -> list[str]:
    """What is wrong with how a command ended; lines of a file that cannot be read are listed."""
    faults = []
    if ended.code not in CODES:
        faults.append(f"exit code {ended.code}")
    if "Traceback" in ended.error or "Exception ignored" in ended.error:
        faults.append("a traceback")
    if not ended.error.replace("\n", "").isprintable():
        faults.append("complaint has what does not print")
    lists_lines = path.startswith(("reconcile", "import", "shadow"))
    if ended.code == 2 and ended.error.count("\n") != 1 and not lists_lines:
        faults.append("mistake is not told in one line")
    if stream in PRINTS and not ended.output.replace("\n", "").replace("\t", "").isprintable():
        faults.append("output has what does not print")
    return faults


def lines_of(path: str) -> Iterator[tuple[str, list[str]]]:
    """The command lines that a command is tried with, and the stream of each."""
    names = list(STREAMS)
    parameters = [parameter.name or "" for parameter in COMMANDS[path].params]
    begin = list(COMMANDS).index(path)
    for number, parameter in enumerate(parameters, begin):
        for turn, value in enumerate(HOSTILE):
            if MODE != "part" or turn % PART == number % PART:
                first = (number + turn) % len(names)
                for stream in names if MODE == "product" else (names[first],):
                    yield stream, line_for(path, {parameter: value})
    dice = random.Random(path)  # noqa: S311 - the same lines every time
    for turn in range(SEVERAL if len(parameters) > 1 else 0):
        several = dice.sample(parameters, min(len(parameters), dice.randint(2, 4)))
        line = line_for(path, {name: dice.choice(HOSTILE) for name in several})
        yield names[(begin + turn) % len(names)], line


@pytest.mark.parametrize("path", COMMANDS)
def test_no_input_ends_in_a_traceback(path: str, stage: Stage) -> None:
    # The application itself is not served here: every serve ends with its settings.
    found = []
    for stream, line in lines_of(path):
        ended = stage.console.run(line, stream, stage.folder)
        short = [word if len(word) < 300 else f"{word[:40]}… ({len(word)})" for word in line]
        found += [
            f"{fault}: {short} on {stream}: {ended.error[-600:]!r}"
            for fault in faults_of(path, ended, stream)
        ]
    if path == "restored mark":
        # The other commands are tried on a ledger that moves money.
        show = ("restored", "show", "--json")
        shown = json.loads(stage.console.run(show, "ascii", stage.folder).output)
        waiting = next(str(one["number"]) for one in shown["timelines"] if one["waiting"])
        yes = ("restored", "accept", waiting, "--reason", "on")
        assert stage.console.run(yes, "narrow", stage.folder).code == 0
    assert not found, f"{len(found)}\n" + "\n".join(found[:40])


@pytest.mark.skipif(MODE == "part", reason="what is asked here needs every command")
def test_without_a_hostile_value_every_command_passes_its_parser(stage: Stage) -> None:
    # A command that lacks an argument is never tried itself: `ORDINARY` must name one. Servers say
    # which setting they lack. What projects goes on until it is stopped, and no file here is an
    # import's.
    mistaken = {}
    for path in COMMANDS.keys() - {"project", "import"}:
        ended = stage.console.run(line_for(path, {}), "narrow", stage.folder)
        if ended.code == 2 and "WALLET_" not in ended.error:
            mistaken[path] = ended.error
    assert not mistaken, "".join(mistaken.values())


@pytest.mark.parametrize("stream", STREAMS)
def test_help_is_never_a_traceback(stream: str, stage: Stage) -> None:
    for path in ("", "player block", "transfer") if MODE == "part" else ("", *COMMANDS):
        # A group alone says what it has; a command alone would be carried out.
        group = path.split()[:-1]
        for line in ([*path.split(), "--help"], ["--version"], group):
            ended = stage.console.run(line, stream, stage.folder)
            assert not faults_of(path, ended, stream) or ended.code == 2, (line, ended)
