"""Connections kept open between pieces of work: a transaction costs its own round trips only.

Taking one and giving it back is a list's push and pop; the engine is asked for a new one where none
waits. Whoever got anything but a plain answer of the database drops his: nobody should trust it.
"""

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.ext.asyncio import AsyncEngine

if TYPE_CHECKING:
    Raw = asyncpg.Connection[asyncpg.Record]

AGE_SECONDS_MAX: Final = 1800
"""A connection is closed after half an hour: what the server keeps for each only ever grows."""

CLOSE_SECONDS_MAX: Final = 2


class PoolUse(NamedTuple):
    """The connections of this process at this moment."""

    busy: int
    idle: int
    most: int


class Kept(NamedTuple):
    """A connection, and when it was made by the event loop's clock."""

    raw: "Raw"
    since: int


class Connections:
    """So many connections to one database, made when they are needed."""

    def __init__(self, engine: AsyncEngine, most: int) -> None:
        """`engine` makes them; it has no pool of its own."""
        self._engine = engine
        self._most = most
        self._idle: list[Kept] = []
        self._free = asyncio.Semaphore(most)
        self._busy = 0
        self._is_open = True

    def use(self) -> PoolUse:
        """Count those that work, those that wait for work, and how many there may be."""
        return PoolUse(self._busy, len(self._idle), self._most)

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

    def give_back(self, kept: Kept) -> None:
        """Keep a connection that has answered everything for whoever comes next."""
        self._leave()
        if self._is_open and not kept.raw.is_closed():
            self._idle.append(kept)
        else:
            kept.raw.terminate()

    def drop(self, kept: Kept) -> None:
        """Cut a connection whose state is not known."""
        self._leave()
        kept.raw.terminate()

    async def close(self) -> None:
        """Say goodbye on all that wait; those that work are cut when their work is done."""
        self._is_open = False
        while self._idle:
            await self._idle.pop().raw.close(timeout=CLOSE_SECONDS_MAX)

    def _leave(self) -> None:
        self._busy -= 1
        self._free.release()

    async def _connect(self) -> "Raw":
        try:
            fairy = await self._engine.raw_connection()
        except AsyncAdapt_asyncpg_dbapi.Error as error:
            # What the driver said, not the engine's translation of it.
            raise error.__cause__ or error from None
        raw = fairy.driver_connection
        fairy.detach()
        if not isinstance(raw, asyncpg.Connection):
            raise TypeError("the database URL must name the asyncpg driver")
        return raw
