"""A page of docs/guide as a reader follows it: commands with what they print, and files to save.

In a block `console`, a line that begins with `$ ` is a command, and what follows it is printed;
`...` stands for anything, in a line or for lines; `exit code N` is not printed.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
ANYTHING = "..."
BLOCK = re.compile(r"(?:<!-- (\w+): ([\w.]+) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


@dataclass
class Step:
    """A command, and what it prints."""

    command: str
    shown: list[str] = field(default_factory=list)
    code: int = 0

    def matches(self, printed: str) -> bool:
        """Whether this is what was printed."""
        if not self.shown:
            return True
        parts = [
            r"(?:.*\n)*?" if line == ANYTHING else self._line(line) + r"\n" for line in self.shown
        ]
        return re.fullmatch("".join(parts), printed.rstrip("\n") + "\n") is not None

    @staticmethod
    def _line(line: str) -> str:
        return ".*".join(map(re.escape, line.split(ANYTHING)))


@dataclass
class Page:
    """Everything of a page that can be done."""

    steps: list[Step]
    files: dict[str, str]
    terminals: dict[str, str]
    """what is typed in the other terminals, by their names"""
    blocks: list[tuple[str, str]]
    """language and text of every block"""


def read_page(name: str) -> Page:
    """Read a page."""
    page = Page([], {}, {}, [])
    for kind, label, language, text in BLOCK.findall((GUIDE / name).read_text(encoding="utf-8")):
        page.blocks.append((language, text))
        if kind == "file":
            page.files[label] = text
        elif kind == "terminal":
            page.terminals[label] = text
        elif language == "console":
            page.steps += _steps(text)
    return page


def _steps(text: str) -> list[Step]:
    steps: list[Step] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line.removeprefix("$ ")))
        elif line.startswith("exit code "):
            steps[-1].code = int(line.removeprefix("exit code "))
        else:
            steps[-1].shown.append(line)
    return steps
