"""Any chain of settlements and rollbacks keeps the laws, and a discard never meets a kept stake."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from tests.edges.betby.bookmaker import Bookmaker, Told, making


class Book:
    """Betby's own view of one bet: what stands, by its own rules.

    An operation stands unless a rollback that stands names it.
    """

    def __init__(self) -> None:
        self.operations: list[tuple[str, int, int | None]] = []
        """what, amount, and which operation a rollback names"""

    def stands(self, number: int) -> bool:
        return not any(
            parent == number and self.stands(later)
            for later, (_, _, parent) in enumerate(self.operations)
        )

    def is_given_back(self) -> bool:
        return any(
            what == "refund" and self.stands(number)
            for number, (what, _, _) in enumerate(self.operations)
        )

    def gained(self, stake: int) -> int:
        paid = sum(
            amount
            for number, (what, amount, _) in enumerate(self.operations)
            if what == "win" and self.stands(number)
        )
        return paid - (0 if self.is_given_back() else stake)


@pytest.mark.parametrize("seed", range(40))
def test_any_chain_of_up_to_eight_steps_moves_what_stands(betby: Bookmaker, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a seed, so that a failure can be seen again
    house, seat = betby.house, betby.seat("20.00")
    stake = chance.choice([100, 1000, 2000])
    bet = betby.make(seat, stake)
    if chance.random() < 0.5:
        betby.make(seat, chance.choice([1, 500]))
    before = int(betby.balance(seat).replace(".", "")) + stake
    book, told = Book(), list[Told]()
    for step in range(8):
        if chance.random() < 0.3:
            event_id = f"event-{seed}-{step}"
            house.deposit(seat, "1.00")
            before += 100
            if house.move(seat, "BetPlacing", "1.00", eventId=event_id).code == 0:
                before -= 100
            if house.move(seat, "Win", "0.50", eventId=event_id).code == 0:
                before += 50
        what = chance.choice(["win", "lost", "refund", "rollback", "rollback", "rollback"])
        answer = None
        if what == "rollback" and told:
            number = chance.randrange(len(told))
            answer = betby.rollback(bet, told[number])
            if answer.id not in [each.id for each in told]:
                assert book.stands(number)
                book.operations.append(("rollback", 0, number))
                told.append(answer)
        elif what == "refund":
            answer = betby.refund(bet)
            if not book.is_given_back():
                book.operations.append(("refund", 0, None))
                told.append(answer)
        elif what in {"win", "lost"}:
            amount = chance.choice([100, 5000]) if what == "win" else 0
            answer = betby.win(bet, amount) if what == "win" else betby.lost(bet)
            if book.is_given_back():
                assert answer.code == 2003
                continue
            book.operations.append((what, amount, None))
            told.append(answer)
        assert answer is None or answer.status == 200
        now = int(betby.balance(seat).replace(".", ""))
        assert now == before + book.gained(stake), (seed, book.operations)


def test_a_win_stays_undone_until_every_rollback_that_undoes_it_is_undone(
    betby: Bookmaker,
) -> None:
    """Eight steps, of which the last undoes a rollback beside the one that undoes the win."""
    seat = betby.seat()
    bet = betby.make(seat)
    told = [betby.win(bet, 500)]
    for parent in (0, 1, 2, 1, 0):
        told.append(betby.rollback(bet, told[parent]))
    assert told[-1].balance == 9000
    # It has no effect, and hears how the win was undone last.
    assert betby.rollback(bet, told[3]) == told[-1]
    assert betby.balance(seat) == "90.00"
    assert betby.rollback(bet, told[-1]).balance == 9500


def test_the_laws_hold_after_all_of_them(betby: Bookmaker) -> None:
    assert betby.audit() == []


@pytest.mark.parametrize("_attempt", range(25))
def test_of_a_discard_and_its_bet_at_once_one_finds_the_other(
    betby: Bookmaker, _attempt: int
) -> None:
    seat = betby.seat()
    payload = making(seat)
    transaction_id = payload["transaction"]["id"]
    with ThreadPoolExecutor(4) as at_once:
        makes = [at_once.submit(betby.call, "make", payload) for _ in range(2)]
        discards = [at_once.submit(betby.discard, seat, transaction_id) for _ in range(2)]
        told = [each.result() for each in (*makes, *discards)]
    assert [each.status for each in told[2:]] == [200, 200]
    assert betby.balance(seat) == "100.00"
    assert betby.call("make", payload).status in {200, 400}
    assert betby.balance(seat) == "100.00"


def test_two_refunds_at_once_give_back_once(betby: Bookmaker) -> None:
    seat = betby.seat()
    bet = betby.make(seat)
    with ThreadPoolExecutor(4) as at_once:
        told = [each.result() for each in [at_once.submit(betby.refund, bet) for _ in range(4)]]
    assert {each.status for each in told} == {200}
    assert len({each.id for each in told}) == 1
    assert betby.balance(seat) == "100.00"
