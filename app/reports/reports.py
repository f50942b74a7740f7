"""Reads reports from one snapshot of the journal, at its end or at a position named before.

1. The position: the journal's end, a moment, or one that an earlier manifest names. Of such a one
   the number of movements is counted again: another number means that the journal is another.
2. The rows, streamed through a cursor into whatever takes them. Where the buckets are on nodes,
   each is asked by itself, on a snapshot of its own, and the rows are merged by their key.
3. Of a day, three sections of one snapshot; the first report of a day that is over closes it.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Final

from app.database_url import connect_arguments
from app.ledger.connecting import connect
from app.ledger.reports import daily, exports
from app.ledger.reports.merging import merged
from app.ledger.reports.reading import Connection, LedgerReport, Position, position_at, rows_of
from app.ledger.snapshot import snapshot_of_each
from app.reports.writing import Format, Row, Writer

OVER_AFTER: Final = timedelta(minutes=1)
"""After a day's end: longer than any request may take, so that none is still to be recorded."""


class ReportRefusedError(Exception):
    """The report cannot be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Books:
    """One snapshot of the journal, and the position that is read from."""

    connections: Sequence[Connection]
    """one, or one for each bucket, where they are on nodes"""
    position: Position

    async def rows(self, report: LedgerReport, *arguments: object) -> AsyncIterator[Row]:
        """Yield a report's rows."""
        parts = [
            rows_of(each, report, self.position.moment, *arguments) for each in self.connections
        ]
        async for row in merged(report, parts):
            yield row


@asynccontextmanager
async def books(
    url: str, *, at: datetime | None = None, position: Position | None = None
) -> AsyncIterator[Books]:
    """Open the books at the journal's end, at a moment, or at a position."""
    async with snapshot_of_each(url) as connections:
        found = await position_at(connections, at if position is None else position.moment)
        if found is None:
            when = "until that moment" if at is not None or position is not None else "yet"
            raise ReportRefusedError(f"The journal has no movement {when}.")
        if position is not None and found.movements != position.movements:
            raise ReportRefusedError(
                f"The journal has {found.movements} movements up to that position, and the "
                f"position says {position.movements}: it is of another journal, or was taken while "
                "movements were being decided."
            )
        yield Books(connections, found if position is None else position)


async def require_player(opened: Books, user_id: str) -> None:
    """Raise if there is no such player."""
    if not await exports.is_known(opened.connections, user_id):
        raise ReportRefusedError(f"There is no player {user_id}.")


@dataclass(frozen=True, slots=True)
class DayReport:
    """The three sections of a day, as they were written."""

    day: date
    writers: tuple[Writer, ...]
    position: Position
    digest: str
    imbalances: list[str]
    closed: daily.ClosedDay | None
    """None: the day is not over, and nothing is closed"""

    @property
    def is_as_closed(self) -> bool:
        """Whether the journal still says what it said when the day was closed."""
        return self.closed is None or self.closed.digest == self.digest


async def report_day(
    url: str,
    closing_url: str,
    day: date,
    source: str,
    kind: Format,
    write: Callable[[str, str], object],
) -> DayReport:
    """Write the sections of a day, `write(section, text)`, and close the day if it is over.

    It is read at `url`, which may be a replica, and closed at `closing_url`, which is none.
    The digest is that of the sections as CSV, whatever is written.
    """
    since = datetime.combine(day, time(), UTC)
    until = since + timedelta(days=1)
    writers: list[Writer] = []
    hashes: list[Writer] = []
    async with books(url, at=until - timedelta(microseconds=1)) as opened:
        moment = opened.position.moment
        unbalanced = await daily.imbalances(opened.connections, moment, since, until)
        for section in daily.SECTIONS:
            writer = Writer(section, kind, _into(write, section.name))
            proof = Writer(section, Format.CSV, lambda _text: None)
            async for row in opened.rows(section, since, until):
                writer.add(row)
                proof.add(row)
            writers.append(writer)
            hashes.append(proof)
        position = opened.position
    digest = sha256("".join(proof.digest for proof in hashes).encode()).hexdigest()
    closed = None
    if until + OVER_AFTER <= datetime.now(UTC) and not unbalanced:
        closed = await _closed(closing_url, day, source, position, digest)
    return DayReport(day, tuple(writers), position, digest, unbalanced, closed)


def _into(write: Callable[[str, str], object], section: str) -> Callable[[str], object]:
    return lambda text: write(section, text)


async def _closed(
    url: str, day: date, source: str, position: Position, digest: str
) -> daily.ClosedDay:
    """Close a day, or return how it was closed before."""
    connection = await connect(connect_arguments(url))
    try:
        await daily.close_day(connection, day, source, *position, digest)
        closed = await daily.closed_day(connection, day)
    finally:
        await connection.close()
    if closed is None:
        raise AssertionError("a day that was just closed is closed")
    return closed
