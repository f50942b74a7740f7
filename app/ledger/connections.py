"""Connections kept open between pieces of work: a transaction costs its own round trips only.

Taking one and giving it back is a list's push and pop; a new one is made where none waits. Who got
anything but a plain answer of the database drops the connection: nobody should trust it.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from app.database_url import ConnectArguments
from app.ledger.connecting import connect
from app.ledger.outage import Outage

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

AGE_SECONDS_MAX: Final = 1800
"""A connection is closed after half an hour: what the server keeps for each only ever grows."""

CONNECT_MAX: Final = timedelta(seconds=3)
"""How long the database may take to let us in: a hundred times what it needs."""

SHUT_NANOSECONDS_MAX: Final = 2 * 10**9
"""How long the database's door may be shut before we say so: a restart takes less."""

CLOSE_SECONDS_MAX: Final = 1
"""How long a goodbye waits for an answer; a line that fell silent will never bring one."""


class PoolUse(NamedTuple):
    """The connections of this process at this moment."""

    busy: int
    idle: int
    most: int


class Kept(NamedTuple):
    """A connection, and when it was made by the event loop's clock."""

    raw: Raw
    since: int


class Connections:
    """So many connections to one database, made when they are needed."""

    def __init__(
        self,
        arguments: ConnectArguments,
        most: int,
        wait: timedelta,
        settings: Mapping[str, str],
        outage: Outage,
    ) -> None:
        """`settings` are the server's, for each connection; `wait` for being let in.

        `outage` hears whether the database lets us in.
        """
        self._arguments = arguments
        self._wait = wait
        self._settings = dict(settings)
        self._outage = outage
        self._most = most
        self._idle: list[Kept] = []
        self._free = asyncio.Semaphore(most)
        self._busy = 0
        self._is_open = True
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._shut_since: int | None = None
        self._refused_at = 0

    def use(self) -> PoolUse:
        """Count those that work, those that wait for work, and how many there may be."""
        return PoolUse(self._busy, len(self._idle), self._most)

    @property
    def is_shut(self) -> bool:
        """Whether the database has let nobody in for longer than a restart takes.

        What is asked then need not wait: one try, and the caller hears that it is away.
        """
        since = self._shut_since
        return since is not None and self._refused_at - since >= SHUT_NANOSECONDS_MAX

    async def take(self) -> Kept:
        """One connection for one piece of work: the one used last, else a new one."""
        await self._free.acquire()
        self._busy += 1
        try:
            now = int(asyncio.get_running_loop().time())
            while self._idle:
                kept = self._idle.pop()
                if not kept.raw.is_closed() and now - kept.since < AGE_SECONDS_MAX:
                    return kept
                kept.raw.terminate()
            return Kept(await self._connect(), now)
        except BaseException:
            self._leave()
            raise

    def put_back(self, kept: Kept) -> None:
        """Keep a connection that has answered everything for whoever comes next."""
        self._leave()
        if self._is_open and not kept.raw.is_closed():
            self._idle.append(kept)
        else:
            kept.raw.terminate()

    def drop(self, kept: Kept) -> None:
        """Cut a connection whose state is not known, in the background.

        What still runs on it is cancelled first: it may hold a wallet's lock.
        """
        self._leave()
        goodbye = asyncio.create_task(_say_goodbye(kept.raw))
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)

    async def close(self) -> None:
        """Say goodbye on all that wait; those that work are cut when their work is done."""
        self._is_open = False
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_say_goodbye(kept.raw) for kept in idle), *self._goodbyes)

    def _leave(self) -> None:
        self._busy -= 1
        self._free.release()

    async def _connect(self) -> Raw:
        began = time.monotonic_ns()
        try:
            raw: Raw = await connect(
                self._arguments,
                seconds_max=max(self._wait // timedelta(seconds=1), 1),
                settings=self._settings,
            )
        except TimeoutError as error:
            self._was_refused(began)
            self._outage.begin(error)
            raise ConnectionError("the database does not let us in") from error
        except Exception as error:
            self._was_refused(began)
            self._outage.begin(error)
            raise
        except BaseException:
            self._was_refused(began)
            raise
        self._shut_since = None
        self._outage.end(wrote=False)
        return raw

    def _was_refused(self, began: int) -> None:
        """Remember since when nobody was let in; what was long ago is another story."""
        now = time.monotonic_ns()
        if self._shut_since is None or began - self._refused_at >= SHUT_NANOSECONDS_MAX:
            self._shut_since = began
        self._refused_at = now


async def _say_goodbye(raw: Raw) -> None:
    """Close a connection within bounds; the driver cancels what runs on it."""
    try:
        await raw.close(timeout=CLOSE_SECONDS_MAX)
    except Exception:  # noqa: BLE001 - whatever the driver says of a connection that is given up
        raw.terminate()
