"""A row's address and its transaction are no versions: VACUUM FULL changes the one for nothing."""

import re
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app"
FILES = sorted(path for path in APP.rglob("*") if path.suffix in {".py", ".sql"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APP)))
def test_nothing_is_found_again_by_its_address(path: Path) -> None:
    assert not re.search(r"\b(ctid|xmin|xmax)\b", path.read_text(encoding="utf-8"), re.IGNORECASE)
