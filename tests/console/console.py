"""The console as people use it: a separate process, in a folder of its own."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OWNER, SERVICE
from tests.conftest import BUCKETS
from tests.data_folders import copy_migrated
from tests.ports import free_port

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "PYTHONUNBUFFERED": "1",
    # Demos of several workers run side by side.
    "WALLET_BACKOFFICE_PORT": "0",
    **({} if BUCKETS == 1 else {"WALLET_BUCKETS": str(BUCKETS)}),
}
WALLET = [sys.executable, "-W", "error::ResourceWarning", "-m", "app"]


def wallet(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*WALLET, *arguments],
        cwd=folder,
        env={**ENVIRONMENT, **settings},
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
        timeout=50,
    )


def on(named: EmbeddedPostgres, workers: str) -> dict[str, str]:
    """The settings of so many processes on a database that is named, and not made by them."""
    return {
        "WALLET_CALLBACK_KEYS": "a-key-of-the-operator",
        "WALLET_DATABASE_URL": named.url_for(SERVICE),
        "WALLET_OWNER_DATABASE_URL": named.url_for(OWNER),
        "WALLET_WORKERS": workers,
    }


@dataclass
class Serving:
    """`wallet serve` in another process, until the block ends."""

    folder: Path
    arguments: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    is_fresh: bool = False
    """Whether it makes its own cluster, where it is given no database; else it finds one."""

    def __enter__(self) -> Self:
        data = self.folder / ".wallet"
        if not self.is_fresh and "WALLET_DATABASE_URL" not in self.settings and not data.exists():
            copy_migrated(data)
        self.output = self.folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*WALLET, "serve", *self.arguments],
                cwd=self.folder,
                env={
                    **ENVIRONMENT,
                    "WALLET_PRIVATE_PORT": "0",
                    **self.settings,
                    "WALLET_PORT": str(self.port),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        for _ in range(600):
            if "listens on" in self.said() or self.process.poll() is not None:
                break
            time.sleep(0.05)
        return self

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def stop(self, number: int = signal.SIGINT) -> int:
        """Ask it to stop, the way a terminal does: every process of the group hears it."""
        os.killpg(self.process.pid, number)
        return self.process.wait(40)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
