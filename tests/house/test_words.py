"""Words that were replaced do not come back, and no docstring's first sentence is cut in two.

A word is checked as a whole word, in the code's names and prose and in the documentation.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import pytest

T = TypeVar("T")

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


WORDS: Final = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, REPLACED))})(?![\w-])")


def found(text: str) -> list[str]:
    """The replaced words in a text, each with its line and what is written now."""
    return [
        f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]} → {REPLACED[match[0]]}"
        for match in WORDS.finditer(text)
    ]


def documented(source: str) -> Iterator[tuple[int, str]]:
    """Every docstring of a module, with the line of what it documents."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text
        # A definition stands among statements: what lies within expressions is not walked.
        waiting += [
            child
            for name in ("body", "orelse", "handlers", "finalbody", "cases")
            for child in (getattr(node, name, None) or ())
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case)
        ]


def cut(source: str) -> list[int]:
    """The lines whose docstring's first sentence does not end on its first line."""
    lines = []
    for line, text in documented(source):
        first, _, rest = text.partition("\n")
        if not first.endswith((".", ":", "?")) or CONTINUES.match(rest.strip()):
            lines.append(line)
    return sorted(lines)


def complaints(look: Callable[[str], list[T]], paths: Iterable[Path]) -> dict[str, list[T]]:
    """What is found in these files, by file; one test, since there are two thousand of them."""
    seen = {str(p.relative_to(ROOT)): look(p.read_text(encoding="utf-8")) for p in paths}
    return {path: complaint for path, complaint in seen.items() if complaint}


def test_no_replaced_word_comes_back() -> None:
    assert complaints(found, TEXTS) == {}


def test_the_first_sentence_of_a_docstring_is_whole() -> None:
    assert complaints(cut, [*SOURCES, *OTHERS]) == {}


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 100
    assert len(TEXTS) > len(SOURCES) + 2


def test_a_replaced_word_would_be_found() -> None:
    assert found("a line\nthe teller waits") == ["line 2: teller → batcher"]
    assert found("a storyteller, this-trail-name, the_trail") == []


def test_every_docstring_is_looked_at_wherever_it_stands() -> None:
    """As a walk through every node finds them, which takes five times as long."""
    for path in (Path(__file__), *SOURCES[::20]):
        source = path.read_text(encoding="utf-8")
        walked = [
            text
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and (text := ast.get_docstring(node))
        ]
        assert sorted(text for _, text in documented(source)) == sorted(walked)


@pytest.mark.parametrize(
    "docstring", ["It returns X.\n\nAnd Y.", "It returns\nX.", "It is X.\n\nof Y.", "No full stop"]
)
def test_a_cut_sentence_would_be_found(docstring: str) -> None:
    assert cut(f'"""{docstring}\n"""\n') == [1]
