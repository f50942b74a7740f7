"""Words that were replaced do not come back, and no docstring's first sentence is cut in two.

A word is checked as a whole word, in the code's names and prose and in the documentation.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = sorted((ROOT / "app").rglob("*.py"))
LAST_RELEASE: Final = {
    ROOT / "tests" / "ledger" / "last_release.py",
    ROOT / "tests" / "ledger" / "test_upgrade.py",
}
"""They run the code of the release before, which has names of its own."""

OTHERS: Final = [
    *sorted((ROOT / "bench").rglob("*.py")),
    *sorted(set((ROOT / "tests").rglob("*.py")) - LAST_RELEASE - {Path(__file__)}),
]
TEXTS: Final = [
    *SOURCES,
    *OTHERS,
    *sorted((ROOT / "app").rglob("*.sql")),
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

REPLACED: Final = {
    "hatch": "fast path",
    "Visit": "fast path",
    "glance": "unlocked read",
    "with care": "under locks",
    "sighting": "revision",
    "sightings": "revisions",
    "KEEP_OUT": "fence",
    "facts_must_hold": "stale facts",
    "teller": "batcher",
    "tellers": "batching",
    "takings": "batch stats",
    "trail": "refusal log",
    "note_refusal": "log_refusal",
    "Remembered": "Declined",
    "is_remembered": "is_final",
    "Door": "EntryPoint",
    "stranger": "untrusted caller",
    "strangers": "untrusted callers",
    "StrangerError": "UntrustedCallerError",
    "enquiries": "lookups",
    "stumbled": "failed",
    "give_back": "void_bet",
    "take_back": "reverse_payment",
    "is_on_its_way": "possibly_committed",
    "lookers": "read connections",
    "greet": "register_external_token",
    "in a quiet house": "at low load",
    "lets us in": "accepts the connection",
    "he": "they",
    "him": "them",
    "his": "their",
    "himself": "themselves",
}
"""The words that were replaced, and what is written now."""


CONTINUES: Final = re.compile(
    r"(?:And|Or|Nor|Else|Leaving|Whose|Which|Whatever happens|As far as)\b|[a-z]"
)
"""How a paragraph begins that is the rest of the sentence before it."""


def found(text: str) -> list[str]:
    """The replaced words in a text, each with its line and what is written now."""
    words = "|".join(map(re.escape, REPLACED))
    return [
        f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]} → {REPLACED[match[0]]}"
        for match in re.finditer(rf"(?<![\w-])(?:{words})(?![\w-])", text)
    ]


def documented(source: str) -> Iterator[tuple[int, str]]:
    """Every docstring of a module, with the line of what it documents."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def cut(source: str) -> list[int]:
    """The lines whose docstring's first sentence does not end on its first line."""
    lines = []
    for line, text in documented(source):
        first, _, rest = text.partition("\n")
        if not first.endswith((".", ":", "?")) or CONTINUES.match(rest.strip()):
            lines.append(line)
    return lines


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_replaced_word_comes_back(path: Path) -> None:
    assert found(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [*SOURCES, *OTHERS], ids=lambda path: str(path.relative_to(ROOT)))
def test_the_first_sentence_of_a_docstring_is_whole(path: Path) -> None:
    assert cut(path.read_text(encoding="utf-8")) == []


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 100
    assert len(TEXTS) > len(SOURCES) + 2


def test_a_replaced_word_would_be_found() -> None:
    assert found("a line\nthe teller waits") == ["line 2: teller → batcher"]
    assert found("a storyteller, this-trail-name, the_trail") == []


@pytest.mark.parametrize(
    "docstring", ["It returns X.\n\nAnd Y.", "It returns\nX.", "It is X.\n\nof Y.", "No full stop"]
)
def test_a_cut_sentence_would_be_found(docstring: str) -> None:
    assert cut(f'"""{docstring}\n"""\n') == [1]
