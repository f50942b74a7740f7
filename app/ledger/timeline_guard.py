"""Guards a process against a ledger that lacks what was answered: a restored one is not served.

1. Each batch reads, with its facts, when the server was started and which time line the ledger is
   in. If either is not what was verified, nothing is recorded, and `verify` comes first; so it does
   before the first work, and after a connection was opened. Each connection that records is asked
   itself, once, where it leads: two servers may answer at one address for a while.
2. `verify` looks whether the movements that this process answered last are still there, and which
   timeline of PostgreSQL writes; a change is appended to the list of time lines, by whoever is
   first.
3. While the list has a restore that nobody has said yes to, all work is refused. Once somebody has,
   it goes on by itself.
"""

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import ClassVar, Final
from weakref import WeakKeyDictionary

import structlog

from app.ledger.connections import Raw
from app.ledger.errors import LedgerAwayError, LedgerRestoredError
from app.ledger.retries import RunAgainError
from app.ledger.timelines import BEGIN, Look, Witness, count_missing, here, look, row_of
from app.wallet.timelines import beginning

logger: Final = structlog.get_logger("ledger")

WITNESSES_MAX: Final = 64
"""More than can be on their way at once: those that a failover lost are among the last answered."""

FRESH_NANOSECONDS: Final = 10 * 10**9
"""How long before the last read a movement must have been answered to prove that none is lost."""

REFUSED_NANOSECONDS: Final = 10**9 // 2
"""How often a ledger that waits for a person is looked at again."""

LOOKS_MAX: Final = 20
"""Several processes notice a change at once; each that is late finds the row of the first."""

Lend = Callable[[], AbstractAsyncContextManager[Raw]]
Send = Callable[..., Awaitable[None]]


class TimelineChangedError(RunAgainError):
    """The server, or the ledger's time line, is not the one that was verified."""

    reason: ClassVar = "another time line"


class TimelineGuard:
    """What this process knows of the ledger's time line."""

    def __init__(self, lend: Lend, send: Send, *, is_logged: bool) -> None:
        """`lend` lends a connection that writes; `send` runs a statement that commits by itself.

        `is_logged`: the process has a log. A command of the console says what it is told itself.
        """
        self._lend = lend
        self._send = send
        self._is_logged = is_logged
        self.is_in_doubt = True
        """whether the time line must be verified before anything is decided or told"""
        self.doubts = 0
        """how often there was a reason"""
        self.number = 0
        self.restored = 0
        """the number of the last restore; it changes when this process must begin anew"""
        self.money_until: datetime | None = None
        """until when money is taken under tokens that the ledger does not know"""
        self._started_at: datetime | None = None
        self._leads_to: WeakKeyDictionary[Raw, datetime] = WeakKeyDictionary()
        """when the server of a connection was started, of those that were asked"""
        self.witnesses: deque[Witness] = deque(maxlen=WITNESSES_MAX)
        """the movements that were answered last"""
        self._witnessed_at = 0
        self._heard_at = 0
        self._refused_at = -REFUSED_NANOSECONDS
        self._why: str | None = None
        self._verifying = asyncio.Lock()
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def doubt(self) -> None:
        """A connection was opened: it may lead elsewhere."""
        self.is_in_doubt = True
        self.doubts += 1

    def note(self, started_at: datetime, number: int) -> None:
        """Note what came with the facts; raise TimelineChangedError if it is not as verified."""
        if (started_at, number) != (self._started_at, self.number):
            self.doubt()
            raise TimelineChangedError
        self._heard_at = time.monotonic_ns()

    def knows(self, raw: Raw) -> bool:
        """Whether this connection is known to lead to the server that was verified."""
        return self._started_at is not None and self._leads_to.get(raw) == self._started_at

    async def check(self, raw: Raw) -> None:
        """Ask a connection where it leads; raise TimelineChangedError as `note`, and close it.

        Another server may have the same revisions as those that the facts were read with.
        """
        started_at, number = await self._where(raw)
        try:
            self.note(started_at, number)
        except TimelineChangedError:
            raw.terminate()
            raise
        self._leads_to[raw] = started_at

    async def _where(self, raw: Raw) -> tuple[datetime, int]:
        return await here(raw)

    def remember(self, witness: Witness | None) -> None:
        """Remember a movement that is committed, and is about to be answered."""
        if witness is not None:
            self.witnesses.append(witness)
            self._witnessed_at = time.monotonic_ns()

    def succeed(self, before: "TimelineGuard") -> None:
        """Know what was answered from another address; some answers may still come from there."""
        self.witnesses, self.restored = before.witnesses, before.restored

    async def verify(self) -> None:
        """Return when the ledger is known to be the one that may be served.

        Raises LedgerRestoredError while a restore waits for somebody, and the driver's errors.
        """
        async with self._verifying:
            if not self.is_in_doubt:
                return
            was_refused = time.monotonic_ns() - self._refused_at < REFUSED_NANOSECONDS
            if self._why is not None and was_refused:
                raise LedgerRestoredError(self._why)
            for _ in range(LOOKS_MAX):
                if await self._is_settled():
                    return
            raise LedgerAwayError

    async def _is_settled(self) -> bool:
        """Look once; False: a time line was appended, and it must be looked again."""
        async with self._lend() as raw:
            doubts = self.doubts
            seen = await look(raw)
            if seen.is_standby:
                # Whoever writes is told so by the server; it stays in doubt.
                return True
            if seen.restored > self.restored:
                # What was answered before a restore that is on the list may be missing by right.
                self.witnesses.clear()
            is_same = seen.server.started_at == self._started_at
            lost = 0 if is_same else await count_missing(raw, self.witnesses)
            begun = beginning(
                seen.server, seen.known, lost=lost, is_all_there=not lost and self._has_fresh_ones
            )
            if begun is not None:
                await self._send(raw, BEGIN, *row_of(seen, begun, self._name))
                if self._is_logged:
                    logger.warning("time line begins", kind=begun.kind.value, why=begun.why)
                return False
        # Not while a connection is lent: one that meets such an error is closed.
        self._take(seen)
        self._leads_to[raw] = seen.server.started_at
        # A connection that was opened meanwhile may lead elsewhere than this look.
        self.is_in_doubt = self.doubts != doubts
        return True

    @property
    def _has_fresh_ones(self) -> bool:
        return bool(self.witnesses) and self._heard_at - self._witnessed_at <= FRESH_NANOSECONDS

    def _take(self, seen: Look) -> None:
        if seen.known is None:
            raise AssertionError("a look that appends nothing knows a time line")
        self.restored = seen.restored
        if seen.waiting is not None:
            self._refused_at = time.monotonic_ns()
            why = (
                f"this ledger was restored ({seen.why}), and nobody has said that it may be served:"
                " `wallet restored show`, then `wallet restored accept NUMBER`"
            )
            if self._why is None and self._is_logged:
                logger.critical("restored ledger", reason=why)
            self._why = why
            raise LedgerRestoredError(why)
        self._why = None
        self.number, self._started_at = seen.known.number, seen.server.started_at
        self.money_until = seen.money_until
