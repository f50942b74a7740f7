"""Runs of reconciliation, kept append-only: what was compared, what was found, what stays open.

1. `journal_position`   how far the journal had come in this snapshot
2. `carry_over`         what the run of the period before left open, or told already
3. `counts_of`, `money_of`, `differences_of`   what was found, from this session's tables
4. `keep_run`           the run, its differences, and their exceptions, in one transaction
"""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.reconciliation.listing import list_differences

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

KEPT_MAX: Final = 100_000
"""Differences kept of one run: beyond it the profile is wrong, and a list helps nobody."""

FETCHED_AT_A_TIME: Final = 1000

NO_DIFFERENCE: Final = ("open", "settled_by_hand", "day_edge/grace")
"""Verdicts, or verdicts with their cause, that need nobody's attention."""

_IS_DIFFERENCE: Final = (
    "verdict NOT IN ('open', 'settled_by_hand') AND NOT (verdict = 'day_edge' AND cause = 'grace')"
)

_COLUMNS: Final = (
    "number, verdict, cause, refusal, line, transaction_id, word, event_type, direction, user_id,"
    " ours_user_id, event_id, ours_event_id, currency, theirs, ours, theirs_at, ours_at, player_id,"
    " position"
)


class Difference(NamedTuple):
    """One line of the report, or one movement of ours, that is not simply the same."""

    number: int
    verdict: str
    cause: str
    refusal: str | None
    """the name of the refusal it met here"""
    line: int | None
    """None: no line of the report; below zero: carried over from an earlier report"""
    transaction_id: str
    word: str | None
    event_type: str | None
    direction: str | None
    user_id: str | None
    ours_user_id: str | None
    event_id: str | None
    ours_event_id: str | None
    currency: str
    theirs: Decimal
    """what the player gained by the report; below zero, they paid"""
    ours: Decimal
    theirs_at: datetime | None
    ours_at: datetime | None
    player_id: int | None
    position: int | None


class Count(NamedTuple):
    """How many outcomes there are of a verdict and cause."""

    verdict: str
    cause: str
    lines: int
    is_difference: bool


class MoneyRow(NamedTuple):
    """What differs in one currency for one reason."""

    currency: str
    verdict: str
    cause: str
    refusal: str | None
    lines: int
    theirs: Decimal
    ours: Decimal


class JournalPosition(NamedTuple):
    """How far the journal had come: the latest movement's moment, and how many there were."""

    moment: datetime | None
    movements: int


class RunRecord(NamedTuple):
    """A run as it is kept."""

    source: str
    door: str
    profile: str
    profile_digest: str
    file_name: str
    file_digest: str
    lines: int
    skipped: int
    since: datetime
    until: datetime
    grace_seconds: int
    position: JournalPosition
    verdicts: dict[str, int]
    money: list[dict[str, str]]


class EarlierRun(NamedTuple):
    """A run that is kept."""

    run_id: int
    ran_at: datetime


_POSITION: Final = "SELECT max(ledger_time), count(*) FROM movements"

_SAME_FILE: Final = """
SELECT run_id, ran_at FROM reconciliation_runs
WHERE file_digest = $1 AND door = $2 ORDER BY run_id DESC LIMIT 1
"""

_RUN_BEFORE: Final = """
SELECT run_id FROM reconciliation_runs
WHERE door = $1 AND profile = $2
    AND period_until BETWEEN $3::timestamptz - $4::interval AND $3::timestamptz
ORDER BY period_until DESC, run_id DESC LIMIT 1
"""

_CARRIED_OURS: Final = """
INSERT INTO carried_ours
SELECT player_id, position FROM reconciliation_differences
WHERE run_id = $1 AND verdict = 'open' AND theirs_at IS NULL
"""

_TOLD_OURS: Final = """
INSERT INTO told_ours
SELECT player_id, position FROM reconciliation_differences
WHERE run_id = $1 AND verdict = 'day_edge' AND player_id IS NOT NULL
"""

_CARRIED_THEIRS: Final = """
INSERT INTO report_lines (line, transaction_id, user_id, event_id, word, direction, amount,
                          currency, happened_at, status, carried)
SELECT -line, transaction_id, user_id, event_id, word, line_direction, theirs,
       nullif(currency, '?'), theirs_at, 'booked', true
FROM reconciliation_differences d
WHERE run_id = $1 AND verdict = 'open' AND theirs_at IS NOT NULL
    AND word IN (SELECT word FROM report_types)
    -- What this report names itself is judged by its own line.
    AND NOT EXISTS (SELECT FROM report_lines l WHERE l.transaction_id = d.transaction_id)
"""

