"""A log that is not read loses lines, and never delays an answer."""

import asyncio
import fcntl
import json
import os
import pty
import resource
import select
import signal
import socket
import statistics
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import httpx2
import pytest

from app.telemetry.line_sink import BACKLOG_BYTES_MAX, LineSink
from app.telemetry.nonblocking import Polled, writer_for
from tests.console.console import ENVIRONMENT, WALLET
from tests.data_folders import copy_migrated
from tests.ports import free_port

LINE = b"x" * 399
ENOUGH = 2 * BACKLOG_BYTES_MAX // len(LINE)
"""More lines than any stream takes with a backlog behind it."""


@contextmanager
def pipe() -> Iterator[tuple[TextIO, Callable[[], bytes]]]:
    with ExitStack() as stack:
        reader, writer = os.pipe()
        stack.callback(os.close, reader)
        yield stack.enter_context(os.fdopen(writer, "w")), lambda: os.read(reader, 1 << 16)


@contextmanager
def stopped_terminal() -> Iterator[tuple[TextIO, Callable[[], bytes]]]:
    """A terminal where somebody pressed Ctrl-S."""
    with ExitStack() as stack:
        keyboard, screen = pty.openpty()
        stack.callback(os.close, keyboard)
        stream = stack.enter_context(os.fdopen(screen, "w"))
        termios.tcflow(screen, termios.TCOOFF)

        def read() -> bytes:
            termios.tcflow(screen, termios.TCOON)
            ready, _, _ = select.select([keyboard], [], [], 0)
            return os.read(keyboard, 1 << 16) if ready else b""

        yield stream, read


@contextmanager
def journal() -> Iterator[tuple[TextIO, Callable[[], bytes]]]:
    """A socket, as systemd hands one to a service."""
    with ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.enter_context(theirs)
        stream = stack.enter_context(os.fdopen(ours.detach(), "w"))
        yield stream, lambda: theirs.recv(1 << 16)


STREAMS = pytest.mark.parametrize("opened", [pipe, stopped_terminal, journal])
Read = Callable[[], bytes]
Opened = Callable[[], AbstractContextManager[tuple[TextIO, Read]]]


