"""Lines of a file that cannot be read: how many of them are shown."""

from collections.abc import Sequence
from typing import Final

from app.console.output.printer import complain

BAD_LINES_SHOWN: Final = 10
IN_JSON_MAX: Final = 1000


def complain_of_lines(bad: Sequence[tuple[int, str]]) -> None:
    """Say of the first lines, by number, what is wrong with each."""
    for line, words in bad[:BAD_LINES_SHOWN]:
        complain(f"Line {line} {words}.")
