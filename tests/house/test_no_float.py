"""Money is never a float, not even for a moment; the linter does not know the builtin."""

import ast
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
SOURCES = sorted(APP.rglob("*.py"))


def uses(source: str) -> list[int]:
    """The lines that name `float`, in code or in an annotation that is a string."""
    lines: list[int] = []
    if "float" not in source.lower():
        return lines  # Parsing takes most of the time.
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id="float") | ast.Attribute(attr="float" | "Float" | "__float__"):
                lines.append(node.lineno)
            case ast.Constant(value=str() as text) if text.strip() in {"float", "float | None"}:
                lines.append(node.lineno)
            case ast.ImportFrom(names=names) if {name.name for name in names} & {"Float"}:
                lines.append(node.lineno)
            case _:
                pass
    return lines


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 20


def test_no_float_in_the_app() -> None:
    found = {str(path.relative_to(APP)): uses(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    ["x = float(y)", "def f(x: float) -> None: ...", "x: 'float' = 1", "sqlalchemy.Float()"],
)
def test_a_float_would_be_found(source: str) -> None:
    assert uses(source) == [1]
