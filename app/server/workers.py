"""Several serving processes on one address, announced once, replaced when they die, ended together.

Each has a place with a listening socket of its own, which the parent keeps: what is waiting at the
socket of a process that dies, or that is killed since it is stuck, is served by its successor.
"""

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import uvicorn
from typing_extensions import override
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from app.server.worker import NANOSECONDS, Worker

logger: Final = logging.getLogger("uvicorn.error")

POLL_SECONDS: Final = 0.05
"""The interval at which a supervisor looks whether its workers have started; people wait for it."""

STOP_SECONDS_MORE: Final = 10
"""How long a process may take to end beyond what it has for its requests; then it is killed."""

AGAIN_SECONDS: Final = 5
"""How long a place is left without a process whose start has failed, before the next attempt."""

ENDS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""The signals that end the service; any other leaves those who are starting alone."""


class Workers(Multiprocess):
    """uvicorn's supervisor of processes, each with a socket of its own.

    Ctrl-C in a terminal reaches every process of its group. The workers ignore it, and end when
    this process sends them SIGTERM.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listening: Sequence[socket.socket],
        announce: Callable[[], None],
    ) -> None:
        """Start nothing yet; the processes share the sockets evenly."""
        super().__init__(config, list(listening))
        self._listening = listening
        self._workers: list[Worker] = []
        self._announce = announce
        self._stop_seconds = (config.timeout_graceful_shutdown or 0) + STOP_SECONDS_MORE
        self._has_started = False
        self.has_failed = False
        """whether it ended because no process could start"""
        self._empty_until: dict[int, int] = {}
        """places whose last process failed to start, and when to try again"""

    @override
    def init_processes(self) -> None:
        for place in range(self.processes_num):
            self._workers.append(self._started(place))
        for worker in self._workers:
            self._await_start(worker)
        self._announce_once()

    @override
    def keep_subprocess_alive(self) -> None:
        """Look at every process, and replace those that have ended.

        A start that fails at first ends the service: its settings or its database are wrong. Later
        the database may be away for a while, and the processes that serve go on.
        """
        now = time.monotonic_ns()
        for place, worker in enumerate(self._workers):
            if self.should_exit.is_set():
                return
            if worker.exitcode is None:
                worker.look(now)
                continue
            if place not in self._empty_until:
                failed = worker.exitcode == STARTUP_FAILURE
                if failed and not (self._has_started and any(w.is_serving for w in self._workers)):
                    logger.error("Child process [%s] failed to start, stopping.", worker.pid)
                    self.has_failed = True
                    self.should_exit.set()
                    return
                logger.info("Child process [%s] died", worker.pid)
                self._empty_until[place] = now + (AGAIN_SECONDS * NANOSECONDS if failed else 0)
            if now >= self._empty_until[place]:
                del self._empty_until[place]
                self._workers[place] = self._started(place)
        self._announce_once()

    @override
    def handle_hup(self) -> None:
        """End, as one process does: settings are read at the start of the service."""
        self.handle_term()

    @override
    def terminate_all(self) -> None:
        """Ask all to end; who calls from now on is refused, and does not wait in vain."""
        for worker in self._workers:
            worker.terminate()
        for each in self._listening:
            each.close()

    @override
    def join_all(self) -> None:
        """Wait until all have ended, within what their requests may take."""
        until = time.monotonic_ns() + self._stop_seconds * NANOSECONDS
        for worker in self._workers:
            self._end(worker, until)

    @override
    def handle_ttin(self) -> None:
        """Start no further process: how many there are is a setting."""

    @override
    def handle_ttou(self) -> None:
        """End none: callers would wait at its socket."""

    def _started(self, place: int) -> Worker:
        listening = self._listening[place % len(self._listening)]
        worker = Worker(self.config, listening, stop_seconds=self._stop_seconds)
        with _without_interrupts():
            worker.start()
        return worker

    def _end(self, worker: Worker, until: int) -> None:
        worker.process.join(max(until - time.monotonic_ns(), 0) / NANOSECONDS)
        if worker.exitcode is None:
            logger.error("Child process [%s] does not end, it is killed.", worker.pid)
            worker.process.kill()
            worker.process.join()

    def _await_start(self, worker: Worker) -> None:
        """Look at a worker until it serves, has ended, or is not needed any more."""
        while worker.exitcode is None and not ENDS & {*self.signal_queue}:
            worker.look(time.monotonic_ns())
            if worker.is_serving:
                return
            time.sleep(POLL_SECONDS)

    def _announce_once(self) -> None:
        """Say that the service has started, as soon as all serve."""
        if not self._has_started and all(worker.is_serving for worker in self._workers):
            self._has_started = True
            self._announce()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT; a process started in this block inherits that and never gets it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
