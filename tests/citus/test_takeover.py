"""Players move away from the buckets of several nodes and back, and a shadow decides there."""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from app.cashier.audit import audit
from app.composition.shadow import shadowing
from app.ledger.citus.ledger import PlacedLedger
from app.settings import Settings
from app.takeover.comparing import Comparison, Difference
from app.takeover.exporting import NotExportedError
from app.takeover.shadow import TrafficClock, begin_shadow, require_shadow, shadow
from app.takeover.traffic import look_through
from app.wallet.balance import Pockets
from app.wallet.buckets import bucket_of
from app.wallet.holds import HoldKey
from app.wallet.outcomes import Posting, Refused
from tests.cashier.till import AGENT, Till
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS, ledger_named
from tests.conftest import Database
from tests.takeover.conftest import brought_in, exported, lines_of, player, token
from tests.takeover.other_wallet import KEY, OtherWallet

pytestmark = pytest.mark.timeout(180)


def one_of_each(prefix: str) -> list[str]:
    """A name of each bucket."""
    some = [f"{prefix}-{number}" for number in range(60)]
    return [next(n for n in some if bucket_of(n, BUCKETS) == b) for b in range(BUCKETS)]


@pytest.fixture(scope="module")
def citus() -> Iterator[Citus]:
    """A ledger of its own: what it has is exported whole."""
    yield from ledger_named("left")


@pytest.fixture
def empty_citus() -> Iterator[Citus]:
    """A ledger that nobody has used."""
    yield from ledger_named("reached")


@pytest.fixture
async def one_server(till: Till, db: Database) -> AsyncIterator[Till]:
    """A ledger on one PostgreSQL, whose players have the same tokens."""
    ledger = PlacedLedger(db.service_url)
    yield Till(ledger, db.superuser_url, till.policy, till.tokens)
    await ledger.close()


async def test_they_play_on_elsewhere_and_back_on_nodes_as_if_they_had_stayed(
    citus: Citus, till: Till, one_server: Till, db: Database, empty_citus: Citus, tmp_path: Path
) -> None:
    whose = one_of_each("leaves")
    for name in whose:
        await till.player(name, "100", "20")
        await till.one(till.bet(name, "30", event_id=f"e-{name}", transaction_id=f"b-{name}"))
        await till.one(till.bet(name, "5000", event_id="x", transaction_id=f"refused-{name}"))
    away = await exported(citus.service_url, tmp_path / "away.jsonl")
    await brought_in(db.service_url, away)
    for name in whose:
        assert await one_server.pockets(name) == Pockets(7000, 2000)
        win = one_server.movement(name, "Win", "credit", "45.50", event_id=f"e-{name}")
        assert isinstance(await one_server.one(win), Posting)
        again = one_server.bet(name, "1", event_id="y", transaction_id=f"b-{name}")
        assert isinstance(await one_server.one(again), Refused), "an id that was decided there"
    assert (await audit(db.service_url)).breaches == []
    back = await exported(db.service_url, tmp_path / "back.jsonl")
    await brought_in(empty_citus.service_url, back)
    ledger = PlacedLedger(empty_citus.service_url, buckets=BUCKETS)
    there = Till(ledger, empty_citus.superuser_url, till.policy, till.tokens)
    try:
        for name in whose:
            assert await there.pockets(name) == Pockets(11550, 2000)
            cancel = there.movement(name, "SportBetCancel", "debit", "45.50", event_id=f"e-{name}")
            assert isinstance(await there.one(cancel), Posting)
    finally:
        await ledger.close()
    assert (await audit(empty_citus.service_url)).breaches == []


async def test_nobody_leaves_any_bucket_with_a_withdrawal_under_way(
    citus: Citus, till: Till, tmp_path: Path
) -> None:
    last = await till.player(one_of_each("waits")[-1], "100")
    opened = till.movement(last, "WithdrawalHold", "debit", "10")
    assert isinstance(await till.one(opened), Posting)
    with pytest.raises(NotExportedError, match="1 withdrawals are under way"):
        await exported(citus.service_url, tmp_path / "none.jsonl")
    release = till.movement(last, "WithdrawalRelease", "credit", "10")
    hold = HoldKey(AGENT, opened.key.transaction_id)
    assert isinstance(await till.one(release._replace(hold=hold)), Posting)
    await exported(citus.service_url, tmp_path / "whole.jsonl")


async def test_a_shadow_on_nodes_names_what_the_other_wallet_does_wrong(
    empty_citus: Citus, tmp_path: Path
) -> None:
    whose = one_of_each("seen")
    url = empty_citus.service_url
    await begin_shadow(url, "olga")
    state = tmp_path / "state.jsonl"
    everybody = [player(name) for name in whose]
    state.write_text(
        lines_of(*everybody, *(token(f"t-{name}", name) for name in whose)), encoding="utf-8"
    )
    await brought_in(url, state)

    async def compared(*mistakes: str) -> tuple[Comparison, list[Difference]]:
        other = OtherWallet(frozenset(mistakes))
        round_of = f"{'-'.join(mistakes)}r".replace(" ", "-")
        for name in whose:
            other.balances[name] = Decimal(str((await pockets_there(name)).real)) / 100
            other.ask(name, "BetPlacing", "10.00", f"{name}-{round_of}", f"{name}-{round_of}-b")
            other.ask(name, "BetPlacing", "10.00", f"{name}-{round_of}", f"{name}-{round_of}-b")
        path = other.written(tmp_path / "traffic.jsonl")
        told: list[Difference] = []
        clock = TrafficClock()
        await require_shadow(url)
        assert look_through(path).bad == []
        async with shadowing(Settings(callback_keys=(KEY,)), url, clock) as deciding:
            return await shadow(path, deciding, clock, told.append, lambda _done: None), told

    async def pockets_there(name: str) -> Pockets:
        ledger = PlacedLedger(url, buckets=BUCKETS)
        try:
            return await Till(ledger, empty_citus.superuser_url).pockets(name)
        finally:
            await ledger.close()

    right, nothing = await compared()
    assert (right.compared, nothing) == (2 * BUCKETS, [])
    wrong, told = await compared("charges repeats")
    assert wrong.differences == len(told) == BUCKETS
