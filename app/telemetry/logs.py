"""Logs: one line of JSON per event on standard error, or coloured text on a terminal.

An event's dict is encoded once (about 4 µs). The line of a movement has fixed fields, and uses
`write_line` (about 1 µs). A log that cannot be written never changes or delays an answer: the line
is dropped and counted.
"""

import atexit
import logging
import sys
from datetime import UTC, datetime
from typing import ClassVar, Final, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, ProcessorReturnValue, WrappedLogger
from typing_extensions import override

from app.telemetry.line_sink import LineSink

_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


class Line(msgspec.Struct, gc=False):
    """The fields that every line begins with; a kind of line adds its own."""

    at: datetime
    level: str
    event: str


class _Output:
    """The configuration of this process's log."""

    sink: LineSink | None = None
    processors: ClassVar[list[structlog.typing.Processor]] = []


def write_line(line: Line) -> None:
    """Log a line with fixed fields, in the form that structlog would give it."""
    output = _Output
    if output.sink is not None and output.processors and output.processors[-1] is _as_json:
        output.sink.msg(_ENCODER.encode(line))
        return
    # A terminal, or a test that captures events.
    facts = msgspec.structs.asdict(line)
    del facts["at"]
    level, event = facts.pop("level"), facts.pop("event")
    structlog.get_logger().log(logging.getLevelNamesMapping()[level.upper()], event, **facts)


def configure_logs(stream: TextIO | None = None, *, only_warnings: bool = False) -> None:
    """Set up logging for this process; later calls change nothing."""
    if structlog.is_configured():
        return
    stream = stream or sys.stderr
    sink = LineSink(stream, _say_dropped)
    atexit.register(sink.last_words)
    _Output.sink, _Output.processors = sink, _processors(is_terminal=stream.isatty())
    structlog.configure(
        processors=_Output.processors,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.WARNING if only_warnings else logging.INFO
        ),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    logging.getLogger().addHandler(_Forward(logging.WARNING))


def lines_dropped() -> int:
    """Return the number of dropped lines of this process."""
    return _Output.sink.dropped if _Output.sink is not None else 0


def _say_dropped(count: int) -> None:
    structlog.get_logger("logs").warning("log lines dropped", count=count)


def for_people() -> list[structlog.typing.Processor]:
    """What makes a line for a terminal of an event."""
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        # The usual traceback shows what each variable holds: tokens and signatures, too.
        structlog.dev.ConsoleRenderer(
            repr_native_str=True, exception_formatter=structlog.dev.plain_traceback
        ),
    ]


def _processors(*, is_terminal: bool) -> list[structlog.typing.Processor]:
    if is_terminal:
        return for_people()
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
