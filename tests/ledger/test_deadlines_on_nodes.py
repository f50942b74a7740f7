"""One deadline for all that is done where each bucket is reached as if on a node of its own."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import quote

import pytest
from typing_extensions import override

from app.cashier.one_time import OneTimeRequest, run_once
from app.database_url import connect_arguments
from app.ledger.citus import Place
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.citus.making import CLAIM, CLAIMS
from app.ledger.errors import DeadlineError
from app.ledger.money.book import Book
from app.ledger.request_ids import RequestKey, claimed_by
from app.postgres.cluster import SERVICE
from app.wallet.buckets import bucket_of, schema_of
from tests.cashier.till import connect
from tests.conftest import Database
from tests.ledger.conftest import COUNT

pytestmark = pytest.mark.one_bucket("it makes its own buckets")

AGENT, ONCE, ANNA = "house", "once-1", "anna"

HURRY = timedelta(seconds=0.5)
"""A quarter of what forty attempts take on average."""


STEP = timedelta(seconds=1)


class OneServerForAll(PlacedLedger):
    """A process that takes the one server for the node of every bucket."""

    @override
    async def _find_places(self) -> Mapping[int, Place]:
        where = connect_arguments(self._url)
        # A socket's folder, as an address names it.
        place = Place(quote(where["host"][0], safe=""), where["port"][0])
        return dict.fromkeys(range(COUNT), place)


@pytest.fixture
async def claimed(four: Database) -> Database:
    """The four buckets with what nodes have besides, and an id that somebody has challenged."""
    owner = await connect(four.superuser_url)
    for bucket in range(COUNT):
        schema = schema_of(bucket, COUNT)
        await owner.execute(CLAIMS.format(schema=schema))
        await owner.execute(f"GRANT ALL ON {schema}.transaction_claims TO {SERVICE}")
    await owner.execute(CLAIM)
    home = schema_of(bucket_of(ONCE, COUNT), COUNT)
    # Its maker's clock is ahead, so that nobody takes it for one that was left.
    await owner.execute(
        f"INSERT INTO {home}.transaction_claims"
        " VALUES ($1, $2, '', $3, now(), gen_random_uuid(), now() + interval '1 hour')",
        ONCE,
        claimed_by(AGENT),
        ANNA,
    )
    await owner.close()
    return four


@pytest.mark.parametrize("road", ["optimistic", "serializable", "read_only"])
async def test_work_at_a_node_and_the_look_before_it_have_one_deadline(
    claimed: Database, road: str
) -> None:
    """Alone each of them would end in time."""
    ledger = OneServerForAll(claimed.service_url, buckets=COUNT, deadline=3 * STEP / 2, serves=True)
    await ledger.verify_timeline()
    is_held = asyncio.Event()

    async def hold() -> None:
        connection = await connect(claimed.superuser_url)
        await connection.execute("BEGIN; LOCK TABLE ledger_timelines")
        is_held.set()
        await asyncio.sleep(STEP.total_seconds())
        await connection.close()

    async def work(_book: Book) -> None:
        await asyncio.sleep(STEP.total_seconds())

    holding = asyncio.create_task(hold())
    await is_held.wait()
    ledger.timeline.doubt()
    with pytest.raises(DeadlineError):
        await getattr(ledger, road)(work, of=ANNA)
    await holding
    await ledger.close()


async def test_a_request_whose_id_stays_contested_is_given_up_at_the_deadline(
    claimed: Database,
) -> None:
    ledger = OneServerForAll(claimed.service_url, buckets=COUNT, deadline=HURRY)
    key = RequestKey(AGENT, ONCE, "account/session", bytes(32), bytes(16))
    request: OneTimeRequest[None] = OneTimeRequest(key, lambda _: "sealed")
    attempts = 0

    async def work(_book: Book) -> None:
        nonlocal attempts
        attempts += 1

    # What is connected at first takes longer than an attempt.
    for _ in range(2):
        attempts = 0
        with pytest.raises(DeadlineError):
            await run_once(ledger, work, request, of=ANNA)
    assert attempts > 1
    await ledger.close()
