"""Holds and the protection of players, by the same tests as on one PostgreSQL."""

import asyncio

import pytest

from app.cashier.lookups import find_hold
from app.wallet.buckets import bucket_of
from app.wallet.holds import HoldKey
from app.wallet.outcomes import Posting, Refused
from app.wallet.refusals import Refusal
from tests.cashier.till import AGENT, Till
from tests.citus.conftest import BUCKETS
from tests.edges.transfer import test_protection as contract
from tests.edges.transfer.bank import Bank, unique

for name, value in vars(contract).items():
    if name.startswith("test_"):
        globals()[f"{name}_on_nodes"] = value


def id_at(bucket: int) -> str:
    """Return an id whose home is this bucket."""
    return next(text for _ in range(1000) if bucket_of(text := unique("h"), BUCKETS) == bucket)


@pytest.mark.parametrize("home", range(BUCKETS))
def test_a_hold_is_found_by_its_id_alone_whichever_bucket_its_player_is_in(
    bank: Bank, home: int
) -> None:
    for operation in ("hold/settle", "hold/release"):
        user_id, held = bank.player("100"), id_at(home)
        assert bank.move("account/hold", user_id, "40", held).code == 0
        done = bank.ask(operation, transaction_id=unique("close"), hold_id=held)
        assert (done.code, done.data["amount"]) == (0, "40.00")
        late = bank.ask(operation, transaction_id=unique("late"), hold_id=held)
        assert (late.code, late.data["reason"]) == (101, "hold_closed")


def test_an_id_is_one_hold_or_one_movement_over_all_buckets(bank: Bank) -> None:
    first = bank.player("100")
    others = [bank.player("100") for _ in range(2 * BUCKETS)]
    held, close = unique("hold"), unique("close")
    assert bank.move("account/hold", first, "10", held).code == 0
    for other in others:
        for operation in ("account/hold", "account/deposit", "account/withdraw"):
            assert bank.move(operation, other, "10", held).code == 100
        assert bank.balance(other) == ("100.00", "0.00")
    assert bank.ask("hold/settle", transaction_id=close, hold_id=held).code == 0
    for other in others:
        theirs = unique("hold")
        assert bank.move("account/hold", other, "10", theirs).code == 0
        assert bank.ask("hold/settle", transaction_id=close, hold_id=theirs).code == 100
        assert bank.ask("hold/release", transaction_id=close, hold_id=theirs).code == 100
        assert bank.balance(other) == ("90.00", "0.00")


def test_a_settlement_under_an_id_of_another_bucket_leaves_the_hold_open(bank: Bank) -> None:
    players = [bank.player("100") for _ in range(BUCKETS)]
    taken, holds = unique("cash"), [unique("hold") for _ in players]
    assert bank.move("account/deposit", players[0], "1", taken).code == 0
    for player, hold in zip(players, holds, strict=True):
        assert bank.move("account/hold", player, "60", hold).code == 0
        assert bank.ask("hold/settle", transaction_id=taken, hold_id=hold).code == 100
        assert bank.ask("hold/release", transaction_id=unique("r"), hold_id=hold).code == 0


@pytest.mark.parametrize("way", ["owner", "other node"])
async def test_a_hold_is_closed_once_and_by_its_player_alone(
    till: Till, far_till: Till, way: str
) -> None:
    this = till if way == "owner" else far_till
    for bucket in range(BUCKETS):
        name = next(n for _ in range(1000) if bucket_of(n := unique("held"), BUCKETS) == bucket)
        other = next(n for _ in range(1000) if bucket_of(n := unique("held"), BUCKETS) != bucket)
        for one in (name, other):
            await this.player(one, "100")
        opened = this.movement(name, "WithdrawalHold", "debit", "60")
        assert isinstance(await this.one(opened), Posting)
        found = await find_hold(this.ledger, AGENT, opened.key.transaction_id)
        assert found is not None
        assert found.user_id == name
        hold = HoldKey(AGENT, opened.key.transaction_id)
        theirs = this.movement(other, "WithdrawalRelease", "credit", "60")._replace(hold=hold)
        refused = await this.one(theirs)
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.HOLD_UNKNOWN
        closings = [
            this.movement(name, event_type, direction, "60")._replace(hold=hold)
            for event_type, direction in (
                ("WithdrawalSettle", "debit"),
                ("WithdrawalRelease", "credit"),
            )
            for _ in range(2)
        ]
        receipts = await asyncio.gather(*map(this.one, closings))
        assert sum(isinstance(receipt, Posting) for receipt in receipts) == 1
        assert {r.refusal for r in receipts if isinstance(r, Refused)} <= {Refusal.HOLD_CLOSED}
        assert (await this.pockets(name)).real in {4000, 10000}
        assert (await this.pockets(other)).real == 10000
