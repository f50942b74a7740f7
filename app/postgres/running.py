"""What is known of a server on a data folder: its own note, `postmaster.pid`, and its answer."""

import os
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

ANSWER_SECONDS_MAX = 2
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""The shortest question of the protocol; a server says `S` or `N`, from a process of its own."""

LINES = 8
"""pid, data folder, start, port, socket folder, TCP address, shared memory, status."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server's note about itself."""

    pid: int
    port: int
    host: str
    ready: bool

    def answers(self) -> bool:
        """Say whether it takes a connection now."""
        try:
            with _connection(self.host, self.port) as connection:
                connection.sendall(SSL_REQUEST)
                return connection.recv(1) in {b"S", b"N"}
        except OSError:
            return False

    def alive(self) -> bool:
        """Say whether the process that wrote the note still is that PostgreSQL.

        After a crash the number may belong to somebody else's process, or to a zombie.
        """
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        if sys.platform != "linux":
            return True
        try:
            program = Path(f"/proc/{self.pid}/exe").readlink()
        except PermissionError:
            return True
        except OSError:
            return False
        return program.name.removesuffix(" (deleted)") == "postgres"

    def owner(self) -> str:
        """Name the process that started it, where that can be known."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
            # The name stands in parentheses and may hold anything; then state and parent follow.
            parent = int(stat.rpartition(")")[2].split()[1])
            words = Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            return f"server process {self.pid}"
        command = " ".join(Path(os.fsdecode(word)).name for word in words if word)
        shown = "".join(c if c.isprintable() else "?" for c in command[:60])
        return f"process {parent}: {shown}" if shown else f"server process {self.pid}"


def read_running(cluster_dir: Path) -> Running | None:
    """Read the note of the server on this folder; None when there is none worth reading."""
    note = cluster_dir / "postmaster.pid"
    try:
        lines = note.read_text(encoding="utf-8").split("\n")
    except OSError:
        return None
    if not lines[0].strip().isdecimal():
        return None
    pid = int(lines[0])
    if len(lines) < LINES:
        return Running(pid, 0, "", ready=False)
    port, folder, tcp = lines[3], lines[4], lines[5]
    return Running(pid, int(port), folder or tcp, ready=lines[7].strip() == "ready")


def remove_stale_note(cluster_dir: Path) -> None:
    """Remove the note of a dead server, whose number somebody else may have by now."""
    (cluster_dir / "postmaster.pid").unlink(missing_ok=True)


def _connection(host: str, port: int) -> socket.socket:
    """Connect to a socket in a folder, or to a loopback port."""
    if not host.startswith("/"):
        return socket.create_connection((host, port), timeout=ANSWER_SECONDS_MAX)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_SECONDS_MAX)
    try:
        connection.connect(f"{host}/.s.PGSQL.{port}")
    except OSError:
        connection.close()
        raise
    return connection
