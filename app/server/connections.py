"""The connections of one port: how many there may be, and how long each may keep us waiting.

1. No more connections are open than the process has descriptors for, after what it needs itself.
   A new one beyond that is let in at the cost of those that have been quiet longest; where every
   connection has a request under way, it is told 503.
2. One look at all of them, several times a second, closes those whose time is over. A timer for
   each request would cost more than the look does.
"""

import asyncio
import heapq
import resource
import time
from typing import Final, Protocol

NANOSECONDS: Final = 10**9
NEVER: Final = 2**63
"""A moment that does not come."""

CONNECTIONS_MAX: Final = 10_000
"""Where descriptors are plenty, memory is the bound: a quiet connection takes about 4 KiB, and 12
once uvicorn has answered on it (resident memory over 2,000 connections)."""

CONNECTIONS_MIN: Final = 16

PRIVATE_CONNECTIONS_MAX: Final = 32
"""Probes and scrapes of one process; their descriptors are set aside."""

OWN_DESCRIPTORS: Final = 96
"""What a process needs beside connections of callers, of the database and of the private port.

A started one has some 30 open (interpreter, event loop, listening sockets, log, embedded
PostgreSQL); the rest is for connections accepted before the bound is seen, and closed ones whose
descriptor is not free yet.
"""

LOOKS_PER_DEADLINE: Final = 10
LOOK_SECONDS_MAX: Final = 1
"""How often the connections are looked at: a tenth of the deadline, a second at most."""

ROOM: Final = 16
"""One sixteenth of the connections is closed at once to make room: the search for the quietest
looks at all of them."""


class Connection(Protocol):
    """What is kept in bounds here."""

    @property
    def quiet_since(self) -> int | None:
        """Since when it has had no request (ns, monotonic clock); None: it has one."""

    @property
    def expires_at(self) -> int:
        """When its time is over (ns, monotonic clock)."""

    def expire(self) -> None:
        """Close it: its time is over."""

    def make_room(self) -> None:
        """Close it: another needs its place."""


class Connections:
    """All connections of a port, in bounds."""

    def __init__(
        self,
        limit: int,
        *,
        deadline_ns: int,
        keep_alive_ns: int,
    ) -> None:
        """`deadline_ns`: until when a begun head must be whole, and what is written be read.

        `keep_alive_ns`: how long a connection may be quiet between two requests.
        """
        self.limit = limit
        self.deadline_ns = deadline_ns
        self.keep_alive_ns = keep_alive_ns
        self._open: set[Connection] = set()
        self._will_look: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def admit(self, connection: Connection) -> bool:
        """Take a new connection in; False if there is no room for it."""
        has_room = len(self._open) < self.limit or self._make_room()
        self._open.add(connection)
        if self._will_look is None:
            self._look_later()
        return has_room

    def discard(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)

    def _make_room(self) -> bool:
        """Close those that have been quiet longest."""
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
    """How many connections of callers a process may have, by its descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    free = soft - OWN_DESCRIPTORS - PRIVATE_CONNECTIONS_MAX - database_connections
    return max(CONNECTIONS_MIN, min(CONNECTIONS_MAX, free))
