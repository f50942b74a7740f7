"""A row's address and its transaction are no versions: VACUUM FULL changes the one for nothing."""

import re
from pathlib import Path

APP = Path(__file__).parents[2] / "app"
FILES = sorted(path for path in APP.rglob("*") if path.suffix in {".py", ".sql"})


def test_nothing_is_found_again_by_its_address() -> None:
    address = re.compile(r"\b(ctid|xmin|xmax)\b", re.IGNORECASE)
    assert len(FILES) > 100
    found = [path for path in FILES if address.search(path.read_text(encoding="utf-8"))]
    assert [str(path.relative_to(APP)) for path in found] == []
