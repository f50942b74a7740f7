"""The sink of log lines: writes to a stream without ever waiting for its reader.

1. The lines of one turn of the event loop leave together at its end, in one write: a write each
   would cost more than the lines. Outside a loop a line leaves at once.
2. What the stream does not take now waits, up to `BACKLOG_BYTES_MAX`, and is tried again with the
   next lines or a little later. A line that was begun is finished before another begins.
3. Beyond that, and where the stream is gone, lines are dropped and counted. When the stream takes
   lines again, one line says how many are missing.

Each attempt is one system call that writes a portion, whatever waits: a stream that is stuck costs
each turn the same, however long it has been stuck.
"""

import asyncio
import errno
import time
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

from app.telemetry.nonblocking import writer_for

BACKLOG_BYTES_MAX: Final = 1 << 20
"""Some 2,500 movements' lines: a reader that stops for a moment loses nothing."""

RETRY_MILLISECONDS: Final = 500
RETRY_SOON_MILLISECONDS: Final = 10
"""How soon what waits is tried again when no other line comes; sooner where somebody reads."""

LAST_WORDS_ATTEMPTS: Final = 50
LAST_WORDS_MILLISECONDS: Final = 10
"""At the end of the process: half a second for a reader that is slow; one that is gone has none."""

MAY_PASS: Final = frozenset({None, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT, errno.ENOBUFS})
"""Errors after which a write is tried again: a reader that does not read, or a full disk."""


class LineSink:
    """A stream of lines that is never waited for."""

    def __init__(self, stream: TextIO, say_dropped: Callable[[int], None] | None = None) -> None:
        """`say_dropped` is told how many lines are missing once the stream takes lines again."""
        self.writer = writer_for(stream)
        self._say_dropped = say_dropped
        self._lines: list[bytes] = []
        self._flushed_by: asyncio.AbstractEventLoop | None = None
        self._retried_by: asyncio.AbstractEventLoop | None = None
        self._backlog: deque[tuple[memoryview, int]] = deque()
        """portions that wait, each with its number of lines"""
        self._backlog_bytes = 0
        self._unsaid = 0
        self.dropped = 0
        """lines that were never written"""

    def msg(self, line: bytes | str) -> None:
        """Write one line, now or at the end of this turn of the loop."""
        self._lines.append(line if isinstance(line, bytes) else line.encode(errors="replace"))
        if self._flushed_by is not None and not self._flushed_by.is_closed():
            return
        try:
            self._flushed_by = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            self._flushed_by.call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits, as far as the stream takes it."""
        lines, self._lines, self._flushed_by = self._lines, [], None
        if lines:
            self._take(b"\n".join(lines) + b"\n", len(lines))
        before = self._backlog_bytes
        while self._backlog:
            if not self._write_portion():
                is_read = self._backlog_bytes < before
                self._retry_later(RETRY_SOON_MILLISECONDS if is_read else RETRY_MILLISECONDS)
                return
        if self._unsaid and self._say_dropped is not None:
            missing, self._unsaid = self._unsaid, 0
            self._say_dropped(missing)

    def last_words(self) -> None:
        """Write what waits at the end of the process, within bounds."""
        for _ in range(LAST_WORDS_ATTEMPTS):
            self.flush()
            if not (self._backlog or self._lines):
                return
            time.sleep(LAST_WORDS_MILLISECONDS / 1000)

    debug = info = warning = error = critical = exception = msg

    def _take(self, portion: bytes, lines: int) -> None:
        if self._backlog_bytes + len(portion) > BACKLOG_BYTES_MAX and self._backlog:
            self._drop(lines)
            return
        self._backlog.append((memoryview(portion), lines))
        self._backlog_bytes += len(portion)

    def _write_portion(self) -> bool:
        """Write from the oldest portion; return whether another attempt may succeed."""
        portion, lines = self._backlog[0]
        try:
            written = self.writer.write(portion)
        except OSError as error:
            if error.errno not in MAY_PASS:
                self._give_up()
            return False
        except ValueError:  # The stream was closed.
            self._give_up()
            return False
        self._backlog_bytes -= written
        if written == len(portion):
            self._backlog.popleft()
        else:
            self._backlog[0] = portion[written:], lines
        return True

    def _give_up(self) -> None:
        """Drop what waits, since the stream is gone."""
        self._drop(sum(lines for _, lines in self._backlog))
        self._backlog.clear()
        self._backlog_bytes = 0

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        self._unsaid += lines

    def _retry_later(self, milliseconds: int) -> None:
        """Try again soon, if there is a loop, and something to write."""
        if not self._backlog or (self._retried_by is not None and not self._retried_by.is_closed()):
            return
        try:
            self._retried_by = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._retried_by.call_later(milliseconds / 1000, self._retry)

    def _retry(self) -> None:
        self._retried_by = None
        self.flush()
