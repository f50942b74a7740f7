from pathlib import Path

import pytest

from app.postgres import PostgresError, binaries
from app.postgres.binaries import MAJOR_MIN, find_binaries


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "WHEEL", "a_wheel_that_is_not_installed")


def installation(place: Path, major: int) -> Path:
    """Make something that says it is PostgreSQL."""
    folder = place / str(major) / "bin"
    folder.mkdir(parents=True)
    for name in binaries.NEEDED:
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {major}.2'\n", encoding="utf-8")
        program.chmod(0o755)
    return folder


def test_the_wheel_is_enough(tmp_path: Path) -> None:
    found = find_binaries(tmp_path)
    assert found.major >= MAJOR_MIN
    assert Path(found.program("postgres")).is_file()


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_the_newest_of_the_system_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {major: installation(tmp_path, major) for major in (15, 9, 17, 14, 16)}
    monkeypatch.setattr(binaries, "SYSTEM_PLACES", (tmp_path,))
    assert find_binaries(tmp_path / "data").folder == made[17]


@pytest.mark.usefixtures("no_wheel")
def test_where_there_is_none_a_sentence_names_the_ways_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation(tmp_path, MAJOR_MIN - 1)
    monkeypatch.setattr(binaries, "SYSTEM_PLACES", (tmp_path,))
    with pytest.raises(PostgresError, match="WALLET_DATABASE_URL"):
        find_binaries(tmp_path / "data")


@pytest.mark.usefixtures("no_wheel")
def test_data_is_opened_by_the_version_that_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for major in (15, 17):
        installation(tmp_path, major)
    monkeypatch.setattr(binaries, "SYSTEM_PLACES", (tmp_path,))
    data_dir = tmp_path / "data"
    (data_dir / "postgres-15").mkdir(parents=True)
    (data_dir / "postgres-15" / "PG_VERSION").write_text("15\n", encoding="utf-8")
    assert find_binaries(data_dir).major == 15
    (data_dir / "postgres-16").mkdir()
    (data_dir / "postgres-16" / "PG_VERSION").write_text("16\n", encoding="utf-8")
    with pytest.raises(PostgresError, match="holds data of PostgreSQL 16"):
        find_binaries(data_dir)
