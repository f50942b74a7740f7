"""Requirements: each with its reason, locked with hashes and without hosts."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
NAMED = sorted(FOLDER.glob("*.in"))
LOCKS = sorted(FOLDER.glob("*.lock"))

PINNED = re.compile(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)


def dependencies(path: Path) -> list[tuple[str, str]]:
    """The names a file asks for, with what each is said to be for."""
    lines = path.read_text(encoding="utf-8").splitlines()
    asked = [line for line in lines if line.strip() and not line.startswith(("#", "-r "))]
    found = []
    for line in asked:
        requirement, _, purpose = line.partition("#")
        found.append((re.split(r"[\s\[;<>=]", requirement, maxsplit=1)[0], purpose.strip()))
    return found


def pinned(path: Path) -> dict[str, str]:
    """The versions a lock pins."""
    return dict(PINNED.findall(path.read_text(encoding="utf-8")))


def test_each_file_of_names_has_its_lock() -> None:
    assert [path.stem for path in NAMED] == [path.stem for path in LOCKS]
    assert len(NAMED) == 6


@pytest.mark.parametrize("path", NAMED, ids=lambda path: path.name)
def test_each_dependency_says_what_for(path: Path) -> None:
    for name, purpose in dependencies(path):
        assert len(purpose) > 10, f"{name}: what is it for?"


@pytest.mark.parametrize("path", NAMED, ids=lambda path: path.name)
def test_each_dependency_is_locked(path: Path) -> None:
    locked = pinned(path.with_suffix(".lock"))
    missing = [name for name, _ in dependencies(path) if name not in locked]
    assert missing == [], "run `make lock`"


@pytest.mark.parametrize("path", NAMED, ids=lambda path: path.name)
def test_a_lock_has_all_that_the_files_it_names_ask_for(path: Path) -> None:
    locked = pinned(path.with_suffix(".lock"))
    for named in re.findall(r"^-r (\S+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        missing = [name for name, _ in dependencies(FOLDER / named) if name not in locked]
        assert missing == [], f"{named}: run `make lock`"


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_each_locked_package_has_hashes(path: Path) -> None:
    blocks = re.split(r"^(?=\S+==)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pinned(path)) > 1
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_no_lock_names_a_host_or_a_place_of_one_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for trace in (
        "://",
        "file:",
        "find-links",
        "index-url",
        "trusted-host",
        " @ ",
    ):
        assert trace not in text


def test_what_is_tested_is_what_is_deployed() -> None:
    tested = pinned(FOLDER / "development.lock")
    for path in LOCKS:
        if path.stem == "clientgen":
            continue  # It makes a caller's client, in an environment of its own.
        differs = {
            name: version for name, version in pinned(path).items() if tested.get(name) != version
        }
        assert differs == {}, path.name


def test_the_builder_of_our_own_package_is_locked_too() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = [re.split(r"[<>=,]", name)[0] for name in project["build-system"]["requires"]]
    assert set(names) <= set(pinned(FOLDER / "development.lock"))
