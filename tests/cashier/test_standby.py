"""Nothing is told that a synchronous standby lacks: a batch of repeats waits for it, too."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from app.ledger.errors import DeadlineError
from app.ledger.transaction import Ledger
from app.postgres import EmbeddedPostgres
from app.postgres.cluster import OWNER, SERVICE, SUPERUSER
from app.wallet.outcomes import Posting, Refused, Replay
from tests.cashier.till import Till, connect
from tests.conftest import migrate


class Primary:
    """A server of the test's own, whose standby can be wanted and missing."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server

    async def want_standby(self, name: str) -> None:
        """Wait with every commit for this standby; empty: for nobody."""
        admin = await connect(self.server.url_for(SUPERUSER, SUPERUSER))
        await admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
        for _ in range(100):
            # The setting reaches each session a moment later.
            seen = await connect(self.server.url_for(SUPERUSER, SUPERUSER))
            value = await seen.fetchval("SHOW synchronous_standby_names")
            await seen.close()
            if value == name:
                return
        raise AssertionError("the setting never came")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    folder = tmp_path_factory.mktemp("primary")
    server = EmbeddedPostgres.start_or_join(folder / "data", fsync=False)
    migrate(server.url_for(OWNER))
    yield server
    server.stop()


@pytest.fixture
async def primary(server: EmbeddedPostgres) -> AsyncIterator[Primary]:
    primary = Primary(server)
    yield primary
    await primary.want_standby("")


@pytest.fixture
async def till(server: EmbeddedPostgres) -> AsyncIterator[Till]:
    ledger = Ledger(server.url_for(SERVICE), deadline=timedelta(seconds=1))
    yield Till(ledger, server.url_for(SUPERUSER))
    await ledger.close()


async def test_repeats_and_balances_are_told_once_the_standby_has_what_they_tell_of(
    primary: Primary, till: Till
) -> None:
    await till.player("anna", "100")
    bet = till.bet()
    assert isinstance(await till.one(bet), Posting)
    again = bet._replace(delivery=bytes(16))
    await primary.want_standby("nobody")
    with pytest.raises(DeadlineError):
        await till.one(again)
    with pytest.raises(DeadlineError):
        await till.one(till.bet(token="unknown"))
    await primary.want_standby("")
    assert isinstance(await till.one(again), Replay)
    assert isinstance(await till.one(till.bet(token="unknown")), Refused)


async def test_where_there_is_no_standby_repeats_write_nothing(
    till: Till, primary: Primary
) -> None:
    await till.player("boris", "100")
    bet = till.bet("boris")
    await till.one(bet)
    await primary.want_standby("")
    before = await till.rows("SELECT pg_current_wal_insert_lsn()")
    assert isinstance(await till.one(bet._replace(delivery=bytes(16))), Replay)
    assert await till.rows("SELECT pg_current_wal_insert_lsn()") == before
