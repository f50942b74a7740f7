"""A yes is for the time lines that somebody was shown: one that was noticed since waits."""

import asyncio
from datetime import datetime

import pytest
from typing_extensions import override

from app.cashier.restored import Accepted, Marked, NotDone, accept, mark, state
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.citus.restoring import Rebuilt
from tests.cashier.test_restored import DAY, MIRA, OF_BOTH_NODES
from tests.cashier.till import Till, connect
from tests.cashier.yes import look_and_accept
from tests.conftest import Database

ANOTHER_RESTORE = (
    "INSERT INTO ledger_timelines SELECT 3, 'restored', system_identifier, 7, 'it lacks more',"
    " 'a process', now() FROM pg_control_system()"
)


class NoticedMeanwhile(PlacedLedger):
    """Another restore is noticed while claims are made again."""

    till: Till

    @override
    async def rebuild_claims(self, restored_to: datetime | None) -> Rebuilt | None:
        await self.till.rows(ANOTHER_RESTORE)
        return await super().rebuild_claims(restored_to)


@pytest.mark.parametrize("ledger_of", [PlacedLedger, NoticedMeanwhile])
async def test_a_yes_is_for_what_was_shown_and_not_for_what_was_noticed_since(
    till: Till, db: Database, ledger_of: type[PlacedLedger]
) -> None:
    for name in OF_BOTH_NODES:
        await till.player(name, "100")
    assert isinstance(await mark(till.ledger, MIRA, "storage was rolled back"), Marked)
    shown = (await state(till.ledger)).waiting
    assert shown == 2
    console = ledger_of(db.service_url)
    if isinstance(console, NoticedMeanwhile):
        console.till = till
    else:
        await till.rows(ANOTHER_RESTORE)
    assert await accept(console, MIRA, shown, "the disk was lost", DAY) == NotDone(
        "Nothing was accepted: the latest time line that waits is 3, not 2; look again, `wallet"
        " restored show`."
    )
    await console.close()
    assert await till.count("ledger_timeline_answers") == 0
    done = await look_and_accept(till.ledger, MIRA, "both disks were lost", DAY)
    assert isinstance(done, Accepted)
    # On nodes a third one says what all of them have said by then of how far they go.
    assert done.numbers[:2] == [2, 3]


@pytest.mark.one_server("on nodes the lock would have to be the coordinator's")
async def test_what_is_noticed_while_the_yes_is_written_waits(till: Till) -> None:
    assert isinstance(await mark(till.ledger, MIRA, "storage was rolled back"), Marked)
    held = await connect(till.superuser_url)
    try:
        async with held.transaction():
            await held.execute("LOCK TABLE operator_actions IN EXCLUSIVE MODE")
            saying = asyncio.create_task(accept(till.ledger, MIRA, 2, "the disk was lost", DAY))
            waits = (
                "SELECT FROM pg_locks WHERE relation = 'operator_actions'::regclass AND NOT granted"
            )
            while not await till.rows(waits):  # noqa: ASYNC110 - the server is asked
                await asyncio.sleep(0.02)
            await till.rows(ANOTHER_RESTORE)
    finally:
        await held.close()
    done = await saying
    assert isinstance(done, Accepted)
    assert done.numbers == [2]
    assert (await state(till.ledger)).waiting == 3
