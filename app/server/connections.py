"""The connections of one port, with bounds on their number and on how long each may wait.

1. No more connections are open than the process has descriptors for, after what it needs itself.
   A new one beyond that replaces those that have been idle longest; if every connection has a
   request in progress, it is answered with 503.
2. One scan of all connections, several times a second, closes those whose time is over. A timer
   for each request would cost more than the scan.
"""

import asyncio
import heapq
import resource
import time
from typing import Final, Protocol

NANOSECONDS: Final = 10**9
NEVER: Final = 2**63
"""A moment that is never reached."""

CONNECTIONS_MAX: Final = 10_000
"""The bound by memory, if descriptors suffice: 120 MB. An idle connection takes about 4 KiB, and 12
once uvicorn has answered on it (resident memory over 2,000 connections)."""

CONNECTIONS_MIN: Final = 16
"""The bound where descriptors are short: a caller or two with their pools are still served."""

PRIVATE_CONNECTIONS_MAX: Final = 32
"""Probes and scrapes of one process; their descriptors are set aside."""

OWN_DESCRIPTORS: Final = 96
"""The descriptors that a process needs beside those of callers, database and private port.

A started process has some 30 open (interpreter, event loop, listening sockets, log, embedded
PostgreSQL); the rest is for connections accepted before the bound is seen, and closed ones whose
descriptor is not free yet.
"""

LOOKS_PER_DEADLINE: Final = 10
LOOK_SECONDS_MAX: Final = 1
"""The longest interval between two scans, which is otherwise a tenth of the deadline."""

ROOM: Final = 16
"""One sixteenth of the connections is closed together to make room, since finding the ones idle
longest needs a scan of all."""


class Connection(Protocol):
    """A connection as this module sees it."""

    @property
    def quiet_since(self) -> int | None:
        """When its last request ended (ns, monotonic clock); None: one is in progress."""

    @property
    def expires_at(self) -> int:
        """When its time is over (ns, monotonic clock)."""

    def expire(self) -> None:
        """Close it: its time is over."""

    def make_room(self) -> None:
        """Close it to make room for another."""


class Connections:
    """All connections of a port, in bounds."""

    def __init__(
        self,
        limit: int,
        *,
        deadline_ns: int,
        keep_alive_ns: int,
    ) -> None:
        """`deadline_ns`: how long a head may take to arrive, and an answer to be read.

        `keep_alive_ns`: how long a connection may be idle between two requests.
        """
        self.limit = limit
        self.deadline_ns = deadline_ns
        self.keep_alive_ns = keep_alive_ns
        self._open: set[Connection] = set()
        self._will_look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def admit(self, connection: Connection) -> bool:
        """Register a new connection; return False if there is no room for it."""
        has_room = len(self._open) < self.limit or self._make_room()
        self._open.add(connection)
        if self._will_look is None:
            self._look_later()
        return has_room

    def discard(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)

    def _make_room(self) -> bool:
        """Close the connections that have been idle longest; return whether there were any."""
        quiet = [(c.quiet_since, n, c) for n, c in enumerate(self._open) if c.quiet_since]
        longest = heapq.nsmallest(1 + self.limit // ROOM, quiet)
        for _, _, connection in longest:
            connection.make_room()
        return bool(longest)

    def _look_later(self) -> None:
        wait_ns = min(self.deadline_ns // LOOKS_PER_DEADLINE, LOOK_SECONDS_MAX * NANOSECONDS)
        loop = asyncio.get_running_loop()
        self._will_look = loop.call_later(wait_ns / NANOSECONDS, self._look)

    def _look(self) -> None:
        now = time.monotonic_ns()
        for connection in [c for c in self._open if c.expires_at <= now]:
            connection.expire()
        self._will_look = None
        if self._open:
            self._look_later()


def connections_max(database_connections: int) -> int:
    """Return how many connections of callers this process may have, by its descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    free = soft - OWN_DESCRIPTORS - PRIVATE_CONNECTIONS_MAX - database_connections
    return max(CONNECTIONS_MIN, min(CONNECTIONS_MAX, free))
