"""A request's one-time id is one request's, though no index sees all buckets."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from app.cashier.one_time import (
    OneTimeRequest,
    RepeatedRequestError,
    RequestIdTakenError,
    check_free,
    forget_old_answers,
)
from app.cashier.players import IssuedToken, issue_token
from app.ledger.citus.claims import Ask
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerError
from app.ledger.request_ids import RequestKey, claimed_by
from app.wallet.buckets import bucket_of
from app.wallet.movement import Key
from app.wallet.refusals import Refusal
from tests.cashier.till import Till, meanwhile, numbers
from tests.citus.cluster import Citus
from tests.citus.conftest import BUCKETS
from tests.edges.transfer import test_one_time as contract
from tests.edges.transfer.bank import Bank, unique

# --- over HTTP, what is said of one PostgreSQL ------------------------------------------------


test_a_repeat_hears_the_first_answer = (
    contract.test_a_repeat_however_encrypted_hears_the_first_answer_and_changes_nothing
)
test_two_at_once = contract.test_two_at_once_under_one_id_have_one_effect_and_the_same_answer
test_after_a_day = contract.test_after_a_day_a_repeat_is_refused_and_changes_nothing
test_kept_answers_are_cleared = contract.test_kept_answers_are_cleared_after_their_day_and_ids_stay
test_each_agent = contract.test_each_agent_has_ids_of_its_own
test_a_moment_that_has_passed = (
    contract.test_a_moment_that_has_passed_meanwhile_is_no_matter_to_a_repeat
)
test_code_9 = contract.test_code_9_takes_the_id_and_each_repeat_is_traced


def test_an_id_with_other_content_is_refused_for_players_of_every_bucket(bank: Bank) -> None:
    user_id, jti = bank.player(), unique("citus-j")
    assert bank.ask("account/session", user_id=user_id, jti=jti, ttl_seconds=60).code == 0
    others = [bank.player() for _ in range(2 * BUCKETS)]
    assert len({bucket_of(other, BUCKETS) for other in others}) > 1
    asked: list[tuple[str, Mapping[str, object]]] = [
        *(("account/session", {"user_id": other, "ttl_seconds": 60}) for other in others),
        ("account/session", {"user_id": user_id, "ttl_seconds": 61}),
        ("account/session", {"user_id": unique("citus-nobody"), "ttl_seconds": 60}),
        ("account/update", {"user_id": others[0], "status": "gone"}),
    ]
    for operation, fields in asked:
        reply = bank.ask(operation, jti=jti, **fields)
        assert (reply.code, reply.data["field"]) == (100, "jti"), fields
    assert sum(contract.changes(bank, other) for other in others) == 0


# --- at the ledger, at the owner and through another node -------------------------------------


@pytest.fixture(params=["owner", "other node"])
def any_till(request: pytest.FixtureRequest, till: Till, far_till: Till) -> Till:
    return till if request.param == "owner" else far_till


def name_in(bucket: int) -> str:
    return next(
        name for _ in range(1000) if bucket_of(name := f"once-{next(numbers)}", BUCKETS) == bucket
    )


def key_of(request_id: str, user_id: str) -> RequestKey:
    """Another player's request under the same id has another content."""
    content = user_id.encode().ljust(32, b".")[:32]
    return RequestKey("house", request_id, "account/session", content, secrets.token_bytes(16))


def seal(outcome: IssuedToken | Refusal) -> str | None:
    return None if isinstance(outcome, Refusal) else f"sealed {outcome.token}"


async def ask(till: Till, user_id: str, request_id: str) -> str:
    """Ask for a token under an id; the answer, or that the id is taken."""
    request = OneTimeRequest(key_of(request_id, user_id), seal)
    try:
        issued = await issue_token(till.ledger, user_id, timedelta(hours=1), request=request)
    except RepeatedRequestError as repeated:
        return repeated.answer
    except RequestIdTakenError:
        return "taken"
    assert isinstance(issued, IssuedToken)
    return f"sealed {issued.token}"


async def tokens(till: Till, user_id: str) -> int:
    """How many tokens a player has, besides that of the till."""
    (row,) = await till.rows(
        "SELECT count(*) - 1 FROM sessions JOIN players USING (player_id) WHERE user_id = $1",
        user_id,
    )
    return int(row[0])


async def leave_claim(till: Till, request_id: str, user_id: str) -> None:
    """Leave a claim as a process does that is killed before its request takes effect."""
    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    wanted = Ask(Key(claimed_by("house"), request_id, ""), user_id, is_wanted=True)
    assert await ledger.home_of(request_id).claim([wanted]) == []


