"""Write to a stream without ever waiting for whoever reads it.

`O_NONBLOCK` belongs to what is open, not to a descriptor: set on standard error it would hold for
every process that shares it, the shell included. So a pipe or a terminal is opened once more, a
socket is asked for each message, and a file is written as it is: a disk has no reader to wait for.
"""

import os
import select
import socket
import stat
from typing import Final, Protocol, TextIO


class Writer(Protocol):
    """A way to a stream that never waits."""

    def write(self, data: memoryview) -> int:
        """Write what can be written now, and return how much; BlockingIOError: nothing."""
        ...

    def close(self) -> None:
        """Close what was opened for writing; the stream itself stays open."""
        ...


def writer_for(stream: TextIO) -> Writer:
    """Return how to write to this stream without waiting."""
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):
        return _InMemory(stream)
    if stat.S_ISSOCK(mode):
        return _Socket(descriptor)
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        # Opened anew it would begin at its beginning.
        return _Descriptor(descriptor, is_own=False)
    try:
        own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return Polled(descriptor)
    return _Descriptor(own, is_own=True)


class _Descriptor:
    """A descriptor that does not block."""

    __slots__ = ("_descriptor", "_is_own")

    def __init__(self, descriptor: int, *, is_own: bool) -> None:
        self._descriptor: Final = descriptor
        self._is_own: Final = is_own

    def write(self, data: memoryview) -> int:
        return os.write(self._descriptor, data)

    def close(self) -> None:
        if self._is_own:
            os.close(self._descriptor)


class _Socket:
    """A socket, as systemd hands one to a service for its log."""

    __slots__ = ("_socket",)

    def __init__(self, descriptor: int) -> None:
        self._socket: Final = socket.socket(fileno=os.dup(descriptor))

    def write(self, data: memoryview) -> int:
        return self._socket.send(data, socket.MSG_DONTWAIT)

    def close(self) -> None:
        self._socket.close()


class Polled:
    """A pipe or terminal of another user, which we may use and not open.

    One that is ready takes PIPE_BUF bytes at once. Two processes that share it and are told so at
    the same moment could still wait for its reader, the second of them.
    """

    __slots__ = ("_descriptor", "_poll")

    def __init__(self, descriptor: int) -> None:
        self._descriptor: Final = descriptor
        self._poll: Final = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, data: memoryview) -> int:
        """Write a portion if the stream says that it takes one."""
        if not self._poll.poll(0):
            raise BlockingIOError
        return os.write(self._descriptor, data[: select.PIPE_BUF])

    def close(self) -> None:
        """Nothing was opened."""


class _InMemory:
    """A stream that is no file of the system's."""

    __slots__ = ("_stream",)

    def __init__(self, stream: TextIO) -> None:
        self._stream: Final = stream

    def write(self, data: memoryview) -> int:
        buffer = self._stream.buffer
        buffer.write(bytes(data))
        buffer.flush()
        return len(data)

    def close(self) -> None:
        """Nothing was opened."""
