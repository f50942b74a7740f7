"""Run the audit: every invariant over every range of players, on one consistent snapshot.

It reads while the service runs and takes no locks. Memory is bounded: the database works on one
range of players at a time, and only a bounded number of offenders is returned. The ranges cover
every row, whatever player it names. An audit since a moment reads what was written from then on,
and its cost depends on that alone.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from app.ledger.audit import INVARIANTS, RECENT_INVARIANTS, UPPER_BOUNDS
from app.ledger.audit.offenders import offenders
from app.ledger.snapshot import snapshot

PLAYERS_AT_A_TIME: Final = 500_000
"""Each range may read whole tables once for each law, so there should be few."""

PLAYER_MIN: Final = -(2**63)
PLAYER_MAX: Final = 2**63 - 1
"""A row may name a player who is not there; the first range begins and the last ends here."""


class Breach(NamedTuple):
    """One offender against one law."""

    invariant: str
    law: str
    offender: dict[str, Any]


class Findings(NamedTuple):
    """What the audit found, and how much it looked at."""

    breaches: list[Breach]
    invariants: int
    players: int
    movements: int

    @property
    def is_clean(self) -> bool:
        """Whether every law holds."""
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
    async with snapshot(url) as connection:
        players = await connection.fetchval("SELECT count(*) FROM players")
        scopes: list[tuple[object, ...]]
        if since is None:
            invariants = INVARIANTS
            movements = await connection.fetchval("SELECT count(*) FROM movements")
            bounds = [row[0] for row in await connection.fetch(UPPER_BOUNDS, players_at_a_time)]
            firsts = [PLAYER_MIN, *(bound + 1 for bound in bounds)]
            scopes = list(zip(firsts, [*bounds, PLAYER_MAX], strict=True))
        else:
            invariants = RECENT_INVARIANTS
            movements = await connection.fetchval(
                "SELECT count(*) FROM movements WHERE ledger_time >= $1", since
            )
            scopes = [(since,)]
        steps = len(scopes) * len(invariants)
        done = 0
        for scope in scopes:
            for invariant in invariants:
                rows = await offenders(connection, invariant, *scope)
                breaches += [Breach(invariant.name, invariant.law, row) for row in rows]
                done += 1
                progress(done, steps)
    return Findings(breaches, len(invariants), players, movements)
