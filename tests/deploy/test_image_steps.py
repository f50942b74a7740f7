"""The Dockerfile's steps, run in a clean folder without an engine and without a network.

What this proves: the packages that the two locks pin, and no others, are enough for what the image
does; the files that are copied are enough; the code runs without writing a byte beside itself; the
entry point, the migration, the server, its health check and its end work with the environment that
the Dockerfile sets. What it does not: that pip finds and unpacks these packages. They are taken
from this environment, where pip installed the same versions, hash-checked.
"""

import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OWNER, SERVICE
from tests.deploy.files import ROOT, dockerfile, environment
from tests.ports import free_port

PINNED = re.compile(r"^([a-z0-9.-]+)==\S+", re.MULTILINE)
NOT_HERE = {"colorama", "httpx2-jsfetch", "tzdata", "win32-setctime"}
"""Pinned for other systems only."""


def packages(lock: str) -> set[str]:
    return set(PINNED.findall((ROOT / lock).read_text(encoding="utf-8")))


def _link_or_copy(source: Path, target: Path) -> None:
    """Link, which costs nothing, unless the target lies on another device."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def place_package(name: str, site: Path) -> None:
    """Copy one installed distribution as its own record names it, compiled files included."""
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or ():
        source = Path(str(distribution.locate_file(file)))
        if file.parts[0] == ".." or not source.exists():
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _link_or_copy(source, target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The final stage's files: the environment in `venv`, the code in `srv`."""
    root = tmp_path_factory.mktemp("image")
    venv.create(root / "venv", with_pip=False)
    (site,) = (root / "venv" / "lib").glob("python*/site-packages")
    for name in sorted(
        packages("requirements/service.lock") | packages("requirements/tracing.lock")
    ):
        try:
            place_package(name, site)
        except importlib.metadata.PackageNotFoundError:
            assert name in NOT_HERE, name
    last = dockerfile()[-1].stage
    for step in dockerfile():
        if step.stage != last or "--from=" in step.rest:
            continue
        if step.name == "COPY":
            *sources, target = step.words
            for source in sources:
                place(ROOT / source, root, target)
        if step.name == "RUN" and "compileall" in step.rest:
            command = step.rest.replace("/opt/wallet", str(root / "venv"))
            subprocess.run(["sh", "-c", command], cwd=root / "srv", check=True, timeout=120)
    return root


@pytest.fixture
def durable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server that keeps what it is given; the wallet serves from no other."""
    with EmbeddedPostgres.start_or_join(tmp_path_factory.mktemp("data"), loopback=True) as server:
        yield server


def place(source: Path, root: Path, target: str) -> None:
    """Copy as COPY does: a folder's content into the folder, a file to its place."""
    to = Path(target.replace("/opt/wallet", str(root / "venv")))
    to = to if to.is_absolute() else root / "srv" / to
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        to = to / source.name if target.endswith("/") else to
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, to)


def settings(root: Path, server: EmbeddedPostgres) -> dict[str, str]:
    """The Dockerfile's environment, with this machine's places and free ports."""
    set_here = {
        name: value.replace("/opt/wallet", str(root / "venv")).replace(
            "/srv/wallet", str(root / "srv")
        )
        for name, value in environment().items()
    }
    assert set_here["PYTHONPATH"] == str(root / "srv")
    return {
        **set_here,
        "PATH": f"{root}/venv/bin:/usr/bin:/bin",
        "WALLET_HOST": "127.0.0.1",
        "WALLET_PRIVATE_HOST": "127.0.0.1",
        "WALLET_PORT": str(free_port()),
        "WALLET_PRIVATE_PORT": str(free_port()),
        "WALLET_DATABASE_URL": server.url_for(SERVICE),
        "WALLET_OWNER_DATABASE_URL": server.url_for(OWNER),
        "WALLET_CALLBACK_KEYS": "a-key-of-the-operator",
    }


def files(root: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(root.rglob("*"))}


def health_check() -> list[str]:
    (step,) = [step for step in dockerfile() if step.name == "HEALTHCHECK"]
    command: list[str] = json.loads(step.rest.partition("CMD ")[2])
    return command


def test_the_image_migrates_serves_is_healthy_and_ends_without_writing(
    image: Path, durable: EmbeddedPostgres, tmp_path: Path
) -> None:
    variables = settings(image, durable)
    before = files(image)

    def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=50,
            check=check,
        )

    assert run("sh", "-c", "command -v pip gcc cc || true").stdout.count("venv") == 0
    assert "The schema went from nothing" in run("wallet", "migrate").stdout
    serving = subprocess.Popen(
        ["wallet", "serve"], cwd=tmp_path, env=variables, stderr=subprocess.DEVNULL
    )
    try:
        healthy = False
        for _ in range(300):
            healthy = run(*health_check(), check=False).returncode == 0
            if healthy or serving.poll() is not None:
                break
            time.sleep(0.1)
        assert healthy
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0
    finally:
        serving.kill()
        serving.wait()
    assert run(*health_check(), check=False).returncode != 0
    assert files(image) == before
    assert list(tmp_path.iterdir()) == []


def test_only_the_locked_packages_are_there(image: Path) -> None:
    python = image / "venv" / "bin" / "python"
    code = "import importlib.metadata as m; print(*sorted({d.name for d in m.distributions()}))"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, check=True, text=True)
    there = {re.sub(r"[-_.]+", "-", name).lower() for name in done.stdout.split()}
    locked = packages("requirements/service.lock") | packages("requirements/tracing.lock")
    assert there == locked - NOT_HERE
    assert sys.prefix != str(image / "venv")
