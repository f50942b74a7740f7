"""Programs of PostgreSQL as our children: run to their end, or kept beside us."""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.postgres import child
from app.postgres.errors import PostgresError

RUN_SECONDS_MAX = 120
"""initdb takes under a second; on a slow disk that syncs, a minute has been seen."""

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""No PG… variable of the caller reaches the server."""


@cache
def run_as() -> str:
    """Say how a child gives up root: not at all, in a user namespace, or as `nobody`."""
    if os.geteuid() != 0:
        return child.SELF
    probe = subprocess.run(
        _command(child.NAMESPACE, ["/bin/true"]), capture_output=True, check=False, timeout=30
    )
    return child.NAMESPACE if probe.returncode == 0 else child.NOBODY


def _command(identity: str, command: Sequence[str]) -> list[str]:
    """Put our small program before a command; `-I -S` keeps the interpreter's start short."""
    return [sys.executable, "-I", "-S", child.__file__, identity, str(os.getpid()), *command]


def hand_over(folder: Path, identity: str) -> None:
    """Let a folder and all in it belong to the user that the child will be."""
    if os.geteuid() != 0:
        return
    owner = child.NOBODY_ID if identity == child.NOBODY else 0
    if folder.stat().st_uid == owner:
        return
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.lchown(os.path.join(parent, name), owner, owner)  # noqa: PTH118 — os.walk's words
    os.lchown(folder, owner, owner)


def run(identity: str, command: Sequence[str], *, text_in: str = "") -> None:
    """Run a command to its end, and raise what it said if it failed."""
    try:
        done = subprocess.run(
            _command(identity, command),
            input=text_in,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            env=ENVIRONMENT,
            cwd="/",
            timeout=RUN_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{Path(command[0]).name} took longer than {RUN_SECONDS_MAX} seconds."
        raise PostgresError(message) from error
    if done.returncode != 0:
        message = f"{Path(command[0]).name} failed: {done.stdout.strip()[-2000:]}"
        raise PostgresError(message)


@dataclass(frozen=True, slots=True)
class Kept:
    """A child that runs beside us, with the thread that waits for it."""

    process: subprocess.Popen[bytes]
    keeper: threading.Thread


def keep(identity: str, command: Sequence[str], log_file: Path) -> Kept:
    """Start a command that runs beside us and ends with us.

    The thread that starts it also waits for it: the kernel takes the end of the *thread* that made
    a child for the parent's death, so the maker has to live as long as the child.
    """
    started = threading.Event()
    made: list[subprocess.Popen[bytes]] = []
    failed: list[OSError] = []

    def start_and_wait() -> None:
        try:
            log_file.touch(mode=0o600)
            with log_file.open("ab") as log:
                made.append(
                    subprocess.Popen(
                        _command(identity, command),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=ENVIRONMENT,
                        cwd="/",
                        # Ctrl-C in the terminal is for us; we stop the server when we are done.
                        start_new_session=True,
                    )
                )
        except OSError as error:
            failed.append(error)
        started.set()
        if made:
            made[0].wait()

    keeper = threading.Thread(target=start_and_wait, name="postgres-keeper", daemon=True)
    keeper.start()
    started.wait()
    if failed:
        raise PostgresError(f"PostgreSQL could not be started: {failed[0]}") from failed[0]
    return Kept(made[0], keeper)
