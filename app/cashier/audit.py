"""Run the audit: every invariant over every range of players, on one consistent snapshot.

It reads while the service runs and takes no locks. Memory is bounded: the database works on one
range of players at a time, and only a bounded number of offenders is returned.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from app.ledger.audit import INVARIANTS, LAST_PLAYER, OFFENDERS_MAX
from app.ledger.snapshot import snapshot

PLAYERS_AT_A_TIME: Final = 20_000

SINCE_THE_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


class Breach(NamedTuple):
    """One row that breaks one invariant."""

    invariant: str
    law: str
    offender: dict[str, Any]


class Findings(NamedTuple):
    """The breaches that the audit found, and how much it checked."""

    breaches: list[Breach]
    invariants: int
    players: int
    movements: int

    @property
    def is_clean(self) -> bool:
        """Whether every invariant holds."""
        return not self.breaches


async def audit(
    url: str,
    *,
    since: datetime | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    players_at_a_time: int = PLAYERS_AT_A_TIME,
) -> Findings:
    """Check every invariant; `since` limits the check to what was written from then on.

    `progress` is called with (steps done, steps in all). Raises the driver's errors if the database
    cannot be reached.
    """
    breaches: list[Breach] = []
    begin = since or SINCE_THE_BEGINNING
    async with snapshot(url) as connection:
        last = await connection.fetchval(LAST_PLAYER)
        players = await connection.fetchval("SELECT count(*) FROM players")
        movements = await connection.fetchval(
            "SELECT count(*) FROM movements WHERE ledger_time >= $1", begin
        )
        starts = range(0, last + 1, players_at_a_time)
        steps = len(starts) * len(INVARIANTS)
        done = 0
        for start in starts:
            for invariant in INVARIANTS:
                query = f"{invariant.query} LIMIT {OFFENDERS_MAX}"
                rows = await connection.fetch(query, start, start + players_at_a_time, begin)
                breaches += [Breach(invariant.name, invariant.law, dict(row)) for row in rows]
                done += 1
                progress(done, steps)
    return Findings(breaches, len(INVARIANTS), players, movements)
