"""How the embedded server is reached: a unix socket in a private folder, else a loopback port."""

import hashlib
import os
import re
import secrets
import shlex
import shutil
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

PRIVATE = 0o700
"""The folder's mode: whoever can enter it can connect to the server."""

PORT = 5432
"""On a unix socket the port is only a part of the file's name."""

SOCKET_FOLDER_BYTES_MAX = 107 - len("/.s.PGSQL.65535.lock")
"""A socket's path has at most 107 bytes, and PostgreSQL adds its own file name."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: `host` is a folder for a unix socket, else a loopback address."""

    host: str
    port: int
    password: str

    @property
    def by_socket(self) -> bool:
        """Whether this is a unix socket, whose folder is the only guard it needs."""
        return self.host.startswith("/")

    def url_for(self, role: str, database: str) -> str:
        """Return the address as SQLAlchemy's URL for asyncpg."""
        if self.by_socket:
            where = urlencode({"host": self.host, "port": self.port}, quote_via=quote)
            return f"postgresql+asyncpg://{quote(role)}@/{quote(database)}?{where}"
        who = f"{quote(role)}:{quote(self.password)}"
        return f"postgresql+asyncpg://{who}@{self.host}:{self.port}/{quote(database)}"

    def psql_command(self, psql: str, password_file: Path, role: str, database: str) -> str:
        """Return a command line to paste into a shell."""
        words = [psql, "-h", self.host, "-p", str(self.port), "-U", role, database]
        if not self.by_socket:
            words = ["env", f"PGPASSFILE={password_file}", *words]
        return shlex.join(words)


def choose_address(data_dir: Path, password: str, *, loopback: bool) -> Address:
    """Choose a private socket folder that works; a loopback port where none does.

    Called when no server is alive on this data, so whatever lies in the folder was left by a dead
    one, whose number somebody else may have by now.
    """
    if not loopback and hasattr(socket, "AF_UNIX"):
        beside = data_dir / "socket"
        for folder in (beside, _short_folder(data_dir)):
            if _is_plain(folder) and _holds_a_socket(folder):
                return Address(str(folder), PORT, password)
    return Address("127.0.0.1", _free_port(), password)


def forget_address(address: Address, data_dir: Path) -> None:
    """Remove the socket's folder when it was made outside the data folder."""
    folder = Path(address.host)
    if address.by_socket and folder.parent != data_dir:
        shutil.rmtree(folder, ignore_errors=True)


def _short_folder(data_dir: Path) -> Path:
    """Name a short folder for a data folder with a long path: the same at every start."""
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"wallet-{os.geteuid()}-{name}"


def _is_plain(folder: Path) -> bool:
    """Say whether the path is short enough, and free of what drivers take for their own signs.

    A comma or a colon in it would be taken for a list of hosts, or for a port.
    """
    short = len(os.fsencode(folder)) <= SOCKET_FOLDER_BYTES_MAX
    return short and re.fullmatch(r"[\w./ +@-]+", str(folder)) is not None


def _holds_a_socket(folder: Path) -> bool:
    """Make the folder, private; say whether it is really ours and can hold a socket."""
    try:
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        made = folder.lstat()
        if not stat.S_ISDIR(made.st_mode) or stat.S_IMODE(made.st_mode) != PRIVATE:
            return False
        if os.geteuid() not in {0, made.st_uid}:
            return False
        for left in folder.glob(".s.PGSQL.*"):
            left.unlink()
        trial = folder / f"trial-{secrets.token_hex(2)}"
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(trial))
        trial.unlink()
    except OSError:
        return False
    return True


def _free_port() -> int:
    """Ask the kernel for a port that is free on the loopback interface now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
