"""Guards a process against a node that lacks what was told: one that was restored by itself.

The list of time lines is the coordinator's, and what a node has says nothing of it. But what was
told of a bucket stands in the event log, on the coordinator, and this process remembers what it
answered and which ids it claimed there. So whenever the server that has a bucket is another one, or
was started again, and before the first work, all of it is looked for there. What is missing makes
it a restore, as on one server:
nobody is served, in any bucket, before somebody has said yes.

A takeover by a synchronous standby lacks nothing. A bucket that moves is on another server, and is
looked at as well; while it moves, a node may show it as it was some milliseconds before, so that
what is missing must be so for some seconds. What this process answered goes along to wherever the
bucket is next: a standby that took over at another address is asked for it, too.

A new connection to the server that was looked at needs no second look, so that a bucket is served
while the coordinator is away.
"""

import asyncio
import time
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Final

import structlog
from typing_extensions import override

from app.ledger.citus import Place
from app.ledger.connections import Raw
from app.ledger.errors import LedgerAwayError
from app.ledger.timeline_guard import (
    LOOKS_MAX,
    WITNESSES_MAX,
    Lend,
    TimelineChangedError,
    TimelineGuard,
)
from app.ledger.timelines import BEGIN, LAST_OF_BUCKET, count_missing, look, row_of
from app.wallet.timelines import Beginning, TimelineKind

if TYPE_CHECKING:
    from app.ledger.transaction import Ledger
    from app.wallet.movement import Key

logger: Final = structlog.get_logger("ledger")

LACKS_NANOSECONDS: Final = 3 * 10**9
"""Three seconds: every process knows within one where a bucket is."""

LOOK_EVERY_SECONDS: Final = 0.5

_TOLD_LAST: Final = """
SELECT e.player_id, e.place
FROM event_log_heads h
CROSS JOIN LATERAL (
    SELECT * FROM event_log WHERE agent = h.agent AND number > h.last_number - 2000
    ORDER BY number DESC LIMIT 2000
) e
WHERE e.bucket = $1 AND e.type IN ('movement.posted', 'movement.declined')
  AND e.occurred_at > coalesce(
      (SELECT max(answered_at) FROM ledger_timeline_answers), '-infinity'::timestamptz)
ORDER BY e.occurred_at DESC LIMIT 64
"""
"""What was told before a restore that somebody has said yes to may be missing by right."""

_SERVER: Final = """
SELECT pg_postmaster_start_time(), (SELECT count(*) FROM (SELECT FROM wallets LIMIT 1) w)
"""
"""With a table of the bucket: the start of the server that has it."""

_COUNT_THERE: Final = """
SELECT count(*) FROM unnest($1::bigint[], $2::bigint[]) AS k (player_id, position)
CROSS JOIN LATERAL (
    SELECT FROM movements WHERE player_id = k.player_id AND position = k.position LIMIT 1
) m
"""


_COUNT_CLAIMS: Final = """
SELECT count(*) FROM unnest($1::text[], $2::text[], $3::text[])
    AS k (source, transaction_id, facet)
CROSS JOIN LATERAL (
    SELECT FROM transaction_claims
    WHERE transaction_id = k.transaction_id AND source = k.source AND facet = k.facet LIMIT 1
) c
"""


async def started(raw: Raw) -> datetime:
    """Return when the server was started that has the bucket of this connection."""
    moment: datetime = await raw.fetchval(_SERVER)
    return moment


class NodeGuard(TimelineGuard):
    """What this process knows of the server that has a bucket."""

    def __init__(
        self, bucket: int, place: Place, lend: Lend, lend_above: Lend, above: "Ledger"
    ) -> None:
        """`lend` lends a connection of the bucket, `lend_above` one of the coordinator.

        Both are for this alone: whoever waits for this may hold all others. `above` is the ledger
        on the coordinator.
        """
        super().__init__(lend, above.send_above, is_logged=False)
        self._lend_above = lend_above
        self._bucket = bucket
        self._place = place
        self._above = above
        self.claimed: deque[Key] = deque(maxlen=WITNESSES_MAX)
        """ids that this process claimed last in the bucket, whoever has them now"""
        self._lacks_since: int | None = None
        """since when looks have found something missing"""

    @override
    def succeed(self, before: TimelineGuard) -> None:
        super().succeed(before)
        if isinstance(before, NodeGuard):
            self.claimed = before.claimed

    @override
    def note(self, started_at: datetime, number: int) -> None:
        self.money_until = self._above.timeline.money_until
        if started_at != self._started_at:
            self.doubt()
            raise TimelineChangedError
        self._heard_at = time.monotonic_ns()

    @override
    async def _where(self, raw: Raw) -> tuple[datetime, int]:
        return await started(raw), 0

    @override
    async def verify(self) -> None:
        async with self._verifying:
            if not self.is_in_doubt:
                return
            restored = self._above.timeline.restored
            if restored != self.restored:
                # What was answered before a restore that is on the list may be missing by right.
                self.witnesses.clear()
                self.claimed.clear()
                self.restored = restored
            for _ in range(LOOKS_MAX):
                doubts = self.doubts
                missing = 0 if await self._is_same() else await self._count_missing()
                if not missing:
                    self._lacks_since = None
                    # A connection that was opened meanwhile may lead elsewhere.
                    if self.doubts == doubts:
                        self.is_in_doubt = False
                        return
                elif self._lacks_for() >= LACKS_NANOSECONDS:
                    await self._mark(missing)
                    self._lacks_since = None
                    break
                else:
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
        await self._above.verify_timeline()
        raise LedgerAwayError

    async def _is_same(self) -> bool:
        """Whether the server is the one that was looked at."""
        if self._started_at is None:
            return False
        async with self._lend() as raw:
            return await started(raw) == self._started_at

    def _lacks_for(self) -> int:
        """Return for how long looks have found something missing, over all who waited for one."""
        now = time.monotonic_ns()
        self._lacks_since = self._lacks_since or now
        return now - self._lacks_since

    async def _count_missing(self) -> int:
        """Look at the server that has the bucket; return how much of what was told it lacks."""
        async with self._lend_above() as raw:
            told = await raw.fetch(_TOLD_LAST, self._bucket)
        async with self._lend() as raw:
            started_at = await started(raw)
            columns = [row[0] for row in told], [row[1] for row in told]
            there = int(await raw.fetchval(_COUNT_THERE, *columns))
            answered = await count_missing(raw, self.witnesses)
            claimed = list(self.claimed)
            keys = [list(column) for column in zip(*claimed, strict=True)] or [[], [], []]
            known = int(await raw.fetchval(_COUNT_CLAIMS, *keys))
        missing = len(told) - there + answered + len(claimed) - known
        # What lacks something is looked at again, however often somebody connects to it.
        self._started_at = None if missing else started_at
        return missing

    async def _mark(self, missing: int) -> None:
        """Append a restore to the ledger's time lines, unless one is waiting already."""
        why = (
            f"bucket {self._bucket} on {self._place} lacks {missing} of the movements that were"
            " told or answered last, or of the ids that were claimed"
        )
        logger.critical("restored node", reason=why)
        async with self._lend() as raw:
            last = await raw.fetchval(LAST_OF_BUCKET)
        async with self._above.lend_writer() as raw:
            seen = await look(raw)
            if seen.waiting is None:
                begun = Beginning(TimelineKind.RESTORED, why)
                await self._send(raw, BEGIN, *row_of(seen, begun, self._name, last))
