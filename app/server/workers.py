"""Several serving processes on one address, announced once, replaced when they die, ended together.

Each has a place with a listening socket of its own, which the parent keeps: what is waiting at the
socket of a process that dies is served by its successor.
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
from uvicorn.supervisors.multiprocess import Process

logger: Final = logging.getLogger("uvicorn.error")

POLL_SECONDS: Final = 0.05
"""The interval at which a supervisor looks whether its workers have started; people wait for it."""

STOP_SECONDS_MORE: Final = 10
"""How long a process may take to end beyond what it has for its requests; then it is killed."""

AGAIN_SECONDS: Final = 5
"""How long a place is left without a process whose start has failed, before the next attempt."""

NANOSECONDS: Final = 10**9

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
            self.processes.append(self._started(place))
        self._has_started = all(self._is_ready(process) for process in self.processes)
        if self._has_started:
            self._announce()

    @override
    def keep_subprocess_alive(self) -> None:
        """Replace the processes that have died or hang.

        A start that fails at first ends the service: its settings or its database are wrong. Later
        the database may be away for a while, and the processes that serve go on.
        """
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            if place not in self._empty_until:
                process.kill()
                process.join()
                failed = process.exitcode == STARTUP_FAILURE
                if failed and not (self._has_started and any(map(_is_serving, self.processes))):
                    logger.error("Child process [%s] failed to start, stopping.", process.pid)
                    self.has_failed = True
                    self.should_exit.set()
                    return
                logger.info("Child process [%s] died", process.pid)
                self._empty_until[place] = time.monotonic_ns() + (
                    AGAIN_SECONDS * NANOSECONDS if failed else 0
                )
            if time.monotonic_ns() >= self._empty_until[place]:
                del self._empty_until[place]
                self.processes[place] = self._started(place)

    @override
    def handle_hup(self) -> None:
        """End, as one process does: settings are read at the start of the service."""
        self.handle_term()

    @override
    def terminate_all(self) -> None:
        """Ask all to end; who calls from now on is refused, and does not wait in vain."""
        super().terminate_all()
        for each in self._listening:
            each.close()

    @override
    def join_all(self) -> None:
        """Wait until all have ended, within what their requests may take."""
        until = time.monotonic_ns() + self._stop_seconds * NANOSECONDS
        for process in self.processes:
            self._end(process, until)

    @override
    def handle_ttin(self) -> None:
        """Start no further process: how many there are is a setting."""

    @override
    def handle_ttou(self) -> None:
        """End none: callers would wait at its socket."""

    def _started(self, place: int) -> Process:
        process = Process(self.config, [self._listening[place % len(self._listening)]])
        with _without_interrupts():
            process.start()
        return process

    def _end(self, process: Process, until: int) -> None:
        process.process.join(max(until - time.monotonic_ns(), 0) / NANOSECONDS)
        if process.exitcode is None:
            logger.error("Child process [%s] does not end, it is killed.", process.pid)
            process.process.kill()
            process.process.join()

    def _is_ready(self, process: Process) -> bool:
        """Wait until a worker serves, has failed, or is not needed any more."""
        while process.process.is_alive() and not ENDS & {*self.signal_queue}:
            if process.is_ready(timeout=1):
                return True
            time.sleep(POLL_SECONDS)
        return False


def _is_serving(process: Process) -> bool:
    return process.process.is_alive() and process.is_ready(timeout=1)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT; a process started in this block inherits that and never gets it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
