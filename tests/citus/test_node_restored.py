"""A node is restored by itself, for real: a copy of its folder is put back, and then served."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from app.cashier.audit import audit
from app.cashier.deliveries import feed
from app.cashier.event_log import page_after
from app.cashier.readiness import why_not_ready
from app.cashier.restored import Accepted, Marked, mark, state
from app.cashier.sealing import Sealer, seal
from app.edges.event_json import event_body
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerError, LedgerRestoredError
from app.ledger.event_log.told import Told, VoidedTold
from app.ledger.event_log.voiding import Void
from app.postgres.cluster import SERVICE
from app.proof.keys import make_key
from app.wallet.buckets import bucket_of
from app.wallet.event_log import SHARDS, Cursor, LoggedType, cursor_at
from app.wallet.movement import Movement
from app.wallet.outcomes import Posting, Receipt, Refused, Replay
from tests.cashier.test_restored import DAY, MIRA
from tests.cashier.till import AGENT, Till, numbers
from tests.cashier.yes import look_and_accept
from tests.citus.conftest import BUCKETS
from tests.citus.own import OwnCluster, own_cluster
from tests.console.console import wallet

pytestmark = pytest.mark.timeout(150)

RESTORED, OTHER = 1, 2
"""The numbers of the nodes: the one that is put back, and the one that is not."""


BUSY = """
DO $$
BEGIN
    FOR number IN 1 .. 1000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;
END
$$
"""


@pytest.fixture(scope="module")
def own() -> Iterator[OwnCluster]:
    yield from own_cluster(BUCKETS)


@asynccontextmanager
async def process(
    own: OwnCluster, *, serves: bool = True, ago: timedelta = timedelta(0)
) -> AsyncIterator[Till]:
    """Open the ledger as a process does; `ago`: as one did that long before."""
    clock = (lambda: datetime.now(UTC) - ago) if ago else None
    ledger = PlacedLedger(own.url_for(SERVICE), buckets=BUCKETS, serves=serves, clock=clock)
    try:
        yield Till(ledger, own.citus.superuser_url)
    finally:
        await ledger.close()


async def names_on(own: OwnCluster, till: Till, number: int, many: int = 1) -> list[str]:
    """Return texts whose bucket is on a node: players there, or ids that are at home there.

    They are in its buckets in turn: a bucket by itself gives no id to two players.
    """
    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    await ledger.parts()
    here = [b for b, place in ledger.places.items() if place == own.machines[number].place]
    texts = (f"restored-{next(numbers)}" for _ in count())
    found: list[str] = []
    while len(found) < many:
        bucket = here[len(found) % len(here)]
        found.append(next(text for text in texts if bucket_of(text, BUCKETS) == bucket))
    return found


async def copied(own: OwnCluster) -> Path:
    """Copy the node's folder as it is at this moment."""
    node = own.machines[RESTORED]
    await asyncio.to_thread(node.stop_in_order)
    kept = await asyncio.to_thread(node.copy)
    await asyncio.to_thread(node.start)
    return kept


async def put_back(own: OwnCluster, kept: Path) -> None:
    node = own.machines[RESTORED]
    await asyncio.to_thread(node.stop)
    await asyncio.to_thread(node.put_back, kept)
    await asyncio.to_thread(node.start)


async def until_noticed(till: Till) -> None:
    async with asyncio.timeout(15):
        while "lacks" not in (await why_not_ready(till.ledger) or ""):  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.05)


def deposit(till: Till, name: str, transaction_id: str) -> Movement:
    return till.movement(name, "Deposit", "credit", "5", transaction_id=transaction_id)


async def answered(till: Till, movement: Movement) -> Receipt:
    """Ask until somebody knows: a connection to a server that was started again is a lost one."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await till.one(movement)
            except LedgerError:
                await asyncio.sleep(0.05)


async def events_after(till: Till, cursor: Cursor | None) -> list[Told]:
    """Read all that an operator's platform is told after a cursor."""
    events: list[Told] = []
    while True:
        page = await page_after(till.ledger, AGENT, cursor, count_max=7)
        assert page is not None
        events += page.events
        cursor = page.cursor
        if not page.has_more:
            return events


async def no_gap_is_silent(till: Till, told: Sequence[Told], voided: Void) -> None:
    """Whoever was told of what is lost hears so, and then everything that holds, and no more."""
    for event in told:
        cursor = cursor_at(event.number, event.id)
        page = await page_after(till.ledger, AGENT, cursor, count_max=1)
        assert (page is None) == (event.number >= voided.first), event
    (last,) = [event for event in told if event.number == voided.first - 1]
    void, *after = await events_after(till, cursor_at(last.number, last.id))
    assert void.type is LoggedType.EVENTS_VOIDED
    assert void.content == VoidedTold(voided.first, voided.last)
    body = json.loads(event_body(void))
    assert body["user_id"] is None
    assert body["data"] == {"first": voided.first, "last": voided.last}
    # A deliverer of webhooks goes on from before, or from within what is void.
    for reached in (last.number, voided.last):
        fed = await feed(till.ledger, AGENT, reached, range(SHARDS), 1000)
        assert [event.id for event in fed.events] == [event.id for event in (void, *after)]
    lost = {event.number for event in voided.lost}
    again = [event.id for event in told if event.number > last.number and event.number not in lost]
    assert [event.id for event in after[: len(again)]] == again
    # Three were decided since, two of them in the place of what is lost; each is told once.
    every = [event for event in told if event.number <= last.number] + after
    rows = {(event.player_id, event.type, event.id) for event in every}
    assert len(rows) == len(every)
    (row,) = await till.rows("SELECT count(*) FROM movements")
    assert sum(event.type is LoggedType.MOVEMENT_POSTED for event in every) == row[0]
    assert not {event.id for event in told if event.number in lost} & {e.id for e in every}


