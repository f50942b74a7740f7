"""One of several processes as its parent sees it: who is silent for too long is told, then killed.

The processes and their signals are real; the parent's clock is the test's.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.server.worker import (
    LOOK_SECONDS_MAX,
    NANOSECONDS,
    START_SECONDS,
    STUCK_SECONDS,
    TOLD_SECONDS,
    Phase,
    Worker,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its signals are POSIX's")

STOP_SECONDS = 3
Start = Callable[[str], Worker]


async def never_answers(scope: Scope, _receive: Receive, _send: Send) -> None:
    """Read the request, and leave its caller waiting."""
    assert scope["type"] == "http"
    await asyncio.Event().wait()


async def never_starts(scope: Scope, _receive: Receive, _send: Send) -> None:
    """Leave the event loop stuck in its start."""
    assert scope["type"] == "lifespan"
    while scope:
        time.sleep(1)  # noqa: ASYNC251 - that is what is looked for


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def start(listening: socket.socket) -> Iterator[Start]:
    with ExitStack() as stack:

        def started(name: str) -> Worker:
            config = uvicorn.Config(
                f"{__name__}:{name}",
                interface="asgi3",
                lifespan="on" if name == never_starts.__name__ else "off",
                log_config=None,
            )
            worker = Worker(config, listening, stop_seconds=STOP_SECONDS)
            worker.start()
            stack.callback(worker.process.join)
            stack.callback(worker.process.kill)
            return worker

        yield started


@pytest.fixture
def serving(start: Start) -> Worker:
    worker = start(never_answers.__name__)
    until_phase(worker, Phase.SERVING)
    return worker


def until_phase(worker: Worker, phase: Phase) -> None:
    """Ask until it is so far."""
    for _ in range(600):
        if worker.answers() and worker.phase is phase:
            return
        time.sleep(0.05)
    pytest.fail(f"it is {worker.phase}")


@dataclass
class Parent:
    """Who looks, with a clock of its own: a minute of it takes no time."""

    worker: Worker
    seconds: int = 0

    def looks(self, seconds: int) -> None:
        """Look once a second, for so many."""
        for _ in range(seconds):
            self.looks_after(1)

    def looks_after(self, seconds: int) -> None:
        self.seconds += seconds
        self.worker.look(self.seconds * NANOSECONDS)


def test_one_that_is_silent_is_told_to_end_and_may_do_so_in_order(
    serving: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    parent = Parent(serving)
    stop(serving)
    parent.looks(STUCK_SECONDS)
    assert not caplog.records
    parent.looks(1)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert f"[{serving.pid}] has not answered for {STUCK_SECONDS} seconds" in caplog.text
    send(serving, signal.SIGCONT)
    serving.process.join(20)
    assert serving.exitcode == -signal.SIGTERM
    assert len(caplog.records) == 1


def test_one_that_stays_silent_after_it_was_told_is_killed(
    serving: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    parent = Parent(serving)
    stop(serving)
    parent.looks(STUCK_SECONDS + TOLD_SECONDS)
    assert serving.process.is_alive()
    parent.looks(1)
    serving.process.join(20)
    assert serving.exitcode == -signal.SIGKILL
    assert f"[{serving.pid}] does not end, it is killed" in caplog.text


def test_while_the_parent_itself_is_stopped_no_silence_counts(
    serving: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a machine is suspended, or a container paused: both stop, and go on."""
    parent = Parent(serving)
    parent.looks(1)
    stop(serving)
    for _ in range(STUCK_SECONDS // LOOK_SECONDS_MAX - 1):
        parent.looks_after(3600)
    send(serving, signal.SIGCONT)
    until_phase(serving, Phase.SERVING)
    assert not caplog.records


def test_one_that_answers_is_left_alone(serving: Worker, caplog: pytest.LogCaptureFixture) -> None:
    parent = Parent(serving)
    for _ in range(3):
        stop(serving)
        parent.looks(STUCK_SECONDS - 1)
        send(serving, signal.SIGCONT)
        # The answer to the question that it owes is there before the parent looks again.
        assert serving.parent_conn.poll(20)
        parent.looks(1)
    assert serving.is_serving
    assert not caplog.records


def test_one_that_does_not_start_has_more_time(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    worker = start(never_starts.__name__)
    parent = Parent(worker)
    parent.looks(START_SECONDS)
    assert not caplog.records
    parent.looks(1 + TOLD_SECONDS)
    worker.process.join(20)
    assert worker.exitcode in {-signal.SIGUSR2, -signal.SIGTERM, -signal.SIGKILL}
    assert f"[{worker.pid}] has not answered for {START_SECONDS} seconds" in caplog.text


def test_one_that_ends_has_its_time_and_not_more(
    serving: Worker, listening: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    """A person may have told it to; its answers do not prolong that."""
    with socket.create_connection(listening.getsockname(), timeout=20) as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: wallet\r\n\r\n")
        parent = Parent(serving)
        send(serving, signal.SIGTERM)
        until_phase(serving, Phase.ENDING)
        parent.looks(STOP_SECONDS)
        assert not caplog.records
        parent.looks(1)
        serving.process.join(20)
    assert serving.exitcode == -signal.SIGKILL
    assert f"[{serving.pid}] does not end, it is killed" in caplog.text


def send(worker: Worker, number: int) -> None:
    assert worker.pid is not None
    os.kill(worker.pid, number)


def stop(worker: Worker) -> None:
    """Stop it; it is stopped when this returns."""
    send(worker, signal.SIGSTOP)
    assert worker.pid is not None
    os.waitpid(worker.pid, os.WUNTRACED)
