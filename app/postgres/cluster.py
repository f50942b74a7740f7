"""The data folder: made once, complete or not at all, with its roles and its database.

Three roles besides the superuser `postgres`: `wallet_owner` owns the database and runs the
migrations, `wallet_service` is the wallet at work and owns nothing, `wallet_ops` only reads.
"""

import secrets
import shutil
from pathlib import Path

from app.postgres import process
from app.postgres.binaries import Binaries

DATABASE = "wallet"
SUPERUSER = "postgres"
OWNER = "wallet_owner"
SERVICE = "wallet_service"
OPS = "wallet_ops"


class Cluster:
    """The files of one embedded server: everything is named after its major version."""

    def __init__(self, data_dir: Path, binaries: Binaries) -> None:
        name = f"postgres-{binaries.major}"
        self.binaries = binaries
        self.data_dir = data_dir
        self.dir = data_dir / name
        self.log_file = data_dir / f"{name}.log"
        self.password_file = data_dir / f"{name}.password"
        self.start_lock = data_dir / f"{name}.start.lock"
        self.users_lock = data_dir / f"{name}.users.lock"

    @property
    def made(self) -> bool:
        """Whether the folder holds a complete cluster."""
        return (self.dir / "PG_VERSION").is_file()

    def password(self) -> str:
        """Return the cluster's one random password, needed only on a loopback port.

        It is kept in the form of libpq's password file, so that psql can use it as it is.
        """
        try:
            line = self.password_file.read_text(encoding="ascii")
        except FileNotFoundError:
            password = secrets.token_urlsafe(32)
            self.password_file.touch(mode=0o600)
            self.password_file.write_text(f"*:*:*:*:{password}\n", encoding="ascii")
            return password
        return line.strip().rpartition(":")[2]

    def make(self, identity: str, *, fsync: bool) -> None:
        """Make the cluster beside its place, and move it there when it is complete."""
        for leftover in self.data_dir.glob(f"{self.dir.name}.making-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        making = self.data_dir / f"{self.dir.name}.making-{secrets.token_hex(4)}"
        making.mkdir(mode=0o700)
        process.hand_over(making, identity)
        process.run(identity, self._initdb(making, fsync=fsync))
        # The server's single-user mode: no listening, no client, one statement a line.
        single = [self.binaries.program("postgres"), "--single", "-j", "-D", str(making)]
        if not fsync:
            single += ["-c", "fsync=off"]
        process.run(identity, [*single, SUPERUSER], text_in=self._first_statements())
        making.rename(self.dir)

    def _initdb(self, making: Path, *, fsync: bool) -> list[str]:
        """Return the command: byte order for text, so that no system library decides an order."""
        return [
            self.binaries.program("initdb"),
            f"--pgdata={making}",
            f"--username={SUPERUSER}",
            "--locale=C",
            "--encoding=UTF8",
            # The socket lies in a folder that only its owner can enter; a port asks for more.
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--no-instructions",
            *([] if fsync else ["--no-sync"]),
        ]

    def _first_statements(self) -> str:
        """Return what makes roles and database; `-j` ends a statement at an empty line."""
        password = self.password()
        statements = [
            f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'",
            *(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'" for role in (OWNER, SERVICE, OPS)),
            f"ALTER ROLE {OPS} SET default_transaction_read_only = on",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
            f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC",
            f"GRANT CONNECT ON DATABASE {DATABASE} TO {SERVICE}, {OPS}",
        ]
        return "".join(f"{statement};\n\n" for statement in statements)