@pytest.fixture(autouse=True)
def _no_wait() -> Iterator[None]:
    """Whoever waits is interrupted: such a test would not end."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waited"))
    signal.alarm(50)
    yield
    signal.alarm(0)


@contextmanager
def sink_to(stream: TextIO, say: Callable[[int], None] | None = None) -> Iterator[LineSink]:
    sink = LineSink(stream, say)
    yield sink
    sink.writer.close()


def everything(sink: LineSink, read: Callable[[], bytes], last: bytes) -> bytes:
    """Read until the last line has come, while the sink goes on writing."""
    got = b""
    while last not in got:
        sink.flush()
        got += read().replace(b"\r", b"")
    return got


@STREAMS
def test_nobody_waits_and_what_is_missing_is_said_once(opened: Opened) -> None:
    said: list[int] = []
    with opened() as (stream, read), sink_to(stream, said.append) as sink:
        for _ in range(ENOUGH):
            sink.msg(LINE)
        assert sink.dropped > 0
        assert said == []
        got = everything(sink, read, LINE)
        while not said:
            sink.flush()
            if not said:
                got += read().replace(b"\r", b"")
        sink.msg(b"last")
        got += everything(sink, read, b"last\n")
        assert said == [sink.dropped]
    lines = got.split(b"\n")
    # Nothing is torn, and nothing is both written and counted as missing.
    assert set(lines) == {LINE, b"last", b""}
    assert lines.count(LINE) == ENOUGH - sink.dropped


@STREAMS
def test_a_reader_that_stops_for_a_moment_loses_nothing(opened: Opened) -> None:
    with opened() as (stream, read), sink_to(stream) as sink:
        for _ in range(BACKLOG_BYTES_MAX // len(LINE) - 10):
            sink.msg(LINE)
        sink.msg(b"last")
        got = everything(sink, read, b"last\n")
        assert sink.dropped == 0
        assert got.count(LINE) == BACKLOG_BYTES_MAX // len(LINE) - 10


def test_a_pipe_of_another_user_is_not_waited_for_either() -> None:
    with pipe() as (stream, read), sink_to(stream) as sink:
        sink.writer = Polled(stream.fileno())
        for _ in range(ENOUGH):
            sink.msg(LINE)
        assert sink.dropped > 0
        assert everything(sink, read, LINE).startswith(LINE)


def test_the_descriptor_we_share_stays_as_it_was() -> None:
    with pipe() as (stream, _), sink_to(stream) as sink:
        sink.msg(LINE)
        assert fcntl.fcntl(stream.fileno(), fcntl.F_GETFL) & os.O_NONBLOCK == 0


def test_a_full_disk_loses_lines_until_there_is_room(tmp_path: Path) -> None:
    said: list[int] = []
    path = tmp_path / "log"
    with Path("/dev/full").open("w", encoding="utf-8") as full, path.open("a") as log:
        sink = LineSink(full, said.append)
        for _ in range(ENOUGH):
            sink.msg(LINE)
        assert sink.dropped > 0
        sink.writer = writer_for(log)  # room was made
        sink.msg(b"last")
    assert said == [sink.dropped]
    assert path.read_bytes().endswith(LINE + b"\nlast\n")


def test_a_file_is_added_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    with path.open("a", encoding="utf-8") as log:
        LineSink(log).msg(b"after")
    assert path.read_bytes() == b"before\nafter\n"


async def test_what_waits_is_written_although_no_other_line_comes() -> None:
    with pipe() as (stream, read), sink_to(stream) as sink:
        for _ in range(BACKLOG_BYTES_MAX // len(LINE) - 10):
            sink.msg(LINE)
        await asyncio.sleep(0)
        got, deadline = b"", time.monotonic() + 15
        while not got.endswith(LINE + b"\n") or got.count(b"\n") < 2600:
            got += await asyncio.to_thread(read)
            assert time.monotonic() < deadline
            if got.count(b"\n") == BACKLOG_BYTES_MAX // len(LINE) - 10:
                break


def test_a_line_costs_the_same_however_long_nobody_has_read() -> None:
    def cost(sink: LineSink) -> int:
        times = []
        for _ in range(2000):
            began = time.perf_counter_ns()
            sink.msg(LINE)
            times.append(time.perf_counter_ns() - began)
        return int(statistics.median(times))

    with pipe() as (stream, _), sink_to(stream) as sink:
        for _ in range(ENOUGH):
            sink.msg(LINE)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        first = cost(sink)
        for _ in range(100_000):
            sink.msg(LINE)
        later = cost(sink)
        print(f"a line that is dropped: {first} ns at first, {later} ns after 100,000")  # noqa: T201
        assert later < 3 * first
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 4096  # KiB


def test_a_served_wallet_goes_on_when_nobody_reads_its_log(tmp_path: Path) -> None:
    copy_migrated(tmp_path / ".wallet")
    reader, writer = os.pipe()
    private, port = free_port(), free_port()
    with (tmp_path / "output").open("wb") as output:
        serving = subprocess.Popen(
            [*WALLET, "serve", "--demo"],
            cwd=tmp_path,
            env={**ENVIRONMENT, "WALLET_PRIVATE_PORT": str(private), "WALLET_PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=writer,
        )
    os.close(writer)
    try:
        inside = f"http://127.0.0.1:{private}"
        until_ready(inside, serving)
        with httpx2.Client(timeout=5) as caller:
            unsigned(port, 12_000)
            assert caller.get(f"{inside}/health/live").status_code == 200
            page = caller.get(f"{inside}/metrics").text
            dropped = int(float(page.split("\nwallet_log_lines_dropped_total ")[1].split("\n")[0]))
            assert dropped > 100
            said = read_until(reader, b"log lines dropped")
        (line,) = (json.loads(line) for line in said.splitlines() if b"lines dropped" in line)
        assert line["count"] >= dropped
    finally:
        serving.send_signal(signal.SIGINT)
        os.close(reader)
        assert serving.wait(30) == 0


def unsigned(port: int, count: int) -> None:
    """Send requests with a wrong signature, each of which leaves a line."""
    one = b"GET /getBalance?userId=alice HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
        for _ in range(count // 200):
            caller.sendall(one * 200)
            got = b""
            while got.count(b"HTTP/1.1 ") < 200 or not got.endswith(b"}"):
                got += caller.recv(1 << 16)


def until_ready(inside: str, serving: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert serving.poll() is None
        try:
            if httpx2.get(f"{inside}/health/ready").status_code == 200:
                return
        except httpx2.HTTPError:
            time.sleep(0.05)
    pytest.fail("it did not get ready")


def read_until(reader: int, words: bytes) -> bytes:
    got, deadline = b"", time.monotonic() + 15
    while words not in got or not got.endswith(b"\n"):
        got += os.read(reader, 1 << 16)
        assert time.monotonic() < deadline
    return got


def test_at_the_end_of_the_process_a_slow_reader_still_gets_its_lines() -> None:
    script = (
        "from app.telemetry.logs import configure_logs; import structlog\n"
        "configure_logs()\n"
        "for n in range(1000): structlog.get_logger().info('x' * 300, n=n)\n"
    )
    writing = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    with writing:
        assert writing.stderr is not None
        time.sleep(0.3)
        assert len(writing.stderr.read().splitlines()) == 1000
