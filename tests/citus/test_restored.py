"""A restored ledger on several nodes: no bucket is served before somebody has said yes."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from app.cashier.event_log import number_all
from app.cashier.lookups import check_transaction
from app.cashier.readiness import why_not_ready
from app.cashier.restored import Accepted, Marked, mark, state
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerError, LedgerRestoredError
from app.ledger.event_log import voiding
from app.ledger.money.book import Book
from app.ledger.timelines import Witness
from app.wallet.buckets import bucket_of
from app.wallet.journal import Flag
from app.wallet.outcomes import Posting
from tests.cashier.test_restored import DAY, LOST, MIRA
from tests.cashier.till import AGENT, Till, connect, numbers
from tests.cashier.yes import look_and_accept
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS


async def _nothing(book: Book) -> None:
    """Work that does nothing."""


SECONDS_MAX = 3
"""A process looks at the coordinator each 0.4 s, and asks it for its time line each second."""


@pytest.fixture
async def served(citus: Citus, till: Till) -> AsyncIterator[Till]:
    """A process that serves."""
    ledger = PlacedLedger(citus.service_url, buckets=BUCKETS, serves=True)
    yield Till(ledger, citus.superuser_url, tokens=till.tokens)
    await ledger.close()


async def until_ready(till: Till, *, is_ready: bool) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while (await why_not_ready(till.ledger) is None) != is_ready:  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.02)


async def test_nobody_is_served_in_any_bucket_before_somebody_says_yes(
    till: Till, served: Till
) -> None:
    names = [f"restored-{next(numbers)}" for _ in range(8)]
    for name in names:
        await till.player(name, "100")
        assert isinstance(await served.one(served.bet(name)), Posting)
    assert isinstance(await mark(till.ledger, MIRA, "every node was restored"), Marked)
    try:
        await until_ready(served, is_ready=False)
        for name in names:
            with pytest.raises(LedgerRestoredError, match="every node was restored"):
                await served.one(served.bet(name))
            with pytest.raises(LedgerRestoredError):
                await served.ledger.read_only(_nothing, of=name)
            with pytest.raises(LedgerRestoredError):
                await served.ledger.serializable(_nothing, of=name)
        with pytest.raises(LedgerRestoredError):
            await check_transaction(served.ledger, AGENT, "any")
        assert (await state(till.ledger)).is_waiting
    finally:
        numbers_of = await look_and_accept(till.ledger, MIRA, "asked for all", DAY)
    assert isinstance(numbers_of, Accepted)
    await until_ready(served, is_ready=True)
    for name in names:
        assert isinstance(await served.one(served.bet(name)), Posting)
    # Tokens that were issued in the lost time are not known on any node.
    for name in names:
        receipt = await served.one(served.movement(name, "Win", "credit", "5", token=LOST))
        assert isinstance(receipt, Posting), receipt
        assert Flag.TOKEN_UNKNOWN in receipt.entry.flags


async def test_a_node_that_lacks_what_was_told_is_not_served(
    citus: Citus, till: Till, served: Till
) -> None:
    """As one that was restored by itself: an event tells of a row that is not there any more."""
    name = f"lost-{next(numbers)}"
    await till.player(name, "100")
    assert isinstance(await served.one(served.bet(name)), Posting)
    bucket = bucket_of(name, BUCKETS)
    lost = (
        "INSERT INTO event_log (agent, number, player_id, type, place, occurred_at, bucket)"
        " SELECT $1, last_number + 1, p.player_id, 'movement.posted', 99, clock_timestamp(), $3"
        " FROM event_log_heads h, players p WHERE h.agent = $1 AND p.user_id = $2"
    )
    await number_all(till.ledger)
    await citus.rows(lost, AGENT, name, bucket)
    newcomer = PlacedLedger(citus.service_url, buckets=BUCKETS, serves=True)
    fresh = Till(newcomer, citus.superuser_url, tokens=till.tokens)
    try:
        with pytest.raises(LedgerRestoredError, match=f"bucket {bucket} on .* lacks 1 of"):
            await fresh.one(fresh.bet(name))
        await until_ready(served, is_ready=False)
        for other in (name, "somebody else"):
            with pytest.raises(LedgerRestoredError):
                await served.one(served.bet(other))
        assert isinstance(await look_and_accept(till.ledger, MIRA, "asked for it", DAY), Accepted)
        await until_ready(served, is_ready=True)
        assert isinstance(await served.one(served.bet(name)), Posting)
        await until_ready(fresh, is_ready=True)
        assert isinstance(await fresh.one(fresh.bet(name)), Posting)
    finally:
        await newcomer.close()
        connection = await connect(citus.url_for())
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("DELETE FROM event_log WHERE place = 99 AND bucket = $1", bucket)
        await connection.close()


async def test_a_node_that_lacks_what_was_answered_is_not_served(till: Till, served: Till) -> None:
    name = f"lost-{next(numbers)}"
    await till.player(name, "100")
    assert isinstance(await served.one(served.bet(name)), Posting)
    assert isinstance(served.ledger, PlacedLedger)
    guard = served.ledger.bucket_of(name).timeline
    guard.remember(Witness(1, 99, bytes(32)))
    # As after a start of the server.
    guard._started_at = None
    with pytest.raises(LedgerRestoredError, match="lacks 1 of"):
        await served.one(served.bet(name))
    assert isinstance(await look_and_accept(till.ledger, MIRA, "asked for it", DAY), Accepted)
    await until_ready(served, is_ready=True)
    assert isinstance(await served.one(served.bet(name)), Posting)


async def test_a_node_that_counts_on_from_too_far_behind_is_a_fault_and_goes_on_when_asked_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voiding, "NUMBERS_PASSED", 2)
    monkeypatch.setattr(voiding, "PASSES_MAX", 2)
    part = (await till.ledger.parts())[0]
    given: list[int] = []

    async def next_number(book: Book) -> None:
        given.append(await book.connection.fetchval("SELECT public.next_number_v1()"))

    await part.serializable(next_number)
    told = given[0] + 6
    with pytest.raises(LedgerError, match=f"events tell of its player {told}"):
        await part.beside_money(partial(voiding.pass_over, told=told))
    await part.beside_money(partial(voiding.pass_over, told=told))
    await part.serializable(next_number)
    assert given[1] > told
