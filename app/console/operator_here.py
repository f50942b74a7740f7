"""Who acts at the console: the person who signed in here, else whom the operating system names.

`wallet login` keeps the session's token in a file of the system user's own folder, one for each
database. Without one the person is the system user of this process (its real user id, which no
environment variable changes), and is marked as not verified.
"""

import os
import pwd
import socket
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from app.console.errors import ConsoleError
from app.settings import DatabaseSettings, load_database_settings
from app.wallet.operators import Operator, Via

FOLDER: Final = Path(".local/state/wallet")
FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
NAME_LENGTH: Final = 16
"""Of a file's name: enough of a hash for the few databases of one person."""


def here() -> Operator:
    """Return the system user of this process, who is not verified."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    return Operator(name, is_verified=False, roles=frozenset(), via=Via.CONSOLE, source=_terminal())


def kept_token() -> str | None:
    """Return the token of the session that was begun here for this database."""
    with suppress(OSError, UnicodeDecodeError):
        path = _file(load_database_settings())
        status = path.stat()
        if status.st_uid == os.getuid() and not status.st_mode & 0o077:
            return path.read_text(encoding="ascii").strip() or None
    return None


def keep_token(token: str) -> None:
    """Keep a session's token for the next commands, where nobody else can read it."""
    path = _file(load_database_settings())
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
        os.replace(fresh, path)  # noqa: PTH105 - a rename that replaces
    except OSError as error:
        raise ConsoleError(
            f"The session cannot be kept in {path.parent}: {error.strerror or error}."
        ) from error


def forget_token() -> None:
    """Remove the token of this database's session."""
    with suppress(OSError):
        _file(load_database_settings()).unlink()


def _file(settings: DatabaseSettings) -> Path:
    """Return the file of this database's session, in the folder that the system says is theirs."""
    named = settings.database_url
    place = named.get_secret_value() if named else str(settings.data_dir.expanduser().resolve())
    try:
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        home = Path.home()
    name = sha256(place.encode()).hexdigest()[:NAME_LENGTH]
    return home / FOLDER / f"{name}.session"


def _terminal() -> str:
    """Name the machine, and the terminal if there is one."""
    terminal = "no terminal"
    with suppress(OSError, ValueError, AttributeError):
        terminal = os.ttyname(sys.stdin.fileno())
    return f"{socket.gethostname()} {terminal}"
