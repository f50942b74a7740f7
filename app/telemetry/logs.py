"""Logs: one line of JSON per event on standard error, readable colours where a person looks on.

An event's own dict is the line, and nothing is formatted twice (about 4 µs). The line that every
movement writes has its fields laid down beforehand, and takes `write_line` (about 1 µs). A log that
cannot be written never changes what a caller is told: the line is dropped.
"""

import asyncio
import atexit
import logging
import sys
from datetime import UTC, datetime
from typing import ClassVar, Final, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, ProcessorReturnValue, WrappedLogger
from typing_extensions import override

_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


class Line(msgspec.Struct, gc=False):
    """The fields that every line begins with; a kind of line adds its own."""

    at: datetime
    level: str
    event: str


class LineSink:
    """Where lines go: a stream, never waited for longer than a write.

    A batch's movements are answered in one turn of the event loop, and their lines leave together
    at its end, in one write: a write each would cost more than the lines. Outside a loop a line
    leaves at once.
    """

    def __init__(self, stream: TextIO) -> None:
        self._write = stream.buffer.write
        self._flush = stream.buffer.flush
        self._lines: list[bytes] = []
        self._flushed_by: asyncio.AbstractEventLoop | None = None

    def msg(self, line: bytes | str) -> None:
        """Write one line, now or at the end of this turn of the loop."""
        self._lines.append(line if isinstance(line, bytes) else line.encode())
        if self._flushed_by is not None and not self._flushed_by.is_closed():
            return
        try:
            self._flushed_by = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            self._flushed_by.call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits; a stream that is closed or full loses it."""
        lines, self._lines, self._flushed_by = self._lines, [], None
        if not lines:
            return
        try:
            self._write(b"\n".join(lines) + b"\n")
            self._flush()
        except (OSError, ValueError):
            pass  # Standard error is gone: there is nobody left to tell.

    debug = info = warning = error = critical = exception = msg


class _Output:
    """How this process logs, once it is set up."""

    sink: LineSink | None = None
    processors: ClassVar[list[structlog.typing.Processor]] = []


def write_line(line: Line) -> None:
    """Log a line whose fields are known beforehand, as it would look through structlog."""
    output = _Output
    if output.sink is not None and output.processors and output.processors[-1] is _as_json:
        output.sink.msg(_ENCODER.encode(line))
        return
    # A person looks on, or a test listens.
    facts = msgspec.structs.asdict(line)
    del facts["at"]
    level, event = facts.pop("level"), facts.pop("event")
    structlog.get_logger().log(logging.getLevelNamesMapping()[level.upper()], event, **facts)


def configure_logs(stream: TextIO | None = None) -> None:
    """Set up logging for this process, once; whoever comes later finds it set up."""
    if structlog.is_configured():
        return
    stream = stream or sys.stderr
    sink = LineSink(stream)
    atexit.register(sink.flush)
    _Output.sink, _Output.processors = sink, _processors(is_terminal=stream.isatty())
    structlog.configure(
        processors=_Output.processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    logging.getLogger().addHandler(_Forward(logging.WARNING))


def _processors(*, is_terminal: bool) -> list[structlog.typing.Processor]:
    if is_terminal:
        return [
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(repr_native_str=True),
        ]
    return [structlog.processors.format_exc_info, _as_json]


def _as_json(_logger: WrappedLogger, level: str, event: EventDict) -> ProcessorReturnValue:
    line: dict[str, object] = {
        "at": datetime.now(UTC),
        "level": level,
        "event": event.pop("event", None),
    }
    line.update(event)
    return _ENCODER.encode(line)


class _Forward(logging.Handler):
    """Hands what libraries log through the standard library to the same stream."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        level = min(max(record.levelno, logging.INFO), logging.CRITICAL)
        structlog.get_logger().log(
            level, record.getMessage(), logger=record.name, exc_info=record.exc_info
        )