async def cents(till: Till, name: str) -> int:
    return (await till.pockets(name)).real


async def test_no_id_is_given_to_two_players_and_nothing_is_paid_twice(own: OwnCluster) -> None:
    async with process(own) as served, process(own, serves=False) as people:
        lost, rival = await names_on(own, served, RESTORED, 2)
        stays, local = await names_on(own, served, OTHER, 2)
        for name in (lost, stays, rival, local):
            await served.player(name, "100")
        kept = await copied(own)
        # What it sees as ended is beyond what it gives out after it was put back.
        await own.sql(RESTORED, BUSY)
        # A movement that stays, whose claim is lost; lost ones whose claims are lost, and stay.
        claim_lost, both_lost = await names_on(own, served, RESTORED, 2)
        (claim_stays,) = await names_on(own, served, OTHER)
        for name, transaction_id in (
            (stays, claim_lost),
            (lost, both_lost),
            (lost, claim_stays),
        ):
            receipt = await answered(served, deposit(served, name, transaction_id))
            assert isinstance(receipt, (Posting, Replay))
        told = await events_after(people, None)
        await put_back(own, kept)
        # Not even before anybody has noticed: the claim's home is looked at first.
        with pytest.raises(LedgerError):
            await served.one(deposit(served, local, claim_lost))
        await until_noticed(served)
        for name in (lost, stays):
            with pytest.raises(LedgerRestoredError):
                await served.one(deposit(served, name, f"later-{name}"))
        found = await state(people.ledger)
        assert found.ask_from is not None
        assert found.ask_from < found.timelines[0].noticed_at
        done = await look_and_accept(people.ledger, MIRA, "the disk of a node", DAY)
        assert isinstance(done, Accepted)
        assert done.claims is not None
        assert done.claims.claimed >= 1
        assert claim_lost not in {each.transaction_id for each in done.claims.twice}
        (voided,) = done.voided
        assert len(voided.lost) == 2
        assert voided.again == voided.last - voided.first + 1 - 2
        async with asyncio.timeout(5):
            while await why_not_ready(served.ledger) is not None:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        assert isinstance(await served.one(deposit(served, stays, claim_lost)), Replay)
        for other in (rival, local):
            refused = await served.one(deposit(served, other, claim_lost))
            assert isinstance(refused, Refused)
            assert refused.differs == "userId"
        # What was lost comes again, for its player or for whoever needs the id.
        assert isinstance(await served.one(deposit(served, lost, both_lost)), Posting)
        assert isinstance(await served.one(deposit(served, local, claim_stays)), Posting)
        refused = await served.one(deposit(served, lost, claim_stays))
        assert isinstance(refused, Refused)
        assert refused.differs == "userId"
        assert [await cents(served, n) for n in (lost, stays, rival, local)] == [
            10500,
            10500,
            10000,
            10500,
        ]
        await served.is_sound()
        await no_gap_is_silent(people, told, voided)


async def test_a_node_that_lacks_nothing_but_claims_is_not_served(own: OwnCluster) -> None:
    async with process(own) as served, process(own, serves=False) as people:
        stays, local = await names_on(own, served, OTHER, 2)
        for name in (stays, local):
            await served.player(name)
        kept = await copied(own)
        (claim_lost,) = await names_on(own, served, RESTORED)
        await answered(served, deposit(served, stays, claim_lost))
        await put_back(own, kept)
        with pytest.raises(LedgerError):
            await served.one(deposit(served, local, claim_lost))
        await until_noticed(served)
        assert isinstance(await look_and_accept(people.ledger, MIRA, "its disk", DAY), Accepted)
        refused = await answered(served, deposit(served, local, claim_lost))
        assert isinstance(refused, Refused)
        assert refused.differs == "userId"


