"""What CI runs is what `make check` runs."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_ci_runs_each_part_of_the_check_once() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    check = re.search(r"^check: ([a-z ]+)##", makefile, flags=re.MULTILINE)
    assert check is not None
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^make ([a-z]+)$", script, flags=re.MULTILINE) == check[1].split()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
