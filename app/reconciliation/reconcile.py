"""Hold an aggregator's report against the journal, and keep what was found.

1. The report is read and copied into temporary tables. If a line cannot be read, nothing is
   compared and nothing kept, unless such lines are to be skipped.
2. In one read-only snapshot: day totals, then the rounds of the days that disagree, then the lines
   of the rounds that disagree; a level that agrees ends the search.
3. The run is kept, append-only, with every outcome that is not simply the same; its differences go
   to the inbox, those that are not there yet.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from app.ledger.reconciliation import comparing, runs, staging
from app.ledger.reconciliation.session import Connection, session
from app.reconciliation.files import BadLines, Report, ReportError, digest_of, open_report
from app.reconciliation.lines import Line, LineError, line_reader
from app.reconciliation.profile import ANY_TYPE, Profile
from app.reconciliation.verdicts import CAUSES, VERDICTS
from app.wallet.events import RULES, EventType
from app.wallet.movement import KeyScope

Progress = Callable[[str, int, int], None]

DUPLICATES_NAMED_MAX: Final = 1000


class BadReportError(ReportError):
    """Some lines cannot be read; nothing was compared, and nothing kept."""

    def __init__(self, bad: BadLines) -> None:
        self.bad = bad
        super().__init__(f"{bad.count} lines cannot be read.")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    path: Path
    profile: Profile
    source: str
    """who asks"""
    skips_bad: bool = False
    lists: bool = True
    """whether differences go to the inbox"""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found; the differences themselves are read from the session."""

    run_id: int
    ran_at: datetime
    same_file: runs.EarlierRun | None
    door: str
    profile: str
    file_name: str
    file_digest: str
    lines: int
    outside: int
    bad: BadLines
    since: datetime
    until: datetime
    grace: timedelta
    position: runs.JournalPosition
    days: comparing.Level
    rounds: comparing.Level | None
    """None: every day agrees"""
    counts: list[runs.Count]
    money: list[runs.MoneyRow]
    listed: int
    """differences that the inbox did not know before"""

    @property
    def differences(self) -> int:
        """How many lines and movements somebody must look at."""
        return sum(count.lines for count in self.counts if count.is_difference)

    @property
    def agrees(self) -> bool:
        """Whether both books say the same."""
        return self.differences == 0

    @property
    def verdicts(self) -> dict[str, int]:
        """Count outcomes by verdict; `same` are the lines that no other verdict was passed on."""
        found: dict[str, int] = {}
        for count in self.counts:
            found[count.verdict] = found.get(count.verdict, 0) + count.lines
        return found


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A finished run, whose differences can still be read."""

    outcome: Outcome
    _connection: Connection

    async def differences(self, count_max: int) -> AsyncIterator[runs.Difference]:
        """Yield the differences, the largest of each currency first."""
        async with self._connection.transaction(readonly=True):
            async for each in runs.differences_of(self._connection, count_max):
                yield each


def _silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""


@asynccontextmanager
async def reconcile(
    url: str, request: Request, progress: Progress = _silent
) -> AsyncIterator[Reconciliation]:
    """Reconcile a report; what was found can be read until the block ends.

    Raises ReportError if the report, and BadReportError if a line of it cannot be read.
    """
    profile, bad = request.profile, BadLines()
    digest = digest_of(request.path)
    async with session(url) as connection:
        await staging.make(connection, profile.day_zone)
        await staging.name_types(connection, _types(profile))
        await _stage(connection, request, bad, progress)
        if bad.count and not request.skips_bad:
            bad.kept.sort()
            raise BadReportError(bad)
        since, until, outside = await _period(connection, request)
        grace = timedelta(seconds=profile.grace_seconds)
        has_run_before = await runs.carry_over(connection, profile.door, profile.name, since, grace)
        scope = _scope(profile, since, until, grace, has_run_before=has_run_before)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            position = await runs.journal_position(connection)
            days, rounds = await _compare(connection, scope, progress)
            counts = await runs.counts_of(connection)
            money = await runs.money_of(connection)
        same_file = await runs.run_of_file(connection, digest, profile.door)
        lines = await connection.fetchval("SELECT count(*) FROM report_lines WHERE NOT carried")
        record = runs.RunRecord(
            source=request.source,
            door=profile.door,
            profile=profile.name,
            profile_digest=profile.digest,
            file_name=request.path.name,
            file_digest=digest,
            lines=lines,
            skipped=bad.count,
            since=since,
            until=until,
            grace_seconds=profile.grace_seconds,
            position=position,
            verdicts={f"{each.verdict}/{each.cause}": each.lines for each in counts},
            money=[_plain(row) for row in money],
        )
        words = {"verdicts": VERDICTS, "causes": CAUSES} if request.lists else None
        kept, listed = await runs.keep_run(connection, record, words)
        outcome = Outcome(
            run_id=kept.run_id,
            ran_at=kept.ran_at,
            same_file=same_file,
            door=profile.door,
            profile=profile.name,
            file_name=request.path.name,
            file_digest=digest,
            lines=lines,
            outside=outside,
            bad=bad,
            since=since,
            until=until,
            grace=grace,
            position=position,
            days=days,
            rounds=rounds,
            counts=counts,
            money=money,
            listed=listed,
        )
        yield Reconciliation(outcome, connection)


def _types(profile: Profile) -> Iterator[tuple[str, str, str]]:
    words: Mapping[str, tuple[EventType, ...]] = profile.types or {ANY_TYPE: tuple(EventType)}
    for word, kinds in words.items():
        for kind in kinds:
            # What two people moved is in nobody else's books.
            if RULES[kind].is_manual:
                continue
            for way in sorted(RULES[kind].directions):
                yield word, kind.value, way.value


def _scope(
    profile: Profile, since: datetime, until: datetime, grace: timedelta, *, has_run_before: bool
) -> comparing.Scope:
    return comparing.Scope(
        door=profile.door,
        zone=profile.day_zone,
        since=since,
        until=until,
        grace=grace,
        has_users="user_id" in profile.columns,
        has_events="event_id" in profile.columns,
        has_currencies=profile.currency is not None or "currency" in profile.columns,
        has_zero_lines=profile.zero_lines,
        is_wide=profile.key_scope is KeyScope.TRANSACTION_EVENT,
        has_run_before=has_run_before,
    )


async def _stage(
    connection: Connection, request: Request, bad: BadLines, progress: Progress
) -> None:
    """Copy the lines in; name those that cannot be read, and those that repeat another."""
    size = request.path.stat().st_size
    known = await staging.scales(connection)

    def told(done: int) -> None:
        progress("reading", done, size)

    with open_report(request.path, request.profile, bad, told) as report:
        try:
            read = line_reader(request.profile, report.header, known)
        except LineError as error:
            raise ReportError(f"The header {error}") from error
        await staging.copy_lines(connection, _chunks(report, read, bad))
    twice = await staging.duplicates(connection, DUPLICATES_NAMED_MAX)
    for each in twice:
        bad.add(each.line, f"repeats line {each.first_line} to the letter.")
    if twice and request.skips_bad:
        bad.count += await staging.drop_duplicates(connection) - len(twice)


async def _chunks(
    report: Report, read: Callable[[int, Any], Line | None], bad: BadLines
) -> AsyncIterator[list[Line]]:
    """Read line by line; an asynchronous iterator, because the driver asks for one."""
    for chunk in report.chunks:
        lines = []
        for number, cells in chunk:
            try:
                line = read(number, cells)
            except LineError as error:
                bad.add(number, str(error))
            else:
                if line is not None:
                    lines.append(line)
        yield lines


async def _period(connection: Connection, request: Request) -> tuple[datetime, datetime, int]:
    """Return the period that is compared, and how many lines lie outside of it."""
    found = await staging.staged(connection, request.profile.day_zone)
    since, until = request.since or found.since, request.until or found.until
    if since is None or until is None:
        raise ReportError("The report has no line to compare: say --from and --to, if it should.")
    until = min(until, datetime.now(UTC))
    if since >= until:
        raise ReportError("The period ends before it begins: look at --from and --to.")
    outside = 0
    if request.since is not None or request.until is not None:
        outside = await staging.leave_outside(connection, since, until)
    return since, until, outside


async def _compare(
    connection: Connection, scope: comparing.Scope, progress: Progress
) -> tuple[comparing.Level, comparing.Level | None]:
    progress("days", 0, 3)
    days = await comparing.compare_days(connection, scope)
    rounds = None
    if days.agree < days.total:
        progress("rounds", 1, 3)
        rounds = await comparing.compare_rounds(connection, scope)
    progress("lines", 2, 3)
    # What was carried over is always looked at, and costs nothing where there is none.
    await comparing.compare_lines(connection, scope)
    progress("lines", 3, 3)
    return days, rounds


def _plain(row: runs.MoneyRow) -> dict[str, str]:
    return {
        "currency": row.currency,
        "verdict": row.verdict,
        "cause": row.cause,
        "refusal": row.refusal or "",
        "lines": str(row.lines),
        "theirs": format(row.theirs.normalize(), "f"),
        "ours": format(row.ours.normalize(), "f"),
    }
