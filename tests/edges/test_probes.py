import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.cashier.batching import Batcher
from app.cashier.policy import PolicyInForce
from app.cashier.readiness import sync_warning, why_not_ready
from app.edges.metrics.page import Metrics
from app.edges.probes import BUILD, Readiness, probes_app
from app.ledger import retries as retrying
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerBusyError
from app.ledger.money.book import Book
from app.ledger.money.statements import FACTS_STALE
from app.ledger.retries import RunAgainError
from app.telemetry.metrics import Requests
from app.wallet.facts import Policy
from app.wallet.limit_terms import LIMIT_NAMES
from app.wallet.outcomes import Posting
from tests.cashier.conftest import Till, till
from tests.conftest import Database

__all__ = ["till"]


async def all_is_well() -> str | None:
    return None


@dataclass
class Private:
    """The private port of a house, asked over HTTP."""

    till: Till
    batcher: Batcher
    callback: Requests
    client: httpx2.AsyncClient

    async def numbers(self) -> dict[str, float]:
        """Every sample, as `name{label="value",…}`, labels in order."""
        page = await self.client.get("/metrics")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
        samples = [
            sample
            for family in text_string_to_metric_families(page.text)
            for sample in family.samples
        ]
        found = {}
        for sample in samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in found, "a sample stands on the page once"
            found[name] = sample.value
        return found


@asynccontextmanager
async def private(till: Till, readiness: Readiness) -> AsyncIterator[Private]:
    batcher = Batcher(till.ledger, PolicyInForce(Policy()))
    callback = Requests(("moveFunds", "getBalance"))
    app = probes_app(readiness, Metrics(till.ledger, batcher, {"callback": callback}))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://private") as client:
        yield Private(till, batcher, callback, client)
    await batcher.close()


@pytest.fixture
async def house(till: Till) -> AsyncIterator[Private]:
    async with private(till, Readiness(all_is_well)) as house:
        yield house


async def test_alive_is_alive(house: Private) -> None:
    answer = await house.client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live", **BUILD})


async def test_ready_when_the_database_answers(till: Till) -> None:
    async with private(till, Readiness(lambda: why_not_ready(till.ledger))) as house:
        answer = await house.client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", **BUILD})


async def test_ready_and_warned_where_a_synchronous_standby_is_expected_and_missing(
    till: Till,
) -> None:
    def warning() -> str | None:
        return sync_warning(till.ledger, is_expected=True)

    async with private(till, Readiness(lambda: why_not_ready(till.ledger), warning)) as house:
        answer = await house.client.get("/health/ready")
        numbers = await house.numbers()
    assert answer.status_code == 200
    assert "WALLET_EXPECT_SYNC" in answer.json()["warning"]
    assert numbers['wallet_standby{state="wanted"}'] == 0
    assert sync_warning(till.ledger, is_expected=False) is None


async def test_not_ready_when_the_database_is_away(till: Till) -> None:
    away = PlacedLedger(
        "postgresql+asyncpg://nobody@127.0.0.1:1/nowhere", deadline=timedelta(seconds=1)
    )
    async with private(till, Readiness(lambda: why_not_ready(away))) as house:
        answer = await house.client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["reason"] == "the database does not answer"
        assert (await house.client.get("/health/live")).status_code == 200
    await away.close()


async def test_the_database_is_asked_once_a_second_at_most() -> None:
    asked = []

    async def count() -> str | None:
        asked.append(1)
        return None

    readiness = Readiness(count)
    for _ in range(5):
        assert await readiness.why_not() is None
    assert len(asked) == 1


async def test_not_ready_while_stopping() -> None:
    readiness = Readiness(all_is_well)
    readiness.is_stopping = True
    assert await readiness.why_not() == "the service is stopping"


async def test_numbers_of_a_quiet_house(house: Private) -> None:
    numbers = await house.numbers()
    assert numbers["wallet_duplicates_total"] == 0
    assert numbers["wallet_content_mismatches_total"] == 0
    assert numbers['wallet_queue_movements{lane="0"}'] == 0
    assert numbers["wallet_pool_connections_max"] == 10
    assert any(name.startswith("process_") for name in numbers)


async def test_movements_and_money_are_counted(house: Private) -> None:
    till, move = house.till, house.batcher.move
    await till.player("anna", "100")
    await till.player("chen", "5000", currency="JPY")
    bet = till.movement("anna", "BetPlacing", "debit", "12.50")
    await move(bet)
    await move(bet._replace(delivery=bytes(16)))
    await move(bet._replace(delivery=bytes(16), amount="13"))
    await move(till.movement("anna", "Win", "credit", "5", event_id="nowhere"))
    await move(till.movement("anna", "BetPlacing", "debit", "1000"))
    await move(till.movement("chen", "BetPlacing", "debit", "700"))
    numbers = await house.numbers()

    def decided(kind: str, decision: str) -> object:
        return numbers[f'wallet_movements_total{{decision="{decision}",event_type="{kind}"}}']

    assert decided("BetPlacing", "ACCEPTED") == 2
    assert decided("BetPlacing", "REPEATED") == 1
    assert decided("BetPlacing", "MOVEMENT_DIFFERS") == 1
    assert decided("BetPlacing", "INSUFFICIENT_FUNDS") == 1
    assert decided("Win", "NO_MATCHING_MOVEMENT") == 1
    # Each currency's at its own scale.
    assert numbers['wallet_money_moved_total{currency="USD",event_type="BetPlacing"}'] == 12.5
    assert numbers['wallet_money_moved_total{currency="JPY",event_type="BetPlacing"}'] == 700
    # What did not move in a currency is there at 0, so that its first movement is an increase.
    assert numbers['wallet_money_moved_total{currency="USD",event_type="Win"}'] == 0
    assert numbers['wallet_money_moved_total{currency="JPY",event_type="Tip"}'] == 0
    assert numbers["wallet_duplicates_total"] == 1
    assert numbers["wallet_content_mismatches_total"] == 1
    alarms = {name: value for name, value in numbers.items() if name.startswith("wallet_alarms")}
    assert {name: value for name, value in alarms.items() if value} == {
        'wallet_alarms_total{alarm="repeat with other content"}': 1,
        'wallet_alarms_total{alarm="credit without a matching movement"}': 1,
    }


