"""What was answered is found again: by our ids, by Betby's, by the slip's, and to the byte."""

import json
from collections.abc import Iterator

import pytest

from app.cashier.disputes import Answer, answers_told, gather
from app.cashier.staff_lookups import look_up_our_id, look_up_transaction
from app.composition.past import past_of_all
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.transaction import Ledger
from app.wallet.events import EventType
from tests.edges.betby.bookmaker import Bookmaker, Told, making, refunding, rolling_back, winning


@pytest.fixture
def ledger(betby: Bookmaker) -> Iterator[Ledger]:
    ledger = PlacedLedger(betby.house.database.service_url, pool_size=1)
    yield ledger
    betby.house.run(ledger.close())


def named(betby: Bookmaker, ledger: Ledger, our_id: str) -> dict[str, list[EventType]]:
    """What an id of ours names: types of movements, by Betby's id."""
    found = betby.house.run(look_up_our_id(ledger, our_id))
    return {
        transaction_id: [each.owned.entry.event_type for each in details.movements]
        for transaction_id, details in found.items()
    }


def test_an_operation_is_found_by_our_id_and_by_betbys(betby: Bookmaker, ledger: Ledger) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    win = betby.win(bet, 500)
    for told, kind in ((bet, EventType.BETBY_MAKE), (win, EventType.BETBY_WIN)):
        theirs = told.said["ext_transaction_id"]
        assert named(betby, ledger, told.id) == {theirs: [kind]}
        (movement,) = betby.house.run(look_up_transaction(ledger, theirs)).movements
        assert movement.owned.entry.event_type is kind


def test_our_ids_name_operations_of_betbys_alone(betby: Bookmaker, ledger: Ledger) -> None:
    seat = betby.seat()
    player_id, _, position = betby.make(seat).id.partition("-")
    # The deposit before it was not Betby's.
    assert named(betby, ledger, f"{player_id}-{int(position) - 1}") == {}
    for text in ("0-1", "1-0", "999999-1", "17", "17-", "-1", "a-b", "1-1-1", "1" * 20 + "-1"):
        assert named(betby, ledger, text) == {}


def answers(betby: Bookmaker, ledger: Ledger, transaction_id: str) -> list[Answer]:
    dispute = betby.house.run(gather(ledger, transaction_id, 1))
    return answers_told(dispute, past_of_all())


def told_again(betby: Bookmaker, ledger: Ledger, told: Told, transaction_id: str) -> None:
    """A dispute must know the answer to the byte."""
    (answer,) = answers(betby, ledger, transaction_id)
    assert answer.told is not None
    assert answer.told.code == told.code
    assert answer.told.body is not None
    assert json.loads(answer.told.body) == told.said


def test_a_dispute_knows_each_answer_as_it_was_sent(betby: Bookmaker, ledger: Ledger) -> None:
    """Also of calls that do not name their player."""
    seat = betby.seat()
    make = making(seat)
    bet = betby.call("make", make)
    win, lost = winning(bet.id, 500), winning(bet.id, 0)
    told = [("make", make, bet), ("win", win, betby.call("win", win))]
    told.append(("lost", lost, betby.call("lost", lost)))
    rollback = rolling_back(bet.id, told[1][2].id)
    told.append(("rollback", rollback, betby.call("rollback", rollback)))
    refund = refunding(bet.id)
    told.append(("refund", refund, betby.call("refund", refund)))
    for _, payload, answer in told:
        told_again(betby, ledger, answer, payload["transaction"]["id"])


def test_a_dispute_knows_that_a_discard_was_answered_with_nothing(
    betby: Bookmaker, ledger: Ledger
) -> None:
    seat = betby.seat()
    make, never = making(seat), making(seat)
    betby.call("make", make)
    for payload in (make, never):
        transaction_id = payload["transaction"]["id"]
        told = betby.discard(seat, transaction_id)
        assert told == Told(200, {})
        last = answers(betby, ledger, transaction_id)[-1].told
        assert last is not None
        assert (last.code, last.body) == (0, "{}")
