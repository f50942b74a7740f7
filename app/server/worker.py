"""One of several serving processes: it answers its parent, and ends when that is gone.

1. The parent asks each process, over a pipe, how far it is. The event loop answers, as it serves
   callers: where it does not, they wait as well.
2. A process that is silent for long is told to end, then killed; its successor takes its place. The
   parent counts the time by its own looks, each for a second at most: while it did not run itself
   (a suspended machine, a container that was paused), a process had no chance to answer.
3. A thread waits for the end of the parent, and then ends the process as the parent would. Only the
   parent holds the other end of that pipe, so the kernel closes it however the parent ends.
"""

import asyncio
import faulthandler
import logging
import multiprocessing
import os
import signal
import socket
import threading
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import uvicorn
from typing_extensions import override
from uvicorn.supervisors.multiprocess import Process

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

logger: Final = logging.getLogger("uvicorn.error")

NANOSECONDS: Final = 10**9

STUCK_SECONDS: Final = 20
"""How long a process may be silent.

Nothing that the event loop does takes a second. A machine that swaps or has many more processes
than cores may stop one for some; uvicorn's own bound of five has ended healthy ones, and gunicorn's
is thirty. Twice the default deadline: whoever asked a process that is stuck has given up.
"""

START_SECONDS: Final = 60
"""How long one may be silent that has not served yet: its imports take seconds, and all may start
at once on a cold disk."""

TOLD_SECONDS: Final = 5
"""How long one that was silent may be so still after it was told to end; then it is killed."""

LOOK_SECONDS_MAX: Final = 1
"""How much silence one look counts at most; the parent looks twice a second."""

TELL_WHERE: Final = signal.SIGUSR2
"""The signal at which a process writes to standard error what each of its threads is doing."""


class Phase(Enum):
    """How far a process is."""

    STARTING = auto()
    SERVING = auto()
    ENDING = auto()


class Worker(Process):
    """A process as its parent sees it, and what runs in it."""

    def __init__(
        self, config: uvicorn.Config, listening: socket.socket, *, stop_seconds: int
    ) -> None:
        """Start nothing yet; `stop_seconds`: how long it may take to end."""
        super().__init__(config, [listening])
        self.phase = Phase.STARTING
        """what it answered last"""
        self._stop_seconds = stop_seconds
        self._is_asked = False
        """whether it owes an answer; it is asked one question at a time, so the pipe never fills"""
        self._has_answered = False
        """whether it ever did: then it knows the signal that asks it what it is doing"""
        self._is_told = False
        """whether it was silent for too long, and told to end"""
        self._looked_at: int | None = None
        self._silent_ns = 0

    @property
    def is_serving(self) -> bool:
        """Whether it served when it last answered, and has not ended."""
        return self.phase is Phase.SERVING and self.process.is_alive()

    def answers(self) -> bool:
        """Ask it unless that was done; return whether the answer is there."""
        try:
            if not self._is_asked:
                self.parent_conn.send(None)
                self._is_asked = True
            if not self.parent_conn.poll():
                return False
            self.phase = self.parent_conn.recv()
        except (EOFError, OSError):
            return False  # It has ended.
        self._is_asked, self._has_answered = False, True
        return True

    def look(self, now_ns: int) -> None:
        """Hear it; if it has been silent for too long, tell it to end, and kill it later."""
        last = now_ns if self._looked_at is None else self._looked_at
        self._looked_at = now_ns
        before = self.phase
        # Its time to end runs whether it answers or not.
        if self.answers() and (self.phase is not Phase.ENDING or before is not Phase.ENDING):
            self._silent_ns = 0
        else:
            self._silent_ns += min(now_ns - last, LOOK_SECONDS_MAX * NANOSECONDS)
        if self._silent_ns >= self._silent_seconds_max() * NANOSECONDS:
            self._end()
            self._silent_ns = 0

    def _silent_seconds_max(self) -> int:
        if self.phase is Phase.ENDING:
            return self._stop_seconds
        if self._is_told:
            return TOLD_SECONDS
        return STUCK_SECONDS if self.phase is Phase.SERVING else START_SECONDS

    def _end(self) -> None:
        if self._is_told or self.phase is Phase.ENDING:
            logger.error("Child process [%s] does not end, it is killed.", self.pid)
            self.process.kill()
        else:
            logger.error(
                "Child process [%s] has not answered for %s seconds: it is told to end, killed %s"
                " seconds later if it still does not answer, and replaced.",
                self.pid,
                self._silent_seconds_max(),
                TOLD_SECONDS,
            )
            self._is_told = True
            # Who does not know this signal would end by it at once.
            if self.pid is not None and self._has_answered:
                os.kill(self.pid, TELL_WHERE)
            self.process.terminate()

    @override
    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve; this runs in the process."""
        # The parent's end, which came with this object: only the parent shall hold it.
        self.parent_conn.close()
        faulthandler.register(TELL_WHERE)
        server = AnsweringServer(self.config, self.child_conn)
        threading.Thread(
            target=_end_with_parent, args=(server, self._stop_seconds), daemon=True
        ).start()
        server.run(sockets)


class AnsweringServer(uvicorn.Server):
    """A server whose event loop answers how far it is."""

    def __init__(self, config: uvicorn.Config, parent: "Connection[Phase, None]") -> None:
        """`parent` is the pipe over which the parent asks."""
        super().__init__(config)
        self._parent = parent
        self._loop: asyncio.AbstractEventLoop | None = None

    def log_soon(self, words: str, *values: object) -> None:
        """Log an error from another thread: the log is the event loop's."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(logger.error, words, *values)

    @override
    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = loop = asyncio.get_running_loop()
        loop.add_reader(self._parent.fileno(), self._answer)
        try:
            await super().serve(sockets)
        finally:
            loop.remove_reader(self._parent.fileno())

    def _answer(self) -> None:
        try:
            self._parent.recv()
            self._parent.send(self._phase())
        except (EOFError, OSError):
            # The parent asks no more: it has told this process to end, or is gone.
            asyncio.get_running_loop().remove_reader(self._parent.fileno())

    def _phase(self) -> Phase:
        if self.should_exit:
            return Phase.ENDING
        return Phase.SERVING if self.started else Phase.STARTING


def _end_with_parent(server: AnsweringServer, stop_seconds: int) -> None:
    """Wait until the parent is gone, then end in order, in bounds; who has not served just ends."""
    multiprocessing.parent_process().join()  # type: ignore[union-attr]  # it was spawned
    if not server.started:
        os.kill(os.getpid(), signal.SIGKILL)
    # By then the kernel ends it whatever hangs; nobody else would.
    signal.alarm(stop_seconds)
    try:
        server.log_soon("The parent process is gone, process [%s] ends.", os.getpid())
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
