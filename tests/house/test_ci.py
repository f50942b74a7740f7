"""CI runs what `make check` runs, on a machine with the tools that the tests need."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_ci_runs_each_part_of_the_check_once() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    check = re.search(r"^check: ([a-z ]+)##", makefile, flags=re.MULTILINE)
    assert check is not None
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^make ([a-z]+)$", script, flags=re.MULTILINE) == check[1].split()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_tools_that_cannot_be_installed_fail_nothing() -> None:
    """Whoever is not root, or has no Debian, is told in one sentence at most, and goes on."""
    bash = shutil.which("bash")
    assert bash is not None
    script = (ROOT / ".ci" / "tools").read_text(encoding="utf-8")
    someone = {"user": 65534, "group": 65534, "extra_groups": ()} if os.geteuid() == 0 else {}
    for path in ("/usr/bin:/bin", "/nowhere"):
        done = subprocess.run(
            [bash, "-s"],
            input=script,
            env={"PATH": path},
            cwd="/",
            capture_output=True,
            check=False,
            text=True,
            timeout=30,
            **someone,  # type: ignore[call-overload]  # the three together, or none
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("\n") <= 1
        assert done.stdout == ""


def test_no_service_starts_because_its_package_is_installed() -> None:
    script = (ROOT / ".ci" / "tools").read_text(encoding="utf-8")
    assert script.index("policy-rc.d") < script.index("apt-get")
    assert "exit 101" in script
    assert os.access(ROOT / ".ci" / "tools", os.X_OK)
