"""Money moves by the same laws at the node that owns a bucket, and through one that does not."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.cashier.batching import Batcher
from app.cashier.in_doubt import Delivery, list_unknown_outcomes
from app.cashier.lookups import check_transaction, find_hold
from app.cashier.players import (
    IssuedToken,
    check_session,
    issue_token,
    revoke_tokens,
    token_hash,
)
from app.cashier.policy import PolicyInForce
from app.wallet.balance import Pockets
from app.wallet.outcomes import Declined, Posting, Refused, Replay
from app.wallet.refusals import Refusal
from tests.cashier.till import AGENT, Till, numbers


@pytest.fixture(params=["owner", "other node"])
def any_till(request: pytest.FixtureRequest, till: Till, far_till: Till) -> Till:
    return till if request.param == "owner" else far_till


def somebody() -> str:
    return f"citus-{next(numbers)}"


async def test_a_bet_takes_its_stake_and_a_repeat_takes_nothing(any_till: Till) -> None:
    till = any_till
    anna = await till.player(somebody(), "100", "20")
    bet = till.bet(anna, "105.50", event_id=f"e-{anna}")
    first = await till.one(bet)
    assert isinstance(first, Posting)
    assert first.entry.after == Pockets(0, 1450)
    second = await till.one(bet._replace(delivery=bytes(16)))
    assert isinstance(second, Replay)
    assert second.entry == first.entry
    assert await till.pockets(anna) == Pockets(0, 1450)


async def test_a_whole_round_and_an_abort(any_till: Till) -> None:
    till = any_till
    anna = await till.player(somebody(), "100")
    event = {"event_id": f"e-{anna}"}
    bet = till.bet(anna, "30", **event)
    first = await till.move(
        bet,
        till.movement(anna, "Win", "credit", "50", **event),
        till.bet(anna, "20", **event),
    )
    assert [type(receipt) for receipt in first] == [Posting] * 3
    aborted = f"e-{anna}-aborted"
    await till.one(till.bet(anna, "40", event_id=aborted))
    abort = await till.one(till.movement(anna, "BetPlacingAbort", "credit", "40", event_id=aborted))
    assert isinstance(abort, Posting)
    assert await till.pockets(anna) == Pockets(10000 - 3000 + 5000 - 2000, 0)


async def test_players_of_all_buckets_in_one_call(any_till: Till) -> None:
    till = any_till
    names = await till.players(8, "50")
    receipts = await till.move(*(till.bet(name, "20", event_id=f"e-{name}") for name in names))
    assert [type(receipt) for receipt in receipts] == [Posting] * 8
    assert [await till.pockets(name) for name in names] == [Pockets(3000, 0)] * 8


async def test_a_token_is_renewed_by_the_movement_that_it_came_with(any_till: Till) -> None:
    till = any_till
    anna = await till.player(somebody(), "100")
    issued = await issue_token(till.ledger, anna, timedelta(days=1), is_sliding=True)
    assert isinstance(issued, IssuedToken)
    bet = till.bet(anna, event_id=f"e-{anna}", token=issued.token)
    before = datetime.now(UTC)
    await till.rows_of(
        anna,
        "UPDATE sessions SET expires_at = $2 WHERE token_hash = $1",
        token_hash(issued.token),
        before + timedelta(hours=22),
    )
    assert isinstance(await till.one(bet), Posting)
    (row,) = await till.rows_of(
        anna, "SELECT expires_at FROM sessions WHERE token_hash = $1", token_hash(issued.token)
    )
    life = row["expires_at"] - before
    assert abs(life - timedelta(days=1)) < timedelta(minutes=1), "to the moment, and in UTC"


async def test_a_bet_without_money_is_declined_for_ever(any_till: Till) -> None:
    till = any_till
    anna = await till.player(somebody(), "10")
    bet = till.bet(anna, "20", event_id=f"e-{anna}")
    first = await till.one(bet)
    assert isinstance(first, Declined)
    assert first.refusal is Refusal.INSUFFICIENT_FUNDS
    await till.move(till.movement(anna, "Deposit", "credit", "100"))
    again = await till.one(bet._replace(delivery=bytes(16)))
    assert isinstance(again, Replay)
    assert again.entry.refusal is Refusal.INSUFFICIENT_FUNDS


async def test_refusals_are_logged_beside_their_player(any_till: Till) -> None:
    till = any_till
    anna = await till.player(somebody(), "10")
    unsigned = till.bet(anna, "1", token="not theirs", event_id=f"e-{anna}")
    receipt = await till.one(unsigned)
    assert isinstance(receipt, Refused)
    (row,) = await till.rows(
        "SELECT refusal FROM refusals WHERE transaction_id = $1", unsigned.key.transaction_id
    )
    assert row["refusal"] == receipt.refusal.name


async def test_a_session_is_found_and_revoked(any_till: Till) -> None:
    till = any_till
    anna = await till.player(somebody(), "10")
    token = token_hash(till.tokens[anna])
    assert not isinstance(await check_session(till.ledger, anna, token), Refusal)
    await revoke_tokens(till.ledger, anna, token)
    assert await check_session(till.ledger, anna, token) is Refusal.TOKEN_EXPIRED


async def test_an_id_is_looked_up_without_its_player(any_till: Till) -> None:
    till = any_till
    anna = await till.player(somebody())
    deposit = till.movement(anna, "Deposit", "credit", "10")
    assert await check_transaction(till.ledger, AGENT, deposit.key.transaction_id) is None
    await till.one(deposit)
    known = await check_transaction(till.ledger, AGENT, deposit.key.transaction_id)
    assert known is not None
    assert known.user_id == anna
    assert await find_hold(till.ledger, AGENT, deposit.key.transaction_id) is None


async def test_unknown_outcomes_are_listed_in_their_buckets(any_till: Till) -> None:
    till = any_till
    names = await till.players(6)
    deposits = [till.movement(name, "Deposit", "credit", "10") for name in names]
    await till.move(*deposits)
    await list_unknown_outcomes(
        till.ledger, [Delivery(m.key, m.delivery, m.user_id) for m in deposits]
    )
    listed = await till.rows(
        "SELECT user_id FROM unanswered JOIN players USING (player_id)"
        " WHERE user_id = ANY($1) AND came_back_at IS NULL",
        names,
    )
    assert sorted(row["user_id"] for row in listed) == sorted(names)
    await till.move(*(deposit._replace(delivery=bytes(16)) for deposit in deposits))
    assert [
        row["came_back_at"] is None
        for row in await till.rows(
            "SELECT came_back_at FROM unanswered JOIN players USING (player_id)"
            " WHERE user_id = ANY($1)",
            names,
        )
    ] == [False] * 6


async def test_batches_of_many_callers_keep_every_cent(any_till: Till) -> None:
    till = any_till
    names = await till.players(16, "100")
    batcher = Batcher(till.ledger, PolicyInForce(till.policy), lanes=4, take_turns=True)
    bets = [till.bet(name, "1", event_id=f"e-{name}") for name in names for _ in range(5)]
    receipts = await asyncio.gather(
        *(batcher.move(bet, deadline=timedelta(seconds=10)) for bet in bets)
    )
    await batcher.close()
    assert {type(receipt) for receipt in receipts} == {Posting}
    assert [await till.pockets(name) for name in names] == [Pockets(9500, 0)] * 16
    await till.is_sound()
