"""The console's output: tables and colours for people on a terminal, JSON for programs.

Amounts are printed as exact texts; a program that reads them as floats does so on its own account.
Everything goes out through `_write`, which knows a stream that is closed, full, or of an encoding
that lacks a character.
"""

import codecs
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Final, TextIO

import typer
from rich.console import Console, RenderableType

from app.console.errors import OutputLostError
from app.visible import visible, visible_json

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

WIDTH_WITHOUT_TERMINAL: Final = 240
"""Into a file or a pipe more fits side by side than on a terminal; COLUMNS says otherwise."""

STANDARD_DESCRIPTORS: Final = (0, 1, 2)


def prepare_streams() -> None:
    """Take the place of standard streams that were closed before we began (`>&-`).

    Their numbers would be given to the first file or socket that is opened, and what is printed
    would be written into it. What is said to a closed stream is meant for nobody.
    """
    for descriptor in STANDARD_DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is given out, which is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - until we end
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - until we end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Help and names may have characters that the terminal's encoding lacks.
            stream.reconfigure(errors="backslashreplace")


def announce(words: str) -> None:
    """Print something while serving, which continues even if it cannot be written."""
    with suppress(OutputLostError):
        say(words)


def say(words: str) -> None:
    """Print text at once, also into a pipe.

    The lines are ours; a foreign text in them stays within its line.
    """
    _write(sys.stdout, "\n".join(map(visible, words.split("\n"))) + "\n")


def print_line(text: str) -> None:
    """Print one line of JSON for a program that reads line by line."""
    _write(sys.stdout, visible_json(text, ascii_only=not _takes_all(sys.stdout)) + "\n")


def complain(words: object) -> None:
    """Print an error as one line on standard error."""
    with suppress(OutputLostError):
        _write(sys.stderr, visible(str(words)) + "\n")


def hint(words: str) -> None:
    """Print a note on standard error, so that it does not mix with the output."""
    with suppress(OutputLostError):
        _write(sys.stderr, _rendered(sys.stderr, words, style="dim"))


def show(*parts: RenderableType) -> None:
    """Show what is laid out for people."""
    for part in parts:
        _write(sys.stdout, _rendered(sys.stdout, part))


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document for a program."""
    print_json_text(json.dumps(document, indent=2, ensure_ascii=False))


def print_json_text(text: str) -> None:
    """Print a JSON text; what does not print, or the stream cannot encode, is escaped in it."""
    _write(sys.stdout, visible_json(text, ascii_only=not _takes_all(sys.stdout)) + "\n")


def write_out(text: str) -> None:
    """Write text for a program as it is: the rows of a report, whose hash is of these bytes."""
    _write(sys.stdout, text)


def tell(sentence: str, document: Mapping[str, Any], *, as_json: bool) -> None:
    """Tell an outcome that is committed, as a sentence or as a document."""
    with outcome_stands():
        if as_json:
            print_json(document)
        else:
            say(sentence)


@contextmanager
def outcome_stands() -> Iterator[None]:
    """Tell an outcome that is committed: if it cannot be shown, the exit code still tells it."""
    try:
        yield
    except OutputLostError as error:
        complain(f"{error} What was asked for is decided all the same, as the exit code says.")


def watched_errors() -> Console:
    """Return the error stream, for a progress bar where somebody watches."""
    return Console(file=sys.stderr)


def _rendered(stream: TextIO, part: RenderableType, *, style: str | None = None) -> str:
    """Lay out for this stream, in memory: its width, its colours, its encoding.

    The library itself would end the process where a stream takes no more.
    """
    has_width = stream.isatty() or "COLUMNS" in os.environ
    page = io.TextIOWrapper(
        io.BytesIO(), encoding=stream.encoding, errors="backslashreplace", write_through=True
    )
    console = Console(
        file=page,
        force_terminal=stream.isatty(),
        highlight=False,
        markup=False,
        emoji=False,
        width=None if has_width else WIDTH_WITHOUT_TERMINAL,
    )
    console.print(part, style=style, crop=False, soft_wrap=isinstance(part, str))
    page.seek(0)
    return page.read()


def _write(stream: TextIO, text: str) -> None:
    """Write all of it, now; OutputLostError if the stream takes no more."""
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError) as error:
        _silence(stream)
        reason = getattr(error, "strerror", None) or "it is closed"
        raise OutputLostError(f"The answer could not be written: {reason}.") from error


def _takes_all(stream: TextIO) -> bool:
    try:
        return codecs.lookup(stream.encoding or "utf-8").name.startswith("utf")
    except (LookupError, AttributeError):
        return False


def abandon_output() -> None:
    """Stop using standard output, after a library failed to write to it."""
    _silence(sys.stdout)


def _silence(stream: TextIO) -> None:
    """Discard the stream's buffer, which the interpreter would flush at its end."""
    with suppress(OSError, ValueError, io.UnsupportedOperation):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
