"""Whether commits wait for a synchronous standby, and whether the standby confirms them.

PostgreSQL shows a row only when the wait of its commit is over. Two things end that wait too early:
a cancel, which is why the service cancels no commit, and a restart, after which every row of the
log is there, whether a standby has it or not. So an answer that tells of rows which it did not
write is given after a *confirmation*: a commit of its own, which waits behind all the others.

1. Readers that come while a confirmation is under way share the next one.
2. A confirmation without an answer after CONFIRM_SECONDS means that the standby is away. From then
   on nobody is made to wait: reads and writes are told at once that the outcome is unknown, and
   each of them makes sure that the next confirmation is being tried.
3. The first confirmation that is answered ends this.

Where the server names no synchronous standby, nothing is confirmed and nothing is asked: the answer
comes with the facts of a batch, and readers ask again when it is older than a second.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from app.ledger.errors import DeadlineError, LedgerAwayError, LedgerError

logger: Final = structlog.get_logger("ledger")

CONFIRM_SECONDS: Final = 2
"""How long a standby may take; as long as a request waits for a database that is being started."""

LOOK_NANOSECONDS: Final = 10**9
"""How old the answer to `IS_WANTED` may be: a standby may be configured while the service runs."""

IS_WANTED: Final = "SELECT current_setting('synchronous_standby_names') <> ''"

COMMITS_WAITING: Final = f"""
SELECT count(*) FROM pg_stat_activity
WHERE usename = current_user AND wait_event = 'SyncRep'
  AND state_change < clock_timestamp() - interval '{CONFIRM_SECONDS} s'
"""  # noqa: S608 - our own constant
"""Those that wait for longer than they should: others may be waiting for a standby that answers."""

COMMITS_WAITING_MAX: Final = 20
"""How many commits may wait on the server before no further confirmation is sent: a fifth of the
connections that PostgreSQL allows by default. A commit that is given up keeps its connection on the
server until the standby is back."""

SILENT: Final = "no synchronous standby confirms what is committed; ask again"


class Standby:
    """What this process knows of the synchronous standby."""

    def __init__(self, confirm: Callable[[], Awaitable[None]]) -> None:
        """`confirm` commits once; DeadlineError: the commit was sent, and not answered in time."""
        self._confirm = confirm
        self.is_wanted = False
        """whether commits wait for a standby, by the latest look"""
        self.was_wanted = False
        """whether they ever did"""
        self._looked_at = -LOOK_NANOSECONDS
        self._silent_since: int | None = None
        self._begun = 0
        self._confirmed = 0
        self._task: asyncio.Task[LedgerError | None] | None = None

    @property
    def is_silent(self) -> bool:
        """Whether the last confirmation was sent and not answered."""
        return self._silent_since is not None

    @property
    def may_be_wanted(self) -> bool:
        """Whether commits may wait, so that none is cancelled: they ever did, or nobody knows.

        What appends a time line is sent before anybody has looked, and so may be waiting unseen.
        """
        return self.was_wanted or self.must_look

    @property
    def must_look(self) -> bool:
        """Whether it is too long ago that the server said whether commits wait."""
        return time.monotonic_ns() - self._looked_at >= LOOK_NANOSECONDS

    def note(self, *, is_wanted: bool) -> None:
        """Note what the server has just said."""
        self.is_wanted = is_wanted
        self.was_wanted |= is_wanted
        self._looked_at = time.monotonic_ns()

    def refuse_if_silent(self) -> None:
        """Raise LedgerAwayError while commits are not confirmed; another is tried meanwhile."""
        if self._silent_since is not None:
            self.probe()
            raise LedgerAwayError(SILENT)

    def probe(self) -> None:
        """See that a confirmation is under way."""
        _ = self._under_way()

    async def confirm(self) -> None:
        """Return when all that was visible before this call is on the standby; raises LedgerError.

        A confirmation that is under way may have begun before, so it does not count.
        """
        wanted = self._begun + 1
        while self._confirmed < wanted:
            task = self._under_way()
            if self._silent_since is not None:
                raise LedgerAwayError(SILENT)
            # Who stops waiting does not end it; nor does its end, where this is closed, end them.
            await asyncio.wait({task})
            if task.cancelled():
                raise LedgerAwayError
            error = task.result()
            if error is not None:
                raise LedgerAwayError(SILENT) from error

    async def close(self) -> None:
        """Let go of the confirmation that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _under_way(self) -> "asyncio.Task[LedgerError | None]":
        if self._task is None:
            self._begun += 1
            self._task = asyncio.create_task(self._run(self._begun))
        return self._task

    async def _run(self, number: int) -> LedgerError | None:
        try:
            await self._confirm()
        except LedgerError as error:
            if isinstance(error, DeadlineError):
                self._falls_silent()
            return error
        else:
            self._confirmed = number
            self._answers()
            return None
        finally:
            self._task = None

    def _falls_silent(self) -> None:
        if self._silent_since is None:
            self._silent_since = time.monotonic_ns()
            logger.error("standby silent", reason=SILENT)

    def _answers(self) -> None:
        if self._silent_since is not None:
            seconds = (time.monotonic_ns() - self._silent_since) // 10**9
            self._silent_since = None
            logger.warning("standby confirms again", silent_seconds=seconds)
