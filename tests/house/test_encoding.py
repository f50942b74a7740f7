"""Every file is read and written in a named encoding, never the locale's."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT_METHODS = {"read_text", "write_text"}
OPENS = re.compile(r"\b(?:open|read_text|write_text)\s*\(")


def test_alembics_settings_are_ascii_because_it_reads_them_in_the_locales_encoding() -> None:
    assert (ROOT / "alembic.ini").read_bytes().isascii()
    assert (ROOT / "migrations" / "script.py.mako").read_bytes().isascii()


def test_every_text_file_is_opened_with_its_encoding() -> None:
    unnamed = []
    for folder in ("app", "migrations", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            # Parsing takes most of the time, and most files open none.
            if not OPENS.search(source):
                continue
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Call) and _is_text(node):
                    named = {keyword.arg for keyword in node.keywords}
                    if not named & {"encoding", "text"} and len(node.args) < 3:
                        unnamed.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert unnamed == []


def _is_text(call: ast.Call) -> bool:
    """Whether a call opens a file as text: `read_text`, `write_text`, `open` without `b`."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in TEXT_METHODS:
        return True
    if not (isinstance(call.func, ast.Name) and call.func.id == "open"):
        return False
    modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    return not any(isinstance(mode, str) and "b" in mode for mode in modes)
