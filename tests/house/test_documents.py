"""What README and docs name is there: links, paths, the map of the house, the walk of a request."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
BRANCH = re.compile(r"^    (?P<indent>(?:│   )*)[├└]── (?P<name>[\w./]+)")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def tree() -> set[str]:
    """The paths that the README draws below `app/`."""
    folders, paths = ["app/"], set()
    for line in text_of(README).splitlines():
        if (branch := BRANCH.match(line)) is not None:
            depth = len(branch["indent"]) // 4
            folders[depth + 1 :] = [branch["name"]]
            paths.add("".join(folders))
    return paths


def test_every_link_leads_somewhere() -> None:
    links = [
        (page, link) for page in PAGES for link in re.findall(r"\]\(([^)#:]+)\)", text_of(page))
    ]
    assert len(links) > len(PAGES)
    assert [(p, link) for p, link in links if not (p.parent / link).exists()] == []


def test_every_path_they_name_is_there() -> None:
    roots = "app|bench|deploy|docs|migrations|requirements|tests"
    paths = {
        (page, path)
        for page in PAGES
        for path in re.findall(rf"`((?:{roots})/[\w./-]+)`", text_of(page))
    }
    assert len(paths) > len(PAGES)
    assert [(page, path) for page, path in paths if not (ROOT / path).exists()] == []


def test_the_map_shows_every_room_and_no_other() -> None:
    drawn = tree()
    assert len(drawn) > 15
    for path in drawn:
        assert (ROOT / path).exists(), path
    rooms = {f"app/{room.name}/" for room in (ROOT / "app").iterdir() if room.is_dir()}
    assert {room for room in rooms if "__" not in room} <= drawn


def test_every_file_of_the_map_is_in_its_room() -> None:
    named = [line for line in text_of(README).splitlines() if line.startswith("    │")]
    files = {file for line in named for file in re.findall(r"\b\w+\.py\b", line)}
    assert files <= {path.name for path in (ROOT / "app").rglob("*.py")}


def test_one_request_is_walked_through_at_most_nine_files() -> None:
    walk = text_of(README).partition("### One road for money")[2].partition("\n| page")[0]
    files = re.findall(r"^\d\. `([\w./]+)`", walk, flags=re.MULTILINE)
    assert 1 < len(files) <= 9
    for file in files:
        assert (ROOT / file).exists() or (ROOT / "app" / file).exists(), file


def test_every_page_can_be_found_from_the_readme() -> None:
    found, waiting = set[Path](), [README]
    while waiting:
        page = waiting.pop()
        found.add(page)
        links = re.findall(r"\]\(([^)#:]+)\)", text_of(page))
        pages = {(page.parent / link).resolve() for link in links}
        pages = {target / "README.md" if target.is_dir() else target for target in pages}
        waiting += [target for target in pages - found if target.suffix == ".md"]
    assert found >= set(PAGES)


TOP = {
    *(".ci", ".dockerignore", ".gitignore", "Dockerfile", "Makefile", "README.md", "alembic.ini"),
    *("app", "bench", "deploy", "docker-compose.yml", "docs", "migrations", "pyproject.toml"),
    *("requirements", "tests"),
}


def test_nothing_lies_about_at_the_top() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this copy has no git history to ask what belongs to it")
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--cached", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    assert {path.partition("/")[0] for path in listed.split("\0") if path} == TOP
