"""Whether the ledger is the one that may be served: what a look says, and of which connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.cashier.restored import Marked, mark
from app.ledger import connections
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.connections import Raw
from app.ledger.errors import LedgerRestoredError
from app.ledger.money.book import Book
from app.ledger.timeline_guard import TimelineChangedError, TimelineGuard
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import SERVICE
from app.wallet.operators import Operator, Role, Via
from tests.cashier.till import Till, connect, meanwhile
from tests.conftest import Database
from tests.data_folders import copy_migrated

MIRA = Operator("mira", True, frozenset({Role.ADMIN}), Via.CONSOLE, "pts/1")  # noqa: FBT003


async def test_a_connection_that_is_opened_during_a_look_is_looked_at_as_well(
    db: Database,
) -> None:
    ledger = PlacedLedger(db.service_url)
    opened_meanwhile = [True, False]

    @asynccontextmanager
    async def lend() -> AsyncIterator[Raw]:
        async with ledger.lend_writer() as raw:
            if opened_meanwhile.pop(0):
                asyncio.get_running_loop().call_soon(guard.doubt)
            yield raw

    def stays_in_doubt() -> bool:
        return guard.is_in_doubt

    guard = TimelineGuard(lend, ledger.send_above, is_logged=False)
    await guard.verify()
    assert stays_in_doubt()
    await guard.verify()
    assert not stays_in_doubt()
    await ledger.close()


async def test_a_read_on_a_new_connection_tells_nothing_of_a_restored_ledger(
    db: Database,
) -> None:
    ledger, other = PlacedLedger(db.service_url, serves=True), PlacedLedger(db.service_url)
    await ledger.verify_timeline()
    is_reading, may_end = asyncio.Event(), asyncio.Event()

    async def hold(_book: Book) -> None:
        is_reading.set()
        await may_end.wait()

    async def read(_book: Book) -> str:
        return "told"

    first = asyncio.create_task(ledger.read_only(hold))
    await is_reading.wait()
    assert isinstance(await mark(other, MIRA, "a disk"), Marked)
    with pytest.raises(LedgerRestoredError):
        await ledger.read_only(read)
    may_end.set()
    await asyncio.wait({first})
    await asyncio.gather(ledger.close(), other.close())


@pytest.mark.one_server("another node is told by the start of its server alone")
async def test_nothing_is_recorded_over_a_connection_opened_after_the_facts_were_read(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may lead to a restored ledger, where the wallets have the same revisions."""
    ledger = PlacedLedger(db.service_url, serves=True)
    till = Till(ledger, db.superuser_url)
    await till.player("anna", "100")
    marked: list[object] = []

    async def restored_elsewhere() -> None:
        other = PlacedLedger(db.service_url)
        marked.append(await mark(other, MIRA, "a disk"))
        await other.close()

    def meanwhile_once() -> None:
        if not marked:
            meanwhile(restored_elsewhere())
            monkeypatch.setattr(connections, "AGE_SECONDS_MAX", -1)

    bet = till.bet()
    with pytest.raises(LedgerRestoredError):
        await till.move(bet, has_decided=meanwhile_once)
    assert isinstance(marked[0], Marked)
    assert not await till.rows_of(
        "anna", "SELECT FROM movements WHERE transaction_id = $1", bet.key.transaction_id
    )
    await ledger.close()


@pytest.mark.one_server("another node is told by the start of its server alone")
async def test_a_connection_that_leads_to_another_server_is_not_used_again(
    db: Database, tmp_path: Path
) -> None:
    """Two servers may answer at one address for a while, each on connections of its own."""
    ledger = PlacedLedger(db.service_url)
    await ledger.verify_timeline()
    copy_migrated(tmp_path / "other")
    with EmbeddedPostgres.start_or_join(tmp_path / "other") as other:
        raw = await connect(other.url_for(SERVICE))
        assert not ledger.timeline.knows(raw)
        with pytest.raises(TimelineChangedError):
            await ledger.timeline.check(raw)
        assert raw.is_closed()
        assert ledger.timeline.is_in_doubt
    async with ledger.lend_writer() as raw:
        await ledger.timeline.verify()
        await ledger.timeline.check(raw)
        assert ledger.timeline.knows(raw)
    await ledger.close()


@pytest.mark.one_server("a bucket's node is looked at by a guard of its own")
async def test_a_verified_ledger_is_looked_at_once(db: Database) -> None:
    ledger = PlacedLedger(db.service_url, serves=True)
    await ledger.verify_timeline()
    assert not ledger.timeline.is_in_doubt
    doubts = ledger.timeline.doubts
    await ledger.verify_timeline()
    assert (ledger.timeline.doubts, ledger.timeline.is_in_doubt) == (doubts + 1, False)
    await ledger.close()
