"""Audits that were run, backups that were told of, seals: appended, and the last looked up."""

from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.money.book import Book


class AuditRun(NamedTuple):
    """One run of the audit."""

    ran_at: datetime
    since: datetime | None
    """None: it looked at everything"""
    invariants: int
    players: int
    movements: int
    breaches: int
    milliseconds: int
    by: str


class BackupNote(NamedTuple):
    """A backup that somebody, or their script, told of."""

    finished_at: datetime
    note: str
    by: str


class LastUpkeep(NamedTuple):
    """The latest of each; None: there was none."""

    whole_audit: AuditRun | None
    recent_audit: AuditRun | None
    """of those that looked at what was recent only"""
    backup: BackupNote | None
    sealed_at: datetime | None = None
    """when the last seal was made"""


_KEEP_AUDIT: Final = """
INSERT INTO audit_runs (ran_at, since, invariants, players, movements, breaches, milliseconds, by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_NOTE_BACKUP: Final = """
INSERT INTO backup_notes (finished_at, note, by, noted_at)
VALUES ($1, $2, $3, coalesce($4::timestamptz, now()))
"""

_LAST_AUDIT: Final = """
SELECT ran_at, since, invariants, players, movements, breaches, milliseconds, by
FROM audit_runs WHERE (since IS NULL) = $1 ORDER BY ran_at DESC LIMIT 1
"""

_LAST_BACKUP: Final = """
SELECT finished_at, note, by FROM backup_notes ORDER BY finished_at DESC LIMIT 1
"""


_LAST_SEAL: Final = "SELECT sealed_at FROM seals ORDER BY number DESC LIMIT 1"


async def keep_audit(book: Book, run: AuditRun) -> None:
    """Append a run of the audit."""
    await book.connection.execute(_KEEP_AUDIT, *run)


async def note_backup(book: Book, note: BackupNote) -> None:
    """Append a backup."""
    await book.connection.execute(_NOTE_BACKUP, *note, book.now_given())


async def last_upkeep(book: Book) -> LastUpkeep:
    """Return the last audits, the last backup and the last seal."""
    whole = await book.connection.fetchrow(_LAST_AUDIT, True)  # noqa: FBT003 - a parameter of SQL
    recent = await book.connection.fetchrow(_LAST_AUDIT, False)  # noqa: FBT003 - the same
    backup = await book.connection.fetchrow(_LAST_BACKUP)
    return LastUpkeep(
        None if whole is None else AuditRun(*whole),
        None if recent is None else AuditRun(*recent),
        None if backup is None else BackupNote(*backup),
        await book.connection.fetchval(_LAST_SEAL),
    )
