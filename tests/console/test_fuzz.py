"""Every command, with hostile values for every argument, on every kind of output stream.

No input may end in a traceback, and every exit code is one that `wallet --help` documents. The
ordinary run gives each parameter a part of the values, each on one stream, such that every value
and every stream comes up often; CONSOLE_FUZZ=all (`make fuzz-console`) is the whole product.
"""

import io
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

import pytest
from typer._click.core import Command
from typer.core import TyperGroup

from app.console.cli import commands
from app.console.deferred import Deferred
from tests.console.conftest import Console, Done, run_in_process

IS_WHOLE: Final = os.environ.get("CONSOLE_FUZZ") == "all"

HOSTILE: Final = (
    *("", " ", "-", "--", "-1", "0", "1", "7.001", "1e400", "NaN", "9" * 400, "9" * 5000, "٣"),
    *("[/b]", "[red]x", "a:id:7", "{", "[" * 100_000, "=", ":=", "a=b", "x:=[[", "x.y:=1"),
    *("\x1b[2J", "\x9b2J", "a\nb", "\u202egnp", "\udcff", "\x00", "x" * 251, "Ω😀", "a b"),
    *("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59.9999999Z", "2020-01-01", "2199-01-01"),
    *("callback", "Callback", "demo", "../../etc", "PATH", "USD", "stake_day=1", "stake_day=-1"),
    *("http://a..b", "http://[::1", "http://127.0.0.1:1", "http://127.0.0.1:99999", "ftp://x"),
)

ORDINARY: Final = {
    "user_id": "fuzzed",
    "amount": "1.00",
    "currency": "USD",
    "nickname": "Nick",
    "transaction_id": "t-1",
    "event_id": "e-1",
    "operation": "account/balance",
    "number": "1",
    "direction": "credit",
    "reason": "goodwill",
    "ticket": "T-1",
    "note": "done",
    "text": "full",
    "method": "getBalance",
    "given": "0" * 64,
    "found_id": "t-1",
    "event": "e-1",
}
"""What the required arguments are when another one is hostile."""

NOBODY: Final = "http://127.0.0.1:1"

CODES: Final = {0, 1, 2}

PART: Final = 7
"""One in so many values, in the ordinary run; no multiple of it is the number of the streams."""


def leaves(command: Command, path: str = "") -> Iterator[tuple[str, Command]]:
    """Every command that does something, by its words."""
    if isinstance(command, Deferred):
        command = command.command
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from leaves(child, f"{path} {name}".strip())
    else:
        yield path, command


COMMANDS: Final = dict(leaves(commands()))


def line_for(path: str, hostile: str, value: str) -> list[str]:
    """The command line that gives one parameter a hostile value."""
    options, arguments = [], []
    names = {parameter.name for parameter in COMMANDS[path].params}
    if "url" in names and hostile != "url":
        options += ["--url", NOBODY]
    if path == "tail" and hostile != "seconds":
        # It would follow for ever.
        options += ["--seconds", "0"]
    for parameter in COMMANDS[path].params:
        name = parameter.name or ""
        given = value if name == hostile else ORDINARY.get(name) if parameter.required else None
        if given is None:
            continue
        if parameter.param_type_name == "argument":
            arguments.append(given)
        elif getattr(parameter, "is_flag", False):
            options.append(f"{parameter.opts[0]}={given}")
        else:
            options += [parameter.opts[0], given]
    return [*path.split(), *options, "--", *arguments]


# --- streams -------------------------------------------------------------------------------------


@contextmanager
def closed() -> Iterator[TextIO | None]:
    yield None


@contextmanager
def full() -> Iterator[TextIO]:
    stream = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - closed below
    yield stream
    with suppress(OSError):
        stream.close()


@contextmanager
def unread() -> Iterator[TextIO]:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", encoding="utf-8")
    yield stream
    with suppress(OSError):
        stream.close()


@contextmanager
def ascii_only() -> Iterator[TextIO]:
    yield io.TextIOWrapper(io.BytesIO(), encoding="ascii")


@contextmanager
def latin() -> Iterator[TextIO]:
    yield io.TextIOWrapper(io.BytesIO(), encoding="latin-1")


@contextmanager
def narrow() -> Iterator[TextIO]:
    os.environ["COLUMNS"] = "40"
    yield io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    del os.environ["COLUMNS"]


STREAMS: Final[dict[str, Callable[[], object]]] = {
    stream.__name__: stream for stream in (closed, full, unread, ascii_only, latin, narrow)
}


def run_on(stream_name: str, *arguments: str) -> Done:
    """Carry out a command whose output goes to such a stream."""
    before = sys.stdout
    with STREAMS[stream_name]() as stream:  # type: ignore[attr-defined]
        sys.stdout = stream
        try:
            return run_in_process(*arguments)
        finally:
            sys.stdout = before


@pytest.fixture
def _people(console: Console) -> None:
    """The players whom the fuzz finds: one with everything hostile that an account can hold."""
    house = ("--agent", "house", "--currency", "USD")
    console("player", "open", "fuzzed", *house, "--nickname", "Ω[/b]😀", "--email", "a:id:7@x")
    console("deposit", "fuzzed", "1000", "--id", "[red]t-1")


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some commands make the file that they are told to make, whatever it is called."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_people", "_folder")
@pytest.mark.parametrize("path", COMMANDS)
def test_no_input_ends_in_a_traceback(
    path: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rotating = itertools.cycle(STREAMS)
    begin = list(COMMANDS).index(path)
    for number, parameter in enumerate(COMMANDS[path].params, begin):
        for value in HOSTILE if IS_WHOLE else HOSTILE[number % PART :: PART]:
            # The application itself is not served here: every serve ends with its settings.
            for stream in STREAMS if IS_WHOLE else (next(rotating),):
                line = line_for(path, parameter.name or "", value)
                code = run_on(stream, *line).code
                error = capsys.readouterr().err
                assert code in CODES, (stream, line)
                assert "Traceback" not in error, (stream, line)
                assert error.replace("\n", "").isprintable(), (stream, line)
                if code == 2:
                    assert error.count("\n") == 1, (stream, line, error)


@pytest.mark.parametrize("stream", STREAMS)
def test_help_is_never_a_traceback(
    stream: str, in_process: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("", *COMMANDS) if IS_WHOLE else ("", "player block", "transfer"):
        for line in ([*path.split(), "--help"], ["--version"], path.split()[:1]):
            assert run_on(stream, *line).code in CODES, line
            assert "Traceback" not in capsys.readouterr().err
    assert in_process("--version").code == 0
