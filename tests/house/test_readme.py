"""The README stays short and true; docs/settings.md documents every setting, and no other."""

import re
from pathlib import Path

from app.settings import setting_names

README = Path(__file__).parents[2] / "README.md"
SETTINGS = README.parent / "docs" / "settings.md"
LINES_MAX = 200


def settings_of(page: Path) -> set[str]:
    return set(re.findall(r"\bWALLET_[A-Z_]+\b", page.read_text(encoding="utf-8")))


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert settings_of(SETTINGS) == set(setting_names())
    assert settings_of(README) < set(setting_names())


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < LINES_MAX


def test_the_commands_it_names_exist() -> None:
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)`", README.read_text(encoding="utf-8")))
    assert {"run", "test"} <= named <= targets
