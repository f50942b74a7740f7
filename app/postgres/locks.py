"""File locks between the processes that use one data folder; the kernel frees a dead one's."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

POLL_SECONDS = 0.02


class FileLock:
    """A lock on a file of its own: exclusive for one, or shared by many."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        """Keep the lock's file open until the block ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go."""
        self.close()

    def exclusive(self, seconds_max: int) -> bool:
        """Wait, at most so long, until nobody else holds it; say whether it is ours."""
        return self._take(fcntl.LOCK_EX, seconds_max)

    def shared(self, seconds_max: int) -> bool:
        """Wait, at most so long, until nobody holds it alone; say whether we share it."""
        return self._take(fcntl.LOCK_SH, seconds_max)

    def close(self) -> None:
        """Let go; closing twice does no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, kind: int, seconds_max: int) -> bool:
        deadline = time.monotonic() + seconds_max
        while True:
            try:
                fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(POLL_SECONDS)
            else:
                return True
