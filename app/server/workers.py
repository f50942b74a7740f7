"""Several serving processes on one address, announced once, replaced when they die, ended together.

The parent keeps a listening socket for each: what is waiting at the socket of a process that dies
is served by its successor.
"""

import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from typing_extensions import override
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

POLL_SECONDS = 0.05
"""The interval at which a supervisor looks whether its workers have started; people wait for it."""


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
        super().__init__(config, [])
        self._listening = listening
        self._announce = announce

    @property  # type: ignore[explicit-override]  # mypy does not see it on one with a setter
    @override
    def sockets(self) -> list[socket.socket]:
        """The socket of the process that is made next: it takes a dead one's place, or the last."""
        places = (n for n, each in enumerate(self.processes) if each.exitcode is not None)
        place = next(places, len(self.processes))
        return [self._listening[place % len(self._listening)]]

    @sockets.setter
    def sockets(self, _none: list[socket.socket]) -> None:
        """Take none from uvicorn, which would give each process all of them."""

    @override
    def init_processes(self) -> None:
        with _without_interrupts():
            super().init_processes()
        if all(self._is_ready(process) for process in self.processes):
            self._announce()

    @override
    def keep_subprocess_alive(self) -> None:
        with _without_interrupts():
            super().keep_subprocess_alive()

    @override
    def restart_all(self) -> None:
        """Replace each process, one after the other, each when the one before serves."""
        for place in range(len(self.processes)):
            self.processes[place].terminate()
            self.processes[place].join()
            self.keep_subprocess_alive()
            if not self._is_ready(self.processes[place]):
                return

    @override
    def handle_ttin(self) -> None:
        """Start no further process: how many there are is a setting."""

    @override
    def handle_ttou(self) -> None:
        """End none: callers would wait at its socket."""

    def _is_ready(self, process: Process) -> bool:
        """Wait until a worker serves, has failed, or is not needed any more."""
        while process.process.is_alive() and not self.signal_queue:
            if process.is_ready(timeout=1):
                return True
            time.sleep(POLL_SECONDS)
        return False


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block SIGINT; a process started in this block inherits that and never gets it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
