"""A ledger that was used with one bucket is put onto the nodes, and is the same ledger."""

import asyncio
import os
from collections.abc import Iterator

import asyncpg
import pytest

from app.cashier.adjustments import NotAdjusted, Preview, approve, show_adjustment
from app.cashier.audit import audit
from app.ledger.buckets import Copied, NotSplitError
from app.ledger.buckets.splitting import split
from app.ledger.citus import IN_EACH
from app.ledger.citus import splitting as onto_nodes
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.event_log.told import MovementTold
from app.wallet.adjustments import AdjustmentState
from app.wallet.balance import Pockets
from app.wallet.buckets import bucket_of, schema_of
from app.wallet.outcomes import Posting, Refused, Replay
from tests.cashier.till import Till, numbers
from tests.citus.cluster import CITUS_URL, WHY_SKIPPED, Citus, drop, make
from tests.citus.conftest import BUCKETS, ViaOtherNodes
from tests.citus.test_adjustments import NOAH, approved, asked
from tests.citus.test_events import deposit, told_after
from tests.citus.test_one_time import ask
from tests.conftest import apart, migrate, run_prefix

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def used() -> Iterator[Citus]:
    """A ledger with one bucket, on the coordinator, as on any PostgreSQL."""
    url = os.environ.get(CITUS_URL)
    if not url:
        pytest.skip(WHY_SKIPPED)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    made = apart(make(url, f"{run_prefix()}{worker}_split"))
    migrate(made.owner_url, 1)
    yield made
    apart(drop(made))


@pytest.fixture
async def played(used: Citus) -> Till:
    ledger = PlacedLedger(used.service_url)
    till = Till(ledger, used.superuser_url)
    for name in names():
        await till.player(name, "100", "20")
        await till.move(till.bet(name, "30", transaction_id=f"bet-{name}"))
        await till.one(till.movement(name, "Win", "credit", "5", transaction_id=f"win-{name}"))
        await till.one(till.movement(name, "WithdrawalHold", "debit", "10"))
        await till.one(till.bet(name, "9999", event_id="no"))
        await ask(till, name, f"request-{name}")
    await ledger.close()
    return till


def names() -> list[str]:
    """Two players of each bucket."""
    found: dict[int, list[str]] = {bucket: [] for bucket in range(BUCKETS)}
    for number in range(200):
        name = f"old-{number}"
        if len(found[bucket_of(name, BUCKETS)]) < 2:
            found[bucket_of(name, BUCKETS)].append(name)
    return [name for some in found.values() for name in some]


async def everything(citus: Citus) -> dict[str, list[str]]:
    """All rows of the players' tables, as whoever reads above the buckets sees them."""
    return {
        table: [
            row[0] for row in await citus.rows(f"SELECT t::text FROM public.{table} t ORDER BY 1")
        ]
        for table in IN_EACH
    }


async def test_everything_is_as_before_but_where_it_is(used: Citus, played: Till) -> None:
    before = await everything(used)
    assert all(before[table] for table in ("players", "movements", "holds", "request_ids"))
    told: list[Copied] = []
    await split(used.owner_url, BUCKETS, told.append)
    assert await everything(used) == before
    counted: dict[str, int] = {}
    for each in told:
        table = each.table.partition(".")[2]
        counted[table] = counted.get(table, 0) + each.rows
    assert counted == {table: len(before[table]) for table in onto_nodes.MOVED}
    assert (await audit(used.service_url)).breaches == []

    first, *others = names()
    for make_ledger in (PlacedLedger, ViaOtherNodes):
        ledger = make_ledger(used.service_url)
        till = Till(ledger, used.superuser_url, tokens=dict(played.tokens))
        for name in names():
            again = await till.one(till.bet(name, "30", transaction_id=f"bet-{name}"))
            assert isinstance(again, Replay)
            answer = await ask(till, name, f"request-{name}")
            assert answer.startswith("sealed"), "the first answer"
        for other in others:
            stolen = await till.one(till.bet(other, "30", transaction_id=f"bet-{first}"))
            assert isinstance(stolen, Refused)
            assert stolen.differs == "userId"
            assert await ask(till, other, f"request-{first}") == "taken"
        assert await till.pockets(first) == Pockets(6500, 2000)
        for name in names():
            assert isinstance(await till.one(till.bet(name, "0.01")), Posting)
            await till.move(till.movement(name, "Deposit", "credit", "0.01"))
        assert await till.player(f"new-{next(numbers)}", "1")
        await ledger.close()
    # Views join what the nodes have with what every node has, and each bucket has its own.
    (whole,) = await used.rows("SELECT sum(movements) FROM ops.daily_movements")
    (accepted,) = await used.rows("SELECT count(*) FROM movements WHERE decision = 'ACCEPTED'")
    assert whole[0] == accepted[0] > 0
    for bucket in range(BUCKETS):
        own = f"ops_{schema_of(bucket, BUCKETS)}"
        assert await used.rows(f"SELECT * FROM {own}.counted_movements LIMIT 1")
    # A migration finds everything level.
    await asyncio.to_thread(migrate, used.owner_url, BUCKETS)
    assert (await audit(used.service_url)).breaches == []


