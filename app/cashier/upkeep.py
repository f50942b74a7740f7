"""What operations do to keep the ledger: audits and backups are remembered where they can be asked.

`wallet status`, the metrics and their alarms say how long ago the last of each was.
"""

from datetime import datetime, timedelta

from app.cashier.audit import Findings
from app.ledger.money.book import Book
from app.ledger.transaction import Ledger
from app.ledger.upkeep import AuditRun, BackupNote, keep_audit, last_upkeep, note_backup

__all__ = ["AuditRun", "BackupNote", "last_upkeep", "remember_audit", "remember_backup"]


async def remember_audit(
    ledger: Ledger,
    findings: Findings,
    *,
    ran_at: datetime,
    since: datetime | None,
    took: timedelta,
    by: str,
) -> None:
    """Keep what an audit found."""
    run = AuditRun(
        ran_at,
        since,
        findings.invariants,
        findings.players,
        findings.movements,
        len(findings.breaches),
        took // timedelta(milliseconds=1),
        by,
    )

    async def work(book: Book) -> None:
        await keep_audit(book, run)

    await ledger.beside_money(work)


async def remember_backup(ledger: Ledger, note: BackupNote) -> None:
    """Keep that a backup was made."""

    async def work(book: Book) -> None:
        await note_backup(book, note)

    await ledger.beside_money(work)
