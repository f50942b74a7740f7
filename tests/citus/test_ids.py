"""A transaction id is one player's, though no index sees all buckets."""

import asyncio
from uuid import uuid4

import pytest

from app.ledger.citus.claims import CHALLENGE_OLD, Ask
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerAwayError, LedgerError
from app.wallet.balance import Pockets
from app.wallet.buckets import bucket_of
from app.wallet.movement import Movement
from app.wallet.outcomes import Posting, Refused, Replay
from app.wallet.refusals import Refusal
from tests.cashier.till import Till, meanwhile, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS


@pytest.fixture(params=["owner", "other node"])
def any_till(request: pytest.FixtureRequest, till: Till, far_till: Till) -> Till:
    return till if request.param == "owner" else far_till


def name_in(bucket: int) -> str:
    """Return a name that nobody has had, of this bucket."""
    return next(
        name for _ in range(1000) if bucket_of(name := f"id-{next(numbers)}", BUCKETS) == bucket
    )


def id_at(bucket: int) -> str:
    """Return an id that nobody has used, whose home is this bucket."""
    return name_in(bucket)


async def three(till: Till) -> tuple[str, str, str]:
    """Two players of one bucket, and one of another."""
    anna, bert, carl = name_in(0), name_in(0), name_in(1)
    for name in (anna, bert, carl):
        await till.player(name, "100")
    return anna, bert, carl


def bet(till: Till, name: str, transaction_id: str) -> Movement:
    return till.bet(name, "10", transaction_id=transaction_id, event_id=f"e-{transaction_id}")


async def test_an_id_repeated_by_its_player_another_one_and_another_bucket(any_till: Till) -> None:
    till = any_till
    anna, bert, carl = await three(till)
    for home in range(BUCKETS):
        taken = id_at(home)
        assert isinstance(await till.one(bet(till, anna, taken)), Posting)
        assert isinstance(await till.one(bet(till, anna, taken)), Replay)
        for other in (bert, carl):
            refused = await till.one(bet(till, other, taken))
            assert isinstance(refused, Refused)
            assert refused.refusal is Refusal.MOVEMENT_DIFFERS
            assert refused.differs == "userId"
    assert await till.pockets(anna) == Pockets(6000, 0)
    assert await till.pockets(bert) == await till.pockets(carl) == Pockets(10000, 0)


async def test_a_taken_id_comes_before_every_other_refusal(till: Till) -> None:
    anna, _, carl = await three(till)
    taken = id_at(2)
    await till.one(bet(till, anna, taken))
    unsigned = till.bet(carl, "10", transaction_id=taken, token="not theirs", event_id="e")
    refused = await till.one(unsigned)
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.MOVEMENT_DIFFERS


async def test_one_id_from_everybody_at_once_is_posted_once(till: Till, far_till: Till) -> None:
    names = [name_in(number % BUCKETS) for number in range(8)]
    for name in names:
        await till.player(name, "100")
    for _ in range(6):
        wanted = id_at(next(numbers) % BUCKETS)
        tills = [till, far_till]
        receipts = await asyncio.gather(
            *(tills[n % 2].one(bet(till, name, wanted)) for n, name in enumerate(names)),
            return_exceptions=True,
        )
        posted = [receipt for receipt in receipts if isinstance(receipt, Posting)]
        assert len(posted) == 1, receipts
        for receipt in receipts:
            # Whoever could not find out in time is told so, and asks again.
            assert isinstance(receipt, (Posting, Refused, LedgerError)), receipt
            if isinstance(receipt, Refused):
                assert receipt.differs == "userId"
        (row,) = await till.rows(
            "SELECT count(*) FROM transaction_keys WHERE transaction_id = $1", wanted
        )
        assert row[0] == 1


async def test_ids_of_one_batch_and_of_many_buckets_are_claimed_together(till: Till) -> None:
    names = [name_in(number % BUCKETS) for number in range(8)]
    for name in names:
        await till.player(name, "100")
    bets = [bet(till, name, id_at(n % BUCKETS)) for n, name in enumerate(names) for _ in range(3)]
    assert {type(receipt) for receipt in await till.move(*bets)} == {Posting}


async def test_a_refused_movement_leaves_its_id_to_whoever_comes(till: Till) -> None:
    _, bert, carl = await three(till)
    free = id_at(3)
    unsigned = till.bet(bert, "10", transaction_id=free, token="not theirs", event_id="e")
    assert isinstance(await till.one(unsigned), Refused)
    assert isinstance(await till.one(bet(till, carl, free)), Posting)


