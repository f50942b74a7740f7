"""A batch that writes nothing ends with a commit that waits, if it tells of what stands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest

from app.ledger.errors import DeadlineError, LedgerError
from app.ledger.transaction import Ledger
from app.postgres.cluster import DATABASE, SERVICE, SUPERUSER
from app.wallet.outcomes import Posting, Refused, Replay
from tests.cashier.till import Till
from tests.standby.pair import Pair, until

WAL = "SELECT pg_current_wal_insert_lsn()"


@pytest.fixture
async def till(pair: Pair) -> AsyncIterator[Till]:
    ledger = Ledger(pair.url_for(SERVICE), deadline=timedelta(seconds=1))
    yield Till(ledger, pair.primary.address.url_for(SUPERUSER, DATABASE))
    await ledger.close()


async def test_repeats_and_balances_are_told_once_the_standby_has_what_they_tell_of(
    pair: Pair, till: Till
) -> None:
    await till.player("anna", "100")
    bets = [till.bet(amount="1") for _ in range(3)]
    assert {type(receipt) for receipt in await till.move(*bets)} == {Posting}
    again = [bet._replace(delivery=bytes([number] * 16)) for number, bet in enumerate(bets)]
    pair.standby.freeze()
    with pytest.raises(LedgerError):
        await till.move(*again)
    with pytest.raises(LedgerError):
        await till.one(till.bet(token="unknown"))
    assert pair.commits_waiting() > 0
    pair.standby.thaw()
    until(lambda: pair.commits_waiting() == 0)
    for _ in range(100):
        with suppress(LedgerError):
            await till.ledger.confirm()
            break
        await asyncio.sleep(0.05)
    assert {type(receipt) for receipt in await till.move(*again)} == {Replay}
    assert isinstance(await till.one(till.bet(token="unknown")), Refused)


async def test_where_there_is_no_standby_repeats_and_reads_write_nothing(
    pair: Pair, till: Till
) -> None:
    pair.wait_for_standby(wanted=False)
    await till.player("boris", "100")
    bet = till.bet("boris")
    await till.one(bet)
    before = pair.primary.sql(WAL)
    assert isinstance(await till.one(bet._replace(delivery=bytes(16))), Replay)
    await till.ledger.confirm()
    assert pair.primary.sql(WAL) == before
    assert not till.ledger.standby.is_wanted
    pair.wait_for_standby(wanted=True)


async def test_a_standby_that_is_configured_while_the_service_runs_is_waited_for(
    pair: Pair, till: Till
) -> None:
    pair.wait_for_standby(wanted=False)
    await till.player("clara", "100")
    assert not till.ledger.standby.is_wanted
    pair.wait_for_standby(wanted=True)
    await till.one(till.bet("clara"))
    assert till.ledger.standby.is_wanted


async def test_a_standby_that_is_reached_instead_of_the_primary_is_no_fault_of_ours(
    pair: Pair, till: Till
) -> None:
    """As through a balancer that has not noticed yet: the caller is told to ask again."""
    await till.player("dora", "100")
    astray = Till(
        Ledger(pair.standby.address.url_for(SERVICE, DATABASE), deadline=timedelta(seconds=1)),
        till.superuser_url,
        tokens=till.tokens,
    )
    with pytest.raises(LedgerError):
        await astray.one(astray.bet("dora"))
    with pytest.raises(LedgerError):
        await astray.player("emma")
    astray.ledger.standby.note(is_wanted=True)
    # A hundred attempts to confirm would take fifteen seconds.
    with pytest.raises(DeadlineError):
        await astray.ledger.confirm()
    await astray.ledger.close()
