"""The watch: a serving process tells of the inbox, the audits and the backups beside its work."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from app.cashier.audit import audit
from app.cashier.inbox import inbox
from app.cashier.upkeep import BackupNote, remember_audit, remember_backup
from app.cashier.watch import Watch
from app.wallet.inbox import ExceptionKind
from tests.cashier.line import FarLedger, Line
from tests.cashier.till import Till


def is_ready(watch: Watch) -> bool:
    return watch.seen.is_ready


async def test_a_look_brings_the_inbox_up_to_date_and_counts_it(till: Till) -> None:
    watch = Watch(till.ledger)
    assert not is_ready(watch), "nobody has looked yet"
    await watch.look()
    assert is_ready(watch)
    await till.player("anna")
    await till.one(till.movement("anna", "Win", "credit", "7.00"))
    await Watch(till.ledger, every=timedelta(0)).look()
    await watch.look()
    assert watch.seen.inbox[ExceptionKind.EXPECTED_CREDIT].number == 1
    assert len(await inbox(till.ledger)) == 1


async def test_of_several_processes_one_looks_through_the_ledger(till: Till) -> None:
    await Watch(till.ledger, every=timedelta(minutes=1)).look()
    await till.player("anna")
    await till.one(till.movement("anna", "Win", "credit", "7.00"))
    other = Watch(till.ledger, every=timedelta(minutes=1))
    await other.look()
    assert other.seen.inbox[ExceptionKind.EXPECTED_CREDIT].number == 0


async def test_audits_and_backups_are_remembered(till: Till) -> None:
    now = datetime.now(UTC)
    findings = await audit(till.superuser_url)
    for since in (None, now - timedelta(days=1)):
        await remember_audit(
            till.ledger, findings, ran_at=now, since=since, took=timedelta(seconds=2), by="x"
        )
    await remember_backup(till.ledger, BackupNote(now, "full", "x"))
    watch = Watch(till.ledger)
    await watch.look()
    whole, recent, backup, sealed_at = watch.seen.upkeep
    assert whole is not None
    assert (whole.since, whole.breaches, whole.milliseconds) == (None, 0, 2000)
    assert recent is not None
    assert recent.since == now - timedelta(days=1)
    assert backup is not None
    assert backup.note == "full"
    assert sealed_at is None
    assert not watch.seen.seals
    assert Watch(till.ledger, seals=True).seen.seals


async def test_a_fault_of_ours_is_logged_and_the_next_look_is_made(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(till.ledger, every=timedelta(milliseconds=1))
    looks = asyncio.Semaphore(0)
    look = watch.look

    async def fails_first() -> None:
        looks.release()
        if not is_ready(watch):
            await look()
            raise RuntimeError("a fault")
        await look()

    monkeypatch.setattr(watch, "look", fails_first)
    with capture_logs() as logged:
        watch.begin()
        async with asyncio.timeout(10):
            for _ in range(2):
                await looks.acquire()
        await watch.close()
    assert [(line["event"], line["error"]) for line in logged] == [("failed", "RuntimeError")]


async def test_while_the_database_is_away_what_was_seen_last_stays(till: Till, line: Line) -> None:
    await till.player("anna")
    await till.one(till.movement("anna", "Win", "credit", "7.00"))
    ledger = FarLedger(line, deadline=timedelta(seconds=1))
    watch = Watch(ledger, every=timedelta(0))
    await watch.look()
    assert is_ready(watch)
    line.is_down = True
    line.cut()
    await watch.look()
    assert not is_ready(watch)
    assert watch.seen.inbox[ExceptionKind.EXPECTED_CREDIT].number == 1
    await ledger.close()


async def test_it_looks_until_it_is_closed(till: Till) -> None:
    watch = Watch(till.ledger, every=timedelta(milliseconds=10))
    watch.begin()
    for _ in range(500):
        if is_ready(watch):
            break
        await till.count("players")
    await watch.close()
    assert is_ready(watch)