async def test_an_id_is_one_players_wherever_the_other_is(any_till: Till) -> None:
    till = any_till
    anna, bert, carl = name_in(0), name_in(0), name_in(1)
    for name in (anna, bert, carl):
        await till.player(name)
    for home in range(BUCKETS):
        taken = name_in(home)
        first = await ask(till, anna, taken)
        assert first.startswith("sealed")
        assert await ask(till, anna, taken) == first
        assert await ask(till, bert, taken) == await ask(till, carl, taken) == "taken"
    assert await tokens(till, anna) == BUCKETS
    assert await tokens(till, bert) == await tokens(till, carl) == 0


async def test_one_id_from_everybody_at_once_takes_effect_once(till: Till, far_till: Till) -> None:
    names = [name_in(number % BUCKETS) for number in range(8)]
    for name in names:
        await till.player(name)
    for effects in range(1, 7):
        wanted = name_in(next(numbers) % BUCKETS)
        answers = await asyncio.gather(
            *(ask((till, far_till)[n % 2], name, wanted) for n, name in enumerate(names * 2)),
            return_exceptions=True,
        )
        for answer in answers:
            # Whoever could not find out in time is told so, and asks again.
            assert isinstance(answer, (str, LedgerError)), answer
        told = {a for a in answers if isinstance(a, str) and a.startswith("sealed")}
        assert len(told) == 1, answers
        assert sum([await tokens(till, name) for name in names]) == effects


async def test_a_claim_that_was_left_hinders_neither_its_player_nor_another(
    any_till: Till,
) -> None:
    till = any_till
    anna, bert, carl = name_in(0), name_in(0), name_in(1)
    for name in (anna, bert, carl):
        await till.player(name)
    for home, other in ((0, carl), (1, bert), (2, carl), (3, bert)):
        mine, theirs = name_in(home), name_in(home)
        for left in (mine, theirs):
            await leave_claim(till, left, anna)
            await check_free(till.ledger, key_of(left, anna))
        assert (await ask(till, anna, mine)).startswith("sealed")
        assert (await ask(till, other, theirs)).startswith("sealed")
        assert await ask(till, anna, theirs) == "taken"


async def test_a_request_whose_claim_is_taken_over_meanwhile_has_no_effect(
    till: Till, citus: Citus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anna's request has claimed its id, and stands still before its row is written."""
    anna, carl, wanted = name_in(0), name_in(1), name_in(2)
    for name in (anna, carl):
        await till.player(name)
    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    await ledger.placed([anna])
    home = ledger.home_of(wanted)
    claim, told = home.claim, list[str]()

    async def stands_still(asks: list[Ask]) -> object:
        done = await claim(asks)
        if not told:
            told.append("")
            meanwhile(theirs_comes_first())
        return done

    async def theirs_comes_first() -> None:
        told[0] = await in_another_process(citus, till, carl, wanted)

    monkeypatch.setattr(home, "claim", stands_still)
    assert await ask(till, anna, wanted) == "taken"
    assert told[0].startswith("sealed")
    assert (await tokens(till, anna), await tokens(till, carl)) == (0, 1)


async def in_another_process(citus: Citus, till: Till, user_id: str, request_id: str) -> str:
    ledger = PlacedLedger(citus.service_url, buckets=BUCKETS)
    try:
        return await ask(Till(ledger, citus.superuser_url, tokens=till.tokens), user_id, request_id)
    finally:
        await ledger.close()


async def test_a_refusal_leaves_the_id_and_claims_nothing(till: Till) -> None:
    carl, free = await till.player(name_in(1)), name_in(3)
    request = OneTimeRequest(key_of(free, "nobody"), seal)
    refused = await issue_token(till.ledger, name_in(2), timedelta(hours=1), request=request)
    assert refused is Refusal.PLAYER_UNKNOWN
    ledger = till.ledger
    assert isinstance(ledger, PlacedLedger)
    assert await ledger.holder_of(claimed_by("house"), free) == free, "nobody"
    assert (await ask(till, carl, free)).startswith("sealed")


async def test_old_answers_are_cleared_in_every_bucket(citus: Citus, till: Till) -> None:
    ids = {}
    for bucket in range(BUCKETS):
        name = await till.player(name_in(bucket))
        ids[name] = name_in(bucket)
        await ask(till, name, ids[name])
    await later(citus, till, forget_old_answers)
    rows = await till.rows(
        "SELECT answer FROM request_ids WHERE request_id = ANY($1)", [*ids.values()]
    )
    assert [row[0] for row in rows] == [None] * BUCKETS


async def later(citus: Citus, till: Till, work: Callable[..., object]) -> None:
    """Do this on a ledger whose clock is two days ahead."""
    (row,) = await till.rows("SELECT now() + interval '2 days'")
    ledger = PlacedLedger(citus.service_url, buckets=BUCKETS, clock=lambda: row[0])
    try:
        done = work(ledger)
        assert asyncio.iscoroutine(done)
        await done
    finally:
        await ledger.close()
