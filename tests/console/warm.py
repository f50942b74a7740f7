"""A warm console: an interpreter that has imported every command, and forks for each command line.

Each line is carried out in a process of its own, with real descriptors, an environment and a folder
of its own, and a deadline. Only the import, which is most of the time of a fresh process, is done
once. At its end the child does what the interpreter does (threads, exit handlers, the flush of the
standard streams, which is where a full disk is told late), but does not take every module apart:
that alone takes longer than most commands.

    python -m tests.console.warm DESCRIPTOR

reads one case a line from a socket, as JSON, and writes one outcome a line.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, NoReturn, Self

from app.__main__ import application, backoffice, contracts, delivery, projection, shadow
from app.console.cli import run_console
from app.console.composition import Composition
from tests.console.hostile import COMMANDS

ROOT: Final = Path(__file__).parents[2]

SECONDS_MAX: Final = 30
"""No command of the fuzz takes a second; one that waits for somebody would wait for ever."""

FLUSH_FAILED: Final = 120
"""The exit code of an interpreter that could not flush its standard streams."""


@dataclass(frozen=True)
class Ended:
    """How a command line ended: its exit code (negative: a signal), and what it complained of."""

    code: int
    error: str
    output: str
    """where the stream takes it"""


class WarmConsole:
    """The interpreter that forks, from the side of the test."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __enter__(self) -> Self:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.console.warm", str(theirs.fileno())],
                cwd=ROOT,
                env=dict(self._environment),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        ours.settimeout(2 * SECONDS_MAX)
        self._socket = ours
        self._lines = ours.makefile("r", encoding="ascii")
        return self

    def run(self, arguments: Sequence[str], stream: str, folder: Path) -> Ended:
        """Carry out one command line whose output goes to such a stream."""
        case = {"arguments": list(arguments), "stream": stream, "folder": str(folder)}
        self._socket.sendall(json.dumps(case).encode("ascii") + b"\n")
        return Ended(*json.loads(self._lines.readline()))

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self._lines.close()
        self._socket.close()
        self._process.wait(SECONDS_MAX)


# --- streams -------------------------------------------------------------------------------------


def _closed() -> None:
    os.close(1)


def _full() -> None:
    _onto(1, os.open("/dev/full", os.O_WRONLY))


def _unread() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    _onto(1, writing)


def _as_it_is() -> None:
    """Leave descriptor 1 at the file that is read again."""


def _narrow() -> None:
    os.environ["COLUMNS"] = "40"


def _onto(descriptor: int, opened: int) -> None:
    os.dup2(opened, descriptor)
    os.close(opened)


STREAMS: Final[Mapping[str, tuple[Callable[[], None], str]]] = {
    "closed": (_closed, "utf-8"),
    "full": (_full, "utf-8"),
    "unread": (_unread, "utf-8"),
    "ascii": (_as_it_is, "ascii"),
    "latin": (_as_it_is, "latin-1"),
    "narrow": (_narrow, "utf-8"),
}
"""By name: what becomes of descriptor 1, and the encoding of what is printed."""


# --- the side that forks -------------------------------------------------------------------------


def serve(descriptor: int) -> None:
    """Answer cases until nobody asks any more."""
    # They have been imported by being named.
    assert COMMANDS
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=descriptor) as channel, channel.makefile("rb") as cases:
        for line in cases:
            case = json.loads(line)
            with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
                child = os.fork()
                if child == 0:
                    channel.close()
                    _be(case, output.fileno(), error.fileno())
                ended = [_ended(child), _said(error, "utf-8"), _said(output, _encoding_of(case))]
            channel.sendall(json.dumps(ended).encode("ascii") + b"\n")


def _said(file: BinaryIO, encoding: str) -> str:
    """Read what was written; bytes of another encoding become surrogates, which do not print."""
    file.seek(0)
    return file.read().decode(encoding, "surrogateescape")


def _encoding_of(case: dict[str, Any]) -> str:
    return STREAMS[case["stream"]][1]


def _be(case: dict[str, Any], output: int, error: int) -> NoReturn:
    """Be the process of one command line."""
    code = 1
    try:
        os.dup2(output, 1)
        os.dup2(error, 2)
        os.chdir(case["folder"])
        STREAMS[case["stream"]][0]()
        sys.stdout = _standard(1, _encoding_of(case))
        sys.stderr = _standard(2, "utf-8")
        composition = Composition(application, backoffice, delivery, projection, shadow, contracts)
        code = run_console(composition, case["arguments"])
    except BaseException:  # noqa: BLE001 - what the interpreter would print, and how it would end
        traceback.print_exc()
    finally:
        os._exit(_flushed(code))


def _standard(descriptor: int, encoding: str) -> Any:  # noqa: ANN401 - as `sys.stdout` is typed
    """Open a standard stream as the interpreter does; one that is closed is None."""
    try:
        return os.fdopen(descriptor, "w", encoding=encoding, closefd=False)
    except OSError:
        return None


def _flushed(code: int) -> int:
    """End as the interpreter does."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError:
            traceback.print_exc()
            code = FLUSH_FAILED
    return code


def _ended(child: int) -> int:
    """Wait for a child, a bounded time."""
    descriptor = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([descriptor], [], [], SECONDS_MAX)
        if not ready:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
