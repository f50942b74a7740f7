"""The checker accepts every valid history, and rejects invalid ones."""

import itertools
import math
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.history.checker import Operation, explain


def op(
    begin: float, end: float, change: int = 0, shown: int | None = None, below: int | None = None
) -> Operation:
    return Operation(f"{begin}-{end}", begin, end, change, shown, below)


TRUE = {
    "nothing": [],
    "one after the other": [op(0, 1, 5, 105), op(2, 3, -5, 100)],
    "at once, answered in the other order": [op(0, 3, -10, 80), op(1, 2, -10, 90)],
    "a question during a movement sees it or not": [
        *(op(0, 9, -10, 90), op(1, 2, 0, 100), op(3, 4, 0, 90)),
    ],
    "a repeat tells no balance of its own": [op(0, 9, -10), op(8, 9, 0, 90)],
    "never answered, and happened": [op(0, math.inf, -10), op(1, 2, 0, 90)],
    "never answered, and did not happen": [op(0, math.inf, -10), op(1, 2, 0, 100)],
    "refused for funds while they were gone": [
        *(op(0, 1, -90, 10), op(2, 3, 0, 10, 20), op(4, 5, 90, 100)),
    ],
    "a bet and its discard at once, which tells no balance": [
        *(op(0, 3, -10, 90), op(1, 4, 10), op(5, 6, 0, 100)),
    ],
    "a rollback after the money is spent goes below zero": [
        *(op(0, 1, -100, 0), op(2, 3, -30, -30), op(4, 5, 0, -30)),
    ],
    "zero movements": [op(0, 1, 0, 100), op(0, 1, 0, 100)],
}

LIES = {
    "a lost update": [op(0, 3, -10, 90), op(1, 2, -10, 90), op(4, 5, 0, 90)],
    "two movements that both saw the same balance": [op(0, 1, -10, 90), op(0, 1, -10, 90)],
    "a movement done twice": [op(0, 1, -10, 90), op(2, 3, 0, 80)],
    "an acknowledged movement that is gone": [op(0, 1, -10, 90), op(2, 3, 0, 100)],
    "a stale answer": [op(0, 1, -10, 90), op(2, 3, 5, 95), op(4, 5, 0, 90)],
    "seen, and not seen any more": [op(0, 9, -10, 90), op(1, 2, 0, 90), op(3, 4, 0, 100)],
    "half a movement": [op(0, 9, -10, 90), op(1, 2, 0, 95)],
    "an effect before its cause": [op(0, 1, 0, 90), op(2, 3, -10, 90)],
    "refused for funds that were there": [op(0, 1, 0, 100, 50)],
    "a money that nobody moved": [op(0, 1, 0, 101)],
    "a stake that is kept after its discard": [
        *(op(0, 1, -10, 90), op(2, 3, 10), op(4, 5, 0, 90)),
    ],
    "a stake that came back twice": [
        *(op(0, 1, -10, 90), op(2, 3, 10, 100), op(2, 4, 0), op(5, 6, 0, 110)),
    ],
    "another order than time allows": [op(0, 1, -10, 80), op(2, 3, -10, 90)],
}


@pytest.mark.parametrize("name", TRUE)
def test_what_can_have_happened_is_explained(name: str) -> None:
    story = explain(TRUE[name], 100)
    assert story.is_explained, story


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_found(name: str) -> None:
    story = explain(LIES[name], 100)
    assert not story.is_explained
    assert "none of these fits" in str(story)


@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(1, 6))
def test_every_true_history_is_explained(seed: int, count: int, width: int) -> None:
    history = happened(Random(seed), count, width)  # noqa: S311 — a simulation
    story = explain(history, 100)
    assert story.is_explained, story
    assert {one for one in history if one.is_answered} <= set(story.order)


@given(st.integers(0, 2**32), st.integers(2, 100))
def test_one_false_balance_among_many_is_found(seed: int, count: int) -> None:
    # One caller at a time: then there is only one order, and no other explanation.
    dice = Random(seed)  # noqa: S311 — a simulation
    history = happened(dice, count, 1)
    history.append(Operation("last", math.nextafter(count, math.inf), 2 * count))
    told = [number for number, one in enumerate(history) if one.shown is not None]
    assume(told)
    number = dice.choice(told)
    one = history[number]
    assert one.shown is not None
    history[number] = Operation(one.name, one.begin, one.end, one.change, one.shown + 1)
    assert not explain(history, 100).is_explained


@given(st.data())
def test_it_agrees_with_trying_every_order(data: st.DataObject) -> None:
    moment = st.integers(0, 6)
    history = []
    for number in range(data.draw(st.integers(1, 5))):
        begin = data.draw(moment)
        lasts = data.draw(st.just(math.inf) | moment)
        end = begin + lasts
        change = data.draw(st.integers(-2, 2))
        shown = data.draw(st.none() | st.integers(97, 103)) if end < math.inf else None
        history.append(Operation(str(number), begin, end, change, shown))
    assert explain(history, 100).is_explained is by_brute_force(history, 100)


def by_brute_force(history: list[Operation], opening: int) -> bool:
    """Try every order of every choice of unanswered operations."""
    answered = [one for one in history if one.is_answered]
    open_ = [one for one in history if not one.is_answered]
    for count in range(len(open_) + 1):
        for happened_too in itertools.combinations(open_, count):
            for order in itertools.permutations([*answered, *happened_too]):
                if in_time(order) and fits(order, opening):
                    return True
    return False


def in_time(order: tuple[Operation, ...]) -> bool:
    return all(not later.end < earlier.begin for earlier, later in itertools.combinations(order, 2))


def fits(order: tuple[Operation, ...], balance: int) -> bool:
    for one in order:
        if not one.fits(balance):
            return False
        balance += one.change
    return True


def happened(dice: Random, count: int, width: int) -> list[Operation]:
    """Make a history that really happened: at most so many calls at once, some never answered."""
    balance = 100
    history = []
    for number in range(count):
        at = number + 0.5
        begin, end = at - dice.random() * width / 2, at + dice.random() * width / 2
        change = dice.choice((0, 0, 1, 5, -3))
        balance += change
        shown = balance if dice.random() < 0.8 else None
        if width > 1 and dice.random() < 0.02:
            end, shown = math.inf, None
        below = balance + 1 if change == 0 and dice.random() < 0.1 else None
        history.append(Operation(str(number), begin, end, change, shown, below))
    return history
