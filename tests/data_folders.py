"""Data folders of the embedded PostgreSQL, copied from one that this run has made.

Making a cluster takes a second, and its migrations take two more; most tests that start a server
are about something else.
"""

import os
import shutil
from pathlib import Path

from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OWNER
from app.postgres.locks import FileLock
from tests.conftest import RUN_FOLDER, migrate


def copy_made(to: Path) -> None:
    """Make a data folder whose cluster is made, with its roles and an empty database."""
    shutil.copytree(_prepared("made"), to)


def copy_migrated(to: Path) -> None:
    """Make a data folder whose database has the newest schema, and no players."""
    shutil.copytree(_prepared("migrated"), to)


def _prepared(name: str) -> Path:
    """Return the folder that is copied; the first worker that needs it makes it."""
    run = Path(os.environ[RUN_FOLDER])
    folder = run / f"data-{name}"
    with FileLock(run / f"data-{name}.lock") as lock:
        assert lock.exclusive(60)
        if not folder.exists():
            making = run / f"data-{name}-making"
            with EmbeddedPostgres.start_or_join(making, fsync=False) as server:
                if name == "migrated":
                    migrate(server.url_for(OWNER))
            for left in (*making.glob("*.lock"), *making.glob("*.log"), making / "socket"):
                shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
            making.rename(folder)
    return folder
