"""The data folder: created and made private, with a clear error if it cannot be used."""

import errno
import os
import pwd
import stat
from pathlib import Path

from app.postgres import child
from app.postgres.errors import PostgresError

WAY_OUT = "name another folder in WALLET_DATA_DIR, or a database in WALLET_DATABASE_URL"


def make_data_dir(data_dir: Path, identity: str) -> Path:
    """Make the data folder, private; when the server is `nobody`, let it pass through."""
    try:
        data_dir = data_dir.expanduser().resolve()
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if identity == child.NOBODY:
            data_dir.chmod(data_dir.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)
    except RuntimeError as error:
        # No such home folder, or links that lead to each other.
        reason = "it is a loop of links" if "loop" in str(error) else "there is no such home folder"
        raise PostgresError(
            f"The data folder {data_dir} cannot be found, {reason}: {WAY_OUT}."
        ) from error
    except OSError as error:
        raise PostgresError(
            f"The data folder {data_dir} cannot be made, {reason_of(error)}: {WAY_OUT}."
        ) from error
    return data_dir


def cannot_be_used(data_dir: Path, error: OSError) -> str:
    """Say why, whose it is where that is the reason, and the way out."""
    reason = reason_of(error)
    if isinstance(error, PermissionError) and (owner := _other_owner(data_dir)) is not None:
        reason = f"it belongs to {owner}"
    return f"The data folder {data_dir} cannot be used, {reason}: {WAY_OUT}."


def reason_of(error: OSError) -> str:
    """Put the system's word into a sentence."""
    words = os.strerror(error.errno) if error.errno else str(error)
    if error.errno == errno.ELOOP:
        words = "it is a loop of links"
    return words[:1].lower() + words[1:]


def _other_owner(data_dir: Path) -> str | None:
    """Name whose the folder is, if it is not ours."""
    try:
        number = data_dir.stat().st_uid
    except OSError:
        return None
    if number == os.geteuid():
        return None
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
