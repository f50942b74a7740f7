"""The state of the ledger for `wallet status`: what is so, and what of it is wrong.

What is wrong is a sentence each; a ledger without one is well. The clocks are compared on the
shortest of a few round trips, which bounds the error by half of it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from app.cashier.inbox import collect, open_counts
from app.cashier.policy import policy_of_ledger
from app.ledger.adjustments import count_waiting
from app.ledger.inspection import Inspection, inspect
from app.ledger.money.book import Book
from app.ledger.server_state import ServerState, database_clock, server_state
from app.ledger.timelines import list_timelines
from app.ledger.transaction import Ledger
from app.ledger.upkeep import AuditRun, LastUpkeep, last_upkeep
from app.wallet.facts import Policy, RuleVersion
from app.wallet.inbox import WORDS, ExceptionKind, OpenCount

CLOCK_TRIES: Final = 5

TIMELINES_MAX: Final = 50

CLOCK_OFFSET_MAX: Final = timedelta(seconds=5)
"""Tokens and envelopes are checked by clocks; beyond some seconds callers notice."""

UPKEEP_AGE_MAX: Final = timedelta(hours=26)
"""A day, and two hours for what runs once a day."""

INBOX_AGE_MAX: Final = timedelta(days=1)
"""How long an exception may wait before it is told as something wrong."""


class Standing(NamedTuple):
    """The ledger at one moment."""

    server: ServerState
    inspection: Inspection
    clock_offset: timedelta
    """how far this machine's clock is ahead of the database's; negative: behind"""
    policy: Policy
    upkeep: LastUpkeep
    inbox: Mapping[ExceptionKind, OpenCount]
    adjustments_waiting: int
    restored: str | None = None
    """what was seen of a restore that nobody has said yes to; None: there is none"""

    def problems(self) -> Iterator[str]:
        """Yield what is wrong, a sentence each."""
        yield from (f"Committed money could be lost: {words}." for words in self.inspection.unsafe)
        yield from (f"{words[:1].upper()}{words[1:]}." for words in self.inspection.warnings)
        if self.restored is not None:
            yield (
                f"The ledger was restored ({self.restored}), and nobody is served: "
                "`wallet restored show`, then `wallet restored accept NUMBER`."
            )
        if self.server.is_standby:
            yield "The database is a standby: it only reads."
        if self.policy.rule_version is not RuleVersion.CURRENT:
            yield "The upgrade has not ended: run `wallet migrate --finish`."
        if abs(self.clock_offset) > CLOCK_OFFSET_MAX:
            seconds = self.clock_offset // timedelta(seconds=1)
            yield f"This machine's clock is {seconds} seconds ahead of the database's."
        yield from self._of_upkeep()
        yield from self._of_inbox()

    def _of_upkeep(self) -> Iterator[str]:
        now, oldest = self.server.now, self.server.oldest_account
        runs = (self.upkeep.whole_audit, self.upkeep.recent_audit)
        for run in runs:
            if run is not None and run.breaches:
                yield f"The audit of {run.ran_at:%Y-%m-%d %H:%M}Z found {run.breaches} breaches."
        if oldest is not None and now - (_last(runs) or oldest) > UPKEEP_AGE_MAX:
            yield "No audit was run for more than a day: run `wallet audit --since yesterday`."
        backup = self.upkeep.backup
        if backup is not None and now - backup.finished_at > UPKEEP_AGE_MAX:
            yield f"The last backup ended at {backup.finished_at:%Y-%m-%d %H:%M}Z."
        sealed_at = self.upkeep.sealed_at
        if sealed_at is not None and now - sealed_at > UPKEEP_AGE_MAX:
            yield f"The ledger was last sealed at {sealed_at:%Y-%m-%d %H:%M}Z: run `wallet seal`."

    def _of_inbox(self) -> Iterator[str]:
        for kind, open_ in self.inbox.items():
            if open_.oldest_seconds > INBOX_AGE_MAX // timedelta(seconds=1):
                days = open_.oldest_seconds // (24 * 3600)
                period = "a day" if days == 1 else f"{days} days"
                yield (
                    f"The inbox has waited {period}: {WORDS[kind]} ({open_.number} open, "
                    f"`wallet inbox list --kind {kind}`)."
                )


async def standing(ledger: Ledger) -> Standing:
    """Look at the ledger, with the inbox as it is at this moment."""

    async def work(book: Book) -> tuple[ServerState, Inspection, LastUpkeep, int, str | None]:
        waiting = [line for line in await list_timelines(book, TIMELINES_MAX) if line.is_waiting]
        return (
            await server_state(book),
            await inspect(book),
            await last_upkeep(book),
            await count_waiting(book),
            waiting[0].why if waiting else None,
        )

    if not (await ledger.read_only(server_state, confirmed=False)).is_standby:
        await collect(ledger)
    server, inspection, upkeep, waiting, restored = await ledger.read_only(work, confirmed=False)
    return Standing(
        server,
        inspection,
        await _clock_offset(ledger),
        await policy_of_ledger(ledger),
        upkeep,
        await open_counts(ledger),
        waiting,
        restored,
    )


async def _clock_offset(ledger: Ledger) -> timedelta:
    """Compare the clocks on the shortest of a few round trips."""

    async def work(book: Book) -> tuple[timedelta, timedelta]:
        tries = []
        for _ in range(CLOCK_TRIES):
            asked = datetime.now(UTC)
            told = await database_clock(book)
            heard = datetime.now(UTC)
            tries.append((heard - asked, asked + (heard - asked) / 2 - told))
        return min(tries)

    _, offset = await ledger.read_only(work, confirmed=False)
    return offset


def _last(runs: tuple[AuditRun | None, ...]) -> datetime | None:
    return max((run.ran_at for run in runs if run is not None), default=None)
