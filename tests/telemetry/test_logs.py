"""One line for each event, whatever it contains, and no line that raises an error."""

import io
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from structlog.testing import capture_logs
from typing_extensions import override

from app.telemetry import logs
from app.telemetry.logs import Line, configure_logs, write_line


class Terminal(io.TextIOWrapper):
    """A stream that says that a person looks on."""

    @override
    def isatty(self) -> bool:
        return True


@pytest.fixture
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget how this process logs, and remember it again afterwards."""
    monkeypatch.setattr(logs._Output, "sink", None)
    monkeypatch.setattr(logs._Output, "processors", [])
    was, root = structlog.get_config() if structlog.is_configured() else None, logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    root.handlers.clear()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    if was is None:
        structlog.reset_defaults()
    else:
        structlog.configure(**was)


pytestmark = pytest.mark.usefixtures("unconfigured")


def lines(stream: io.TextIOWrapper) -> list[dict[str, object]]:
    written = stream.buffer.getvalue()  # type: ignore[attr-defined]  # BytesIO
    return [json.loads(line) for line in written.splitlines()]


def test_an_event_is_one_line_of_json() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    configure_logs(stream)
    structlog.get_logger("any").info("movement", code=409, user_id='é"\n{"code":0}\x1b[31m')
    structlog.get_logger().error("alarm", differs="amount")
    first, second = lines(stream)
    at = datetime.fromisoformat(str(first.pop("at")))
    assert at.utcoffset() == timedelta(0)
    assert first == {
        "level": "info",
        "event": "movement",
        "code": 409,
        "user_id": 'é"\n{"code":0}\x1b[31m',
    }
    assert (second["level"], second["event"]) == ("error", "alarm")


def test_what_json_does_not_know_is_written_as_text() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    configure_logs(stream)
    structlog.get_logger().info("x", thing=ValueError("odd"))
    assert lines(stream)[0]["thing"] == "odd"


def test_a_fault_is_written_with_its_traceback() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    configure_logs(stream)
    try:
        int("odd")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    (line,) = lines(stream)
    assert "ValueError: invalid literal" in str(line["exception"])


def test_what_is_not_worth_a_line_is_none() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    configure_logs(stream)
    structlog.get_logger().debug("x")
    logging.getLogger("library").info("x")
    assert lines(stream) == []


def test_what_libraries_log_goes_the_same_way() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    configure_logs(stream)
    logging.getLogger("library").warning("beware of %s", "x")
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["logger"]) == ("warning", "beware of x", "library")


def test_on_a_terminal_a_line_is_for_people_and_hides_no_control_characters() -> None:
    stream = Terminal(io.BytesIO())
    configure_logs(stream)
    structlog.get_logger().warning("movement", user_id="a\x1b[31m\nb")
    written = stream.buffer.getvalue().decode()  # type: ignore[attr-defined]  # BytesIO
    assert "movement" in written
    assert "\\x1b[31m\\nb" in written
    assert written.count("\n") == 1


@pytest.mark.parametrize("is_terminal", [False, True])
def test_no_traceback_shows_what_a_variable_holds(*, is_terminal: bool) -> None:
    stream = (Terminal if is_terminal else io.TextIOWrapper)(io.BytesIO())
    configure_logs(stream)

    def fails(token: str) -> None:
        raise RuntimeError(f"a fault of {len(token)} characters")

    try:
        fails("clear" * 3)
    except RuntimeError:
        structlog.get_logger().exception("failed")
    stream.flush()
    written = stream.buffer.getvalue().decode()  # type: ignore[attr-defined]  # BytesIO
    assert "RuntimeError: a fault of 15 characters" in written
    assert "clearclear" not in written


def test_a_stream_that_is_gone_loses_the_line_and_nothing_else() -> None:
    reader, writer = os.pipe()
    stream = os.fdopen(writer, "w")
    configure_logs(stream)
    os.close(reader)
    structlog.get_logger().info("nobody reads this")
    stream.close()
    structlog.get_logger().info("nor this: the stream is closed")
    assert logs.lines_dropped() == 2


def test_logging_is_set_up_once() -> None:
    first, second = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    configure_logs(first)
    configure_logs(second)
    structlog.get_logger().info("x")
    assert len(lines(first)) == 1
    assert lines(second) == []


class Told(Line, gc=False):
    """A kind of line, as an edge would have it."""

    user_id: str
    code: int


def told() -> Told:
    return Told(datetime.now(UTC), "warning", "movement", 'é"\n', 409)


class TestLinesLaidDownBeforehand:
    def test_they_look_as_any_other(self) -> None:
        stream = io.TextIOWrapper(io.BytesIO())
        configure_logs(stream)
        write_line(told())
        structlog.get_logger("any").warning("movement", user_id='é"\n', code=409)
        first, second = lines(stream)
        assert first.pop("at") <= second.pop("at")  # type: ignore[operator]  # both are texts
        assert list(first.items()) == list(second.items())

    def test_a_person_reads_them_too(self) -> None:
        stream = Terminal(io.BytesIO())
        configure_logs(stream)
        write_line(told())
        written = stream.buffer.getvalue().decode()  # type: ignore[attr-defined]  # BytesIO
        assert "movement" in written
        assert "\x1b[" in written
        assert not written.startswith("{")

    def test_whoever_listens_hears_them(self) -> None:
        configure_logs(io.TextIOWrapper(io.BytesIO()))
        with capture_logs() as heard:
            write_line(told())
        assert heard == [
            {"event": "movement", "log_level": "warning", "user_id": 'é"\n', "code": 409}
        ]

    def test_before_anything_is_set_up_they_are_heard_all_the_same(self) -> None:
        with capture_logs() as heard:
            write_line(told())
        assert [line["event"] for line in heard] == ["movement"]