_COUNTS: Final = f"""
SELECT verdict, cause, count(*), bool_or({_IS_DIFFERENCE})
FROM outcomes GROUP BY verdict, cause ORDER BY verdict, cause
"""  # noqa: S608 - composed of constants

_MONEY: Final = f"""
SELECT currency, verdict, cause, refusal, count(*), sum(theirs), sum(ours)
FROM outcomes WHERE {_IS_DIFFERENCE}
GROUP BY currency, verdict, cause, refusal
ORDER BY currency, abs(sum(theirs - ours)) DESC, verdict, cause, refusal
"""  # noqa: S608 - composed of constants

_DIFFERENCES: Final = f"""
SELECT {_COLUMNS} FROM outcomes
WHERE {_IS_DIFFERENCE}
ORDER BY currency, abs(theirs - ours) DESC, number LIMIT $1
"""  # noqa: S608 - composed of constants

_KEEP_RUN: Final = """
INSERT INTO reconciliation_runs (
    ran_at, source, door, profile, profile_digest, file_name, file_digest, lines, skipped,
    period_since, period_until, grace_seconds, journal_moment, journal_movements, verdicts, money
) VALUES (now(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
RETURNING run_id, ran_at
"""

_KEEP_DIFFERENCES: Final = """
INSERT INTO reconciliation_differences (
    run_id, number, is_difference, verdict, cause, refusal, line, transaction_id, word, event_type,
    line_direction, user_id, ours_user_id, event_id, ours_event_id, currency, theirs, ours,
    theirs_at, ours_at, player_id, position
)
SELECT $1, number, {is_difference}, verdict, cause, refusal, line, transaction_id, word, event_type,
       direction, user_id, ours_user_id, event_id, ours_event_id, currency, theirs, ours,
       theirs_at, ours_at, player_id, position
FROM outcomes ORDER BY number LIMIT $2
"""


async def journal_position(connection: "Connection") -> JournalPosition:
    """Return how far the journal has come in this snapshot."""
    row = await connection.fetchrow(_POSITION)
    return JournalPosition(*row)  # type: ignore[misc]  # an aggregate without groups is one row


async def run_of_file(connection: "Connection", digest: str, door: str) -> EarlierRun | None:
    """Return the latest run of the same file, if there is one."""
    row = await connection.fetchrow(_SAME_FILE, digest, door)
    return None if row is None else EarlierRun(*row)


async def carry_over(
    connection: "Connection", door: str, profile: str, since: datetime, grace: timedelta
) -> bool:
    """Take over what the run of the period before left open; False: there is no such run."""
    run_id = await connection.fetchval(_RUN_BEFORE, door, profile, since, grace)
    if run_id is None:
        return False
    for statement in (_CARRIED_OURS, _TOLD_OURS, _CARRIED_THEIRS):
        await connection.execute(statement, run_id)
    return True


async def counts_of(connection: "Connection") -> list[Count]:
    """Count the outcomes that are not simply the same."""
    return [Count(*row) for row in await connection.fetch(_COUNTS)]


async def money_of(connection: "Connection") -> list[MoneyRow]:
    """Sum the differences by currency and reason."""
    return [MoneyRow(*row) for row in await connection.fetch(_MONEY)]


async def differences_of(connection: "Connection", count_max: int) -> AsyncIterator[Difference]:
    """Yield the differences of each currency, the largest first; inside a transaction."""
    cursor = connection.cursor(_DIFFERENCES, count_max, prefetch=FETCHED_AT_A_TIME)
    async for row in cursor:
        yield Difference(*row)


async def keep_run(
    connection: "Connection",
    record: RunRecord,
    words: Mapping[str, Mapping[str, str]] | None,
) -> tuple[EarlierRun, int]:
    """Keep a run with its outcomes, and list its differences in the inbox; all of it or nothing.

    `words` is what the inbox calls verdicts and causes; None: nothing is listed. The number is how
    many differences were not listed before.
    """
    listed = 0
    async with connection.transaction():
        row = await connection.fetchrow(
            _KEEP_RUN,
            record.source,
            record.door,
            record.profile,
            record.profile_digest,
            record.file_name,
            record.file_digest,
            record.lines,
            record.skipped,
            record.since,
            record.until,
            record.grace_seconds,
            *record.position,
            json.dumps(record.verdicts),
            json.dumps(record.money),
        )
        kept = EarlierRun(*row)  # type: ignore[misc]  # what was inserted is returned
        keep = _KEEP_DIFFERENCES.format(is_difference=_IS_DIFFERENCE)
        await connection.execute(keep, kept.run_id, KEPT_MAX)
        if words is not None:
            listed = await list_differences(
                connection,
                is_difference=_IS_DIFFERENCE,
                door=record.door,
                file_name=record.file_name,
                run_id=kept.run_id,
                words=words,
            )
    return kept, listed