async def test_an_id_that_was_given_twice_before_anybody_noticed_is_named(own: OwnCluster) -> None:
    async with process(own, serves=False) as people:
        stays, local = await names_on(own, people, OTHER, 2)
        for name in (stays, local):
            await people.player(name)
        kept = await copied(own)
        claim_lost, also_lost = await names_on(own, people, RESTORED, 2)
        async with process(own) as witness:
            witness.tokens |= people.tokens
            for transaction_id in (claim_lost, also_lost):
                await answered(witness, deposit(witness, stays, transaction_id))
        await put_back(own, kept)
        # Nobody who had answered it is alive, and no event tells of anything that is missing.
        async with process(own) as newcomer:
            receipt = await answered(newcomer, deposit(newcomer, local, claim_lost))
            assert isinstance(receipt, (Posting, Replay))
        assert isinstance(await mark(people.ledger, MIRA, "node 1 was restored"), Marked)
        done = await look_and_accept(people.ledger, MIRA, "nobody had noticed", DAY)
        assert isinstance(done, Accepted)
        assert done.claims is not None
        twice = {each.transaction_id: set(each.user_ids) for each in done.claims.twice}
        assert twice[claim_lost] == {stays, local}
        assert also_lost not in twice


async def test_what_was_lost_long_before_anybody_noticed_is_found_from_the_moment_that_is_named(
    own: OwnCluster,
) -> None:
    async with process(own, serves=False) as people:
        async with process(own, ago=timedelta(hours=1)) as before:
            (stays,) = await names_on(own, before, OTHER)
            await before.player(stays)
            restored_to = datetime.now(UTC) - timedelta(hours=1)
            kept = await copied(own)
            (claim_lost,) = await names_on(own, before, RESTORED)
            await answered(before, deposit(before, stays, claim_lost))
        await put_back(own, kept)
        async with process(own) as served:
            # Both nodes go on for an hour before anybody notices.
            (there,), (local,) = [await names_on(own, served, node) for node in (RESTORED, OTHER)]
            for name in (there, local):
                await served.player(name, "100")
            assert isinstance(await mark(people.ledger, MIRA, "node 1 was restored"), Marked)
            done = await look_and_accept(people.ledger, MIRA, "nobody had noticed", DAY)
            assert isinstance(done, Accepted)
            assert done.claims is not None
            assert done.claims.claimed == 0
            assert isinstance(await mark(people.ledger, MIRA, "an hour ago, they say"), Marked)
            done = await look_and_accept(
                people.ledger, MIRA, "as it says", DAY, restored_to=restored_to
            )
            assert isinstance(done, Accepted)
            assert done.claims is not None
            assert done.claims.claimed >= 1
            refused = await answered(served, deposit(served, local, claim_lost))
            assert isinstance(refused, Refused)
            assert refused.differs == "userId"


async def test_a_node_that_is_away_keeps_nobody_from_marking_and_is_asked_with_the_yes(
    own: OwnCluster, tmp_path: Path
) -> None:
    def wallet_says(*words: str) -> Awaitable[CompletedProcess[str]]:
        url = own.url_for(SERVICE)
        return asyncio.to_thread(wallet, tmp_path, "restored", *words, WALLET_DATABASE_URL=url)

    async with process(own, serves=False) as people:
        here, there = [(await names_on(own, people, node))[0] for node in (RESTORED, OTHER)]
        for name in (here, there):
            await people.player(name, "100")
        node = own.machines[RESTORED]
        await asyncio.to_thread(node.stop_in_order)
        said = await wallet_says("mark", "--reason", "its disk", "--json")
        marked = json.loads(said.stdout)
        shown = str(marked.pop("time_line"))
        assert marked == {"marked": True, "restored_to": None, "not_asked": [str(node.place)]}
        refused = await wallet_says("accept", shown, "--reason", "its disk")
        assert refused.returncode != 0
        assert f"{node.place} does not answer" in refused.stderr
        await asyncio.to_thread(node.start)
        before = await state(people.ledger)
        assert before.is_waiting
        assert before.timelines[0].last_movement_at is None
        done = await look_and_accept(people.ledger, MIRA, "its disk", DAY)
        assert isinstance(done, Accepted)
        found = await state(people.ledger)
        assert not found.is_waiting
        # What was not known with the mark is asked once all nodes are there, and kept with the yes.
        assert found.ask_from == before.ask_from
        assert found.timelines[0].why == "every node has said by now how far it goes"
        assert isinstance(await answered(people, deposit(people, here, f"later-{here}")), Posting)
        assert (await state(people.ledger)).ask_from == before.ask_from


async def test_the_audit_goes_on_to_name_what_was_sealed_and_is_lost(
    own: OwnCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cashier.sealing.GRACE", timedelta(0))
    sealer = Sealer(make_key(tmp_path / "key.pem"), tmp_path / "seals.jsonl")
    async with process(own, serves=False) as people:
        (lost,) = await names_on(own, people, RESTORED)
        await people.player(lost, "100")
        kept = await copied(own)
        await answered(people, deposit(people, lost, f"sealed-{lost}"))
        assert await seal(own.citus.service_url, sealer) is not None
        await put_back(own, kept)
        assert isinstance(await mark(people.ledger, MIRA, "its disk"), Marked)
        assert isinstance(await look_and_accept(people.ledger, MIRA, "its disk", DAY), Accepted)
        for _ in range(2):
            breaches = (await audit(own.citus.service_url)).breaches
            assert "sealed_head_stands" in {breach.invariant for breach in breaches}
            # A seal that is made since changes nothing of it.
            assert await seal(own.citus.service_url, sealer) is not None
