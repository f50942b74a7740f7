"""The questions of `docs/ops.md`: each block of SQL with the answer printed below it."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "ops.md"
HEADING = re.compile(r"^### (\d+)\. (.+)$", re.MULTILINE)
BLOCKS = re.compile(r"^```sql\n(.*?)^```\n+```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Question(NamedTuple):
    """One question, its SQL, and what psql answers."""

    number: int
    words: str
    statement: str
    answer: str


def questions() -> list[Question]:
    """Every question of the page, in its order."""
    text = PAGE.read_text(encoding="utf-8")
    parts = HEADING.split(text)[1:]
    found = []
    for number, words, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        block = BLOCKS.search(body)
        assert block is not None, f"question {number} has no SQL with its answer"
        found.append(Question(int(number), words, block[1], block[2].strip("\n")))
    return found
