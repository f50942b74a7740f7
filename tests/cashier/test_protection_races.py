"""Limits and holds in a race: two processes, each with its own facts, on the same player."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from app.cashier.account_changes import AccountChange, update_account
from app.cashier.audit import audit
from app.cashier.batching import Batcher
from app.cashier.policy import PolicyInForce
from app.ledger.accounts import ChangeNote
from app.wallet.holds import HoldKey
from app.wallet.limit_terms import RaiseRules
from app.wallet.movement import Movement
from app.wallet.outcomes import Declined, Posting, Receipt, Refused
from app.wallet.refusals import Refusal
from tests.cashier.till import AGENT, Till
from tests.conftest import Database

ROUNDS = 6
PATIENCE = timedelta(seconds=20)


@pytest.fixture
async def both(till: Till, other_till: Till) -> AsyncIterator[list[Batcher]]:
    batchers = [Batcher(each.ledger, PolicyInForce(each.policy)) for each in (till, other_till)]
    yield batchers
    for batcher in batchers:
        await batcher.close()


async def race(both: Sequence[Batcher], movements: Sequence[Movement]) -> list[Receipt]:
    """Send every other movement to the other process, all at once."""
    return await asyncio.gather(
        *(
            both[number % 2].move(movement, deadline=PATIENCE)
            for number, movement in enumerate(movements)
        )
    )


def outcomes(receipts: Sequence[Receipt]) -> Counter[Refusal | None]:
    """Count what was decided; None: accepted."""
    assert all(isinstance(receipt, (Posting, Declined, Refused)) for receipt in receipts)
    return Counter(getattr(receipt, "refusal", None) for receipt in receipts)


async def limit(till: Till, user_id: str, **limits: str) -> None:
    note = ChangeNote(AGENT, "account/update", "{}", bytes(16), datetime.now(UTC))
    change = AccountChange(limits={name.replace("__", ":"): text for name, text in limits.items()})
    after = await update_account(till.ledger, user_id, change, raises=RaiseRules(), note=note)
    assert not isinstance(after, Refusal)


async def test_twelve_deposits_at_the_edge_of_a_limit(
    till: Till, both: list[Batcher], db: Database
) -> None:
    for user_id in await till.players(ROUNDS):
        await limit(till, user_id, deposit_day="55")
        deposits = [till.movement(user_id, "Deposit", "credit", "10") for _ in range(12)]
        told = outcomes(await race(both, deposits))
        assert told == {None: 5, Refusal.DEPOSIT_LIMIT: 7}
        assert await till.pockets(user_id) == (5000, 0)
    assert (await audit(db.service_url)).breaches == []


async def test_twelve_bets_at_the_edge_of_a_products_limit(
    till: Till, both: list[Batcher], db: Database
) -> None:
    for user_id in await till.players(ROUNDS, "500"):
        await limit(till, user_id, stake_week__casino="55", loss_day__live="95")
        bets = [till.bet(user_id, event_id=f"e{number}") for number in range(12)]
        assert outcomes(await race(both, bets)) == {None: 5, Refusal.LIMIT_EXCEEDED: 7}
    assert (await audit(db.service_url)).breaches == []


async def test_a_first_limit_and_deposits_that_are_under_way(
    till: Till, both: list[Batcher], db: Database
) -> None:
    """What is accepted before the limit is set counts in it, and what comes after is held to it."""
    for user_id in await till.players(ROUNDS):
        deposits = [till.movement(user_id, "Deposit", "credit", "10") for _ in range(12)]
        receipts, _ = await asyncio.gather(
            race(both, deposits), limit(till, user_id, deposit_day="30")
        )
        accepted = outcomes(receipts)[None]
        assert await till.pockets(user_id) == (1000 * accepted, 0)
        last = await till.one(till.movement(user_id, "Deposit", "credit", "30.01"))
        assert isinstance(last, Declined)
    assert (await audit(db.service_url)).breaches == []


async def test_a_hold_and_bets_for_the_same_money(
    till: Till, both: list[Batcher], db: Database
) -> None:
    for user_id in await till.players(ROUNDS, "100"):
        bets = [till.bet(user_id, "20", event_id=f"e{number}") for number in range(6)]
        holds = [till.movement(user_id, "WithdrawalHold", "debit", "60") for _ in range(2)]
        receipts = await race(both, [holds[0], *bets, holds[1]])
        taken = sum(r.entry.amount for r in receipts if isinstance(r, Posting))
        refused = {type(r).__name__ for r in receipts} | set(outcomes(receipts))
        assert refused <= {"Posting", "Declined", None, Refusal.INSUFFICIENT_FUNDS}
        assert await till.pockets(user_id) == (10000 - taken, 0)
        assert taken in {8000, 10000}, "what was refused would not have fitted"
    assert (await audit(db.service_url)).breaches == []


async def test_settle_and_release_of_one_hold_eight_times_each(
    till: Till, both: list[Batcher], db: Database
) -> None:
    for user_id in await till.players(ROUNDS, "100"):
        hold = till.movement(user_id, "WithdrawalHold", "debit", "100")
        await till.one(hold)
        key = HoldKey(*hold.key[:2])
        closing = [
            till.movement(user_id, *how, "100")._replace(hold=key)
            for how in (("WithdrawalSettle", "debit"), ("WithdrawalRelease", "credit")) * 8
        ]
        # Each process has both kinds.
        closing = [*closing[:8], *reversed(closing[8:])]
        receipts = await race(both, closing)
        assert outcomes(receipts) == {None: 1, Refusal.HOLD_CLOSED: 15}
        (won,) = (r.entry for r in receipts if isinstance(r, Posting))
        is_back = won.event_type.value == "WithdrawalRelease"
        assert await till.pockets(user_id) == (10000 * is_back, 0)
    assert (await audit(db.service_url)).breaches == []