async def test_a_claim_without_an_entry_never_answers_that_an_id_is_taken(any_till: Till) -> None:
    till = any_till
    anna, bert, carl = await three(till)
    for home, other in ((0, carl), (1, bert), (2, carl), (3, bert)):
        left = id_at(home)
        await claim(till, bet(till, anna, left))
        assert isinstance(await till.one(bet(till, other, left)), Posting)
        refused = await till.one(bet(till, anna, left))
        assert isinstance(refused, Refused)
        assert refused.differs == "userId"


@pytest.mark.parametrize("moment", ["decided", "claimed"])
@pytest.mark.parametrize("home", range(BUCKETS))
async def test_a_claim_that_is_taken_over_is_worth_nothing_to_its_holder(
    till: Till, citus: Citus, monkeypatch: pytest.MonkeyPatch, home: int, moment: str
) -> None:
    """Anna's batch has its facts, and perhaps its claim, and stands still before it is recorded."""
    anna, _, carl = await three(till)
    wanted = id_at(home)
    mine, theirs = bet(till, anna, wanted), bet(till, carl, wanted)
    told: list[bool] = []

    def theirs_comes_first() -> None:
        if not told:
            told.append(True)
            meanwhile(claim_and_move(citus, till, mine, theirs))

    if moment == "decided":
        (receipt,) = await till.move(mine, has_decided=theirs_comes_first)
    else:
        ledger = till.ledger
        assert isinstance(ledger, PlacedLedger)
        part = ledger.bucket_of(anna)
        send = part._send

        async def late(*arguments: object) -> None:
            theirs_comes_first()
            await send(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(part, "_send", late)
        (receipt,) = await till.move(mine)
    assert told
    assert isinstance(receipt, Refused), "the other came first"
    assert receipt.differs == "userId"
    assert await till.pockets(anna) == Pockets(10000, 0)
    assert await till.pockets(carl) == Pockets(9000, 0)


async def test_a_challenge_that_was_left_is_ended_by_the_holder(till: Till) -> None:
    anna, *_ = await three(till)
    wanted = bet(till, anna, id_at(1))
    await claim(till, wanted)
    await challenge(till, wanted, age=f"2 * interval '{CHALLENGE_OLD}'")
    assert isinstance(await till.one(wanted), Posting)


async def test_a_fresh_challenge_is_waited_for(till: Till) -> None:
    anna, *_ = await three(till)
    wanted = bet(till, anna, id_at(1))
    await claim(till, wanted)
    await challenge(till, wanted, age="interval '0'")
    began = asyncio.get_running_loop().time()
    assert isinstance(await till.one(wanted), Posting)
    assert asyncio.get_running_loop().time() - began > 0.5


async def test_an_id_held_in_a_bucket_that_is_away_is_unknown_not_free(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, _, carl = await three(till)
    left = id_at(2)
    await claim(till, bet(till, anna, left))

    async def away(*_: object) -> None:
        raise LedgerAwayError

    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    monkeypatch.setattr(ledger.bucket_of(anna), "entries_of_id", away)
    with pytest.raises(LedgerAwayError):
        await till.one(bet(till, carl, left))
    monkeypatch.undo()
    assert isinstance(await till.one(bet(till, carl, left)), Posting)


async def claim(till: Till, movement: Movement) -> None:
    """Leave a claim as a process does that is killed before it records."""
    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    ask = Ask(movement.key, movement.user_id, is_wanted=True)
    assert await ledger.home_of(movement.key.transaction_id).claim([ask]) == []


async def challenge(till: Till, movement: Movement, *, age: str) -> None:
    """Leave a challenge of this age."""
    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    await ledger.home_of(movement.key.transaction_id).on_claim(
        "UPDATE transaction_claims SET challenge = $2,"
        f" challenged_at = now() - {age} WHERE transaction_id = $1",
        movement.key.transaction_id,
        uuid4(),
    )


async def claim_and_move(citus: Citus, till: Till, mine: Movement, theirs: Movement) -> None:
    """In another process, while one batch stands still, another player wants its id."""
    ledger = PlacedLedger(citus.service_url, buckets=BUCKETS)
    other = Till(ledger, citus.superuser_url, tokens=till.tokens)
    try:
        # Any look at a player finds out where the buckets are.
        await ledger.placed([mine.user_id])
        home = ledger.home_of(mine.key.transaction_id)
        await home.claim([Ask(mine.key, mine.user_id, is_wanted=True)])
        assert isinstance(await other.one(theirs), Posting)
    finally:
        await ledger.close()
