"""A connection pool: a transaction costs its own round trips only.

Taking a connection and giving it back is a list's pop and push; a new one is opened if none is
idle. Whoever got anything but a result or an SQL error from a connection drops it, since its state
is unknown.

A statement that may be in its commit's wait for a synchronous standby is never cancelled, since
PostgreSQL would give up the wait and show rows that the standby lacks. Its caller is let go, and
the connection is kept beside the pool until the statement ends, within a bound, and then closed.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeVar

from app.database_url import ConnectArguments
from app.ledger.connecting import connect
from app.ledger.outage import Outage

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

AGE_SECONDS_MAX: Final = 1800
"""A connection is closed after half an hour, since the server's memory for it only grows."""

CONNECT_MAX: Final = timedelta(seconds=3)
"""How long the database may take to accept a connection: a hundred times what it needs."""

SHUT_NANOSECONDS_MAX: Final = 2 * 10**9
"""How long connections may fail before requests fail at once: longer than a restart takes."""

OUTLAST_SECONDS_MAX: Final = 60
"""How long a commit without a caller keeps its connection. A server that is gone may never end it;
a backend that waits for its standby goes on waiting after the connection is closed."""

CLOSE_SECONDS_MAX: Final = 1
"""How long closing waits for the server, which may not be reachable any more."""


class PoolUse(NamedTuple):
    """The numbers of connections of this process at this moment."""

    busy: int
    idle: int
    most: int


class Kept(NamedTuple):
    """A connection, and when it was opened by the event loop's clock."""

    raw: Raw
    since: int


class Refused:
    """Since when the database accepts no connection, for all pools that lead to it."""

    def __init__(self) -> None:
        """It is not known to refuse any."""
        self.since: int | None = None
        self.last_at = 0

    @property
    def is_shut(self) -> bool:
        """Whether every attempt to connect has failed for longer than a restart takes."""
        return self.since is not None and self.last_at - self.since >= SHUT_NANOSECONDS_MAX

    def note(self, began: int) -> None:
        """Note an attempt that failed; an old failure begins a new outage."""
        now = time.monotonic_ns()
        if self.since is None or began - self.last_at >= SHUT_NANOSECONDS_MAX:
            self.since = began
        self.last_at = now


class Connections:
    """A bounded number of connections to one database, opened when they are needed."""

    def __init__(
        self,
        arguments: ConnectArguments,
        most: int,
        wait: timedelta,
        settings: Mapping[str, str],
        outage: Outage,
        was_let_go: Callable[[], None] = lambda: None,
        was_opened: Callable[[], None] = lambda: None,
        refused: Refused | None = None,
    ) -> None:
        """Open nothing yet.

        `settings` are the server settings of each connection; `wait` bounds connecting; `outage` is
        told whether the database accepts connections. `was_let_go` is called when a caller's time
        was over before their commit was; `was_opened` when a connection was opened. `refused` is
        shared by pools that lead to one database.
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
        self._closing: set[asyncio.Task[None]] = set()
        self._was_let_go = was_let_go
        self._was_opened = was_opened
        self._commits: dict[Raw, asyncio.Task[object]] = {}
        """statements that may be in their commit's wait, while somebody waits for them"""
        self._outlasting: set[Raw] = set()
        """connections whose callers have left before such a statement ended"""
        self._refused = refused or Refused()

    @property
    def outlasting(self) -> int:
        """The number of commits whose callers were let go, and that may still be under way."""
        return len(self._outlasting)

    def use(self) -> PoolUse:
        """Count the busy and the idle connections, and how many there may be."""
        return PoolUse(self._busy, len(self._idle), self._most)

    @property
    def is_shut(self) -> bool:
        """Whether every attempt to connect has failed for longer than a restart takes.

        Work then makes one attempt only, and its caller is told that the database is away; so is
        whose server was left for another one, which took over.
        """
        return not self._is_open or self._refused.is_shut

    async def take(self) -> Kept:
        """Take a connection: the idle one that was used last, else a new one."""
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
        """Return a connection whose state is known to the pool."""
        self._leave()
        if self._is_open and not kept.raw.is_closed():
            self._idle.append(kept)
        else:
            kept.raw.terminate()

    async def commit(self, raw: Raw, statement: str, *arguments: object) -> str:
        """Run a statement that may wait for a standby; being cancelled does not cancel it.

        Its connection must be dropped if this raises anything but an SQL error.
        """
        return await self.uncancelled(raw, raw.execute(statement, *arguments))

    async def uncancelled(self, raw: Raw, sent: Coroutine[object, object, T]) -> T:
        """Do the same of a statement that returns something: `sent` is what sends it."""
        task = asyncio.create_task(sent)
        self._commits[raw] = task
        try:
            return await asyncio.shield(task)
        finally:
            if task.done():
                del self._commits[raw]

    def drop(self, kept: Kept) -> None:
        """Close a connection whose state is unknown, in the background.

        A statement that still runs on it is cancelled first, since it may hold a wallet's lock,
        unless it may be in its commit's wait.
        """
        self._leave()
        commit = self._commits.pop(kept.raw, None)
        if commit is None:
            ending = _close_politely(kept.raw)
        else:
            self._outlasting.add(kept.raw)
            ending = self._outlast(kept.raw, commit)
            self._was_let_go()
        closing = asyncio.create_task(ending)
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _outlast(self, raw: Raw, commit: asyncio.Task[object]) -> None:
        """Wait, within bounds, until the statement ends; nobody asks how."""
        if self._is_open:
            await asyncio.wait({commit}, timeout=OUTLAST_SECONDS_MAX)
        # Without a cancel, unlike a close. A statement that still runs ends here with an error.
        raw.terminate()
        await asyncio.gather(commit, return_exceptions=True)
        self._outlasting.discard(raw)

    async def close(self) -> None:
        """Close all idle connections; busy ones are closed when their work is done."""
        self._is_open = False
        for raw in self._outlasting:
            raw.terminate()
        idle, self._idle = self._idle, []
        await asyncio.gather(*(_close_politely(kept.raw) for kept in idle), *self._closing)

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
            self._refused.note(began)
            self._outage.begin(error)
            raise ConnectionError("the database does not let us in") from error
        except Exception as error:
            self._refused.note(began)
            self._outage.begin(error)
            raise
        except BaseException:
            self._refused.note(began)
            raise
        self._refused.since = None
        self._outage.end(wrote=False)
        self._was_opened()
        return raw


async def _close_politely(raw: Raw) -> None:
    """Close a connection within CLOSE_SECONDS_MAX; the driver cancels what runs on it."""
    try:
        await raw.close(timeout=CLOSE_SECONDS_MAX)
    except Exception:  # noqa: BLE001 - whatever the driver says of a connection that is given up
        raw.terminate()