async def test_a_run_that_is_cut_off_leaves_the_ledger_and_the_next_one_goes_through(
    used: Citus, played: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await everything(used)

    def is_cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(onto_nodes, "switch", is_cut_off)
        with pytest.raises(KeyboardInterrupt):
            await split(used.owner_url, BUCKETS, lambda _: None)
    assert await everything(used) == before
    assert await used.rows("SELECT FROM buckets") == []
    # It is used as before, and what is new then is not lost.
    ledger = PlacedLedger(used.service_url)
    till = Till(ledger, used.superuser_url, tokens=dict(played.tokens))
    assert isinstance(await till.one(till.bet(names()[0], "1", transaction_id="between")), Posting)
    await ledger.close()
    assert (await audit(used.service_url)).breaches == []
    between = await everything(used)
    await split(used.owner_url, BUCKETS, lambda _: None)
    assert await everything(used) == between
    assert (await audit(used.service_url)).breaches == []


@pytest.mark.usefixtures("played")
async def test_nobody_changes_anything_meanwhile(
    used: Citus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who is not the wallet, and whom no check has seen."""
    fill, refused = onto_nodes.fill, list[str]()

    def late(*given: object) -> None:
        fill(*given)  # type: ignore[arg-type]
        refused.append(apart(changes()))

    async def changes() -> str:
        connection = await asyncpg.connect(used.superuser_url)
        try:
            await connection.execute("SET lock_timeout = '200ms'")
            await connection.execute("UPDATE public.wallets SET real = real + 1")
        except asyncpg.LockNotAvailableError as error:
            return type(error).__name__
        finally:
            await connection.close()
        return "changed"

    monkeypatch.setattr(onto_nodes, "fill", late)
    await split(used.owner_url, BUCKETS, lambda _: None)
    assert refused == ["LockNotAvailableError"]


@pytest.mark.usefixtures("played")
async def test_a_row_of_no_player_stops_it(used: Citus) -> None:
    before = await everything(used)
    await used.rows("INSERT INTO early_aborts VALUES (999, 'e', false, 't', 1, now(), 'waiting')")
    with pytest.raises(NotSplitError, match=r"Of 1 rows of early_aborts, 0 arrived"):
        await split(used.owner_url, BUCKETS, lambda _: None)
    await used.rows("DELETE FROM early_aborts")
    assert await everything(used) == before


async def test_events_go_on_where_they_were(used: Citus, played: Till) -> None:
    """What has a number keeps it, and what has none yet gets one, once."""
    ledger = PlacedLedger(used.service_url)
    till = Till(ledger, used.superuser_url, tokens=dict(played.tokens))
    heard = await told_after(till, None)
    assert heard
    for name in names():
        await deposit(till, name, f"before-{name}")
    await ledger.close()
    await split(used.owner_url, BUCKETS, lambda _: None)
    ledger = PlacedLedger(used.service_url)
    till = Till(ledger, used.superuser_url, tokens=dict(played.tokens))
    for name in names():
        await deposit(till, name, f"after-{name}")
    now = await told_after(till, None)
    await ledger.close()
    assert now[: len(heard)] == heard
    new = [
        each.content.transaction_id
        for each in now[len(heard) :]
        if isinstance(each.content, MovementTold)
    ]
    assert sorted(new) == sorted(
        f"{when}-{name}" for when in ("before", "after") for name in names()
    )


async def test_an_adjustment_approved_before_hides_no_other_one(used: Citus, played: Till) -> None:
    """Two were asked for the same movement; the first one's says nothing of its approval."""
    name, ledger = names()[0], PlacedLedger(used.service_url)
    till = Till(ledger, used.superuser_url, tokens=dict(played.tokens))
    late = till.movement(name, "Win", "credit", "7.00", transaction_id="late", event_id="no-bet")
    assert isinstance(await till.one(late), Refused)
    first, second = [await asked(till, name, "7.00", settles="late") for _ in range(2)]
    done = await approved(till, first)
    await ledger.close()
    await split(used.owner_url, BUCKETS, lambda _: None)

    ledger = PlacedLedger(used.service_url)
    shown = await show_adjustment(ledger, second)
    assert isinstance(shown, Preview)
    assert (shown.adjustment.state, shown.adjustment.moved_by) == (AdjustmentState.OPEN, None)
    refused = await approve(ledger, NOAH, second, solo_max={})
    assert isinstance(refused, NotAdjusted)
    assert "meanwhile" in refused.words
    again = await show_adjustment(ledger, first)
    assert isinstance(again, Preview)
    assert (again.adjustment.state, again.adjustment.position) == (
        AdjustmentState.APPROVED,
        done.entry.position,
    )
    await ledger.close()