async def test_a_limit_that_refused_is_counted_once_and_the_others_stand_at_0(
    house: Private,
) -> None:
    till = house.till
    await till.player("anna", "100")
    limits = '{"stake_day": {"amount": 1000}}'
    await till.rows("UPDATE wallets SET limits = $1, revision = revision + 1", limits)
    bet = till.movement("anna", "BetPlacing", "debit", "10.01")
    for _ in range(2):
        await house.batcher.move(bet._replace(delivery=os.urandom(16)))
    numbers = await house.numbers()
    hits = {name: value for name, value in numbers.items() if name.startswith("wallet_limits_hit")}
    assert hits == {
        f'wallet_limits_hit_total{{limit="{name}"}}': int(name == "stake_day")
        for name in LIMIT_NAMES
    }


async def test_batches_are_counted_by_their_size_and_time(house: Private) -> None:
    till = house.till
    await till.player("anna", "100")
    bets = [till.movement("anna", "BetPlacing", "debit", "1") for _ in range(9)]
    await asyncio.gather(*(house.batcher.move(bet) for bet in bets))
    numbers = await house.numbers()
    count, movements = (
        numbers["wallet_batch_movements_count"],
        numbers["wallet_batch_movements_sum"],
    )
    assert movements == 9
    assert count in {1, 2}
    assert numbers["wallet_batch_seconds_count"] == count
    assert numbers["wallet_batch_wait_seconds_count"] == count


async def test_who_waits_is_shown_with_the_oldest(house: Private) -> None:
    till = house.till
    await till.player("anna", "100")
    bets = [till.movement("anna", "BetPlacing", "debit", "1") for _ in range(3)]
    waiting = [asyncio.create_task(house.batcher.move(bet)) for bet in bets]
    await asyncio.sleep(0)
    lanes = house.batcher.waiting()
    assert sum(lane.length for lane in lanes) in range(1, 4)
    assert max(lane.oldest_nanoseconds for lane in lanes) > 0
    await asyncio.gather(*waiting)
    assert [tuple(lane) for lane in house.batcher.waiting()] == [(0, 0)]


async def test_retries_are_counted_by_their_reason(house: Private) -> None:
    attempts = []

    async def work(book: object) -> None:
        attempts.append(book)
        if len(attempts) < 3:
            raise RunAgainError

    await house.till.ledger.serializable(work)
    assert (await house.numbers())[
        'wallet_ledger_retries_total{reason="rolled back at commit"}'
    ] == 2


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "WF001"])
async def test_a_conflict_is_counted_by_its_sqlstate(
    house: Private, sqlstate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "ATTEMPTS_MAX", 3)

    async def work(book: Book) -> None:
        await book.connection.execute(
            f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$"
        )

    with pytest.raises(LedgerBusyError):
        await house.till.ledger.serializable(work)
    retries = f'wallet_ledger_retries_total{{reason="{sqlstate}"}}'
    assert (await house.numbers())[retries] == 3


async def test_two_processes_on_one_wallet_count_why_they_ran_again(
    house: Private, db: Database
) -> None:
    await house.till.player("anna", "100")
    other = PlacedLedger(db.service_url)
    bets = [house.till.movement("anna", "BetPlacing", "debit", "1") for _ in range(20)]
    rivals = Batcher(other, PolicyInForce(Policy()))
    moves = [(house.batcher if n % 2 else rivals).move(bet) for n, bet in enumerate(bets)]
    receipts = await asyncio.gather(*moves)
    await rivals.close()
    reasons = house.till.ledger.retries + other.retries
    await other.close()
    assert [type(receipt) for receipt in receipts] == [Posting] * 20
    assert await house.till.pockets() == (80_00, 0)
    # Who loses the race is told by the ledger's own code, or by PostgreSQL's.
    assert set(reasons) <= {FACTS_STALE, "40001", "40P01"}


async def test_requests_are_shown_by_method_event_type_and_code(house: Private) -> None:
    house.callback.count("moveFunds", "Win", 0, 200, 3_000_000)
    house.callback.not_admitted["signature"] += 1
    numbers = await house.numbers()
    assert (
        numbers[
            'wallet_requests_total{code="0",contract="callback",event_type="Win",'
            'method="moveFunds",status="200"}'
        ]
        == 1
    )
    assert numbers['wallet_not_admitted_total{contract="callback",reason="signature"}'] == 1
    assert (
        numbers['wallet_request_seconds_bucket{contract="callback",le="0.005",method="moveFunds"}']
        == 1
    )


async def test_nobody_hears_ready_before_the_database_was_asked() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def why_not() -> str | None:
        asked.set()
        await may_answer.wait()
        return None

    readiness = Readiness(why_not)
    first = asyncio.create_task(readiness.why_not())
    await asked.wait()
    assert await readiness.why_not() == "the database was not asked yet"
    may_answer.set()
    assert await first is None
    assert await readiness.why_not() is None
