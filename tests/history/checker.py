"""Checks whether one order of whole movements explains what the callers saw.

An operation is what one caller knows of one call: when it was sent and answered, what it was meant
to move, and the balance it was told. A player's operations are *linearizable* if each can be given
one moment between its sending and its answer, so that, taken in the order of these moments, every
balance told is the one before plus what the movement moved. Only answers are looked at; the
database is not asked.

The search follows Wing and Gong: from what was done so far, try each operation that no unfinished
one precedes. The balance follows from *which* operations are done, so a set already tried is not
tried again. Amounts are whole numbers of the smallest unit.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True)
class Operation:
    name: str
    begin: float
    end: float = math.inf
    """when it was answered; infinite: never"""
    change: int = 0
    """what it moves, negative: out of the wallet; 0 for a question or a refusal"""
    shown: int | None = None
    """the balance told with the answer, after the movement"""
    below: int | None = None
    """a refusal for funds: the balance must have been below this"""

    @property
    def is_answered(self) -> bool:
        return self.end < math.inf

    def fits(self, balance: int) -> bool:
        """Say whether it could have happened at this balance."""
        shown = self.shown is None or balance + self.change == self.shown
        return shown and (self.below is None or balance < self.below)


@dataclass(frozen=True)
class Story:
    """What the search found."""

    order: Sequence[Operation]
    """the operations, in an order that explains them: all, or the longest that could be found"""
    stuck: Sequence[Operation] = ()
    """what would have had to come next, and does not fit; empty if all is explained"""
    balance: int = 0
    """the balance at the end of the order"""

    @property
    def is_explained(self) -> bool:
        return not self.stuck

    @override
    def __str__(self) -> str:
        if self.is_explained:
            return f"{len(self.order)} operations explained, balance {self.balance}"
        tail = ", ".join(_words(one) for one in self.order[-5:])
        stuck = ", ".join(_words(one) for one in self.stuck)
        return (
            f"after {len(self.order)} operations ({tail}) the balance is {self.balance}, "
            f"and none of these fits: {stuck}"
        )


def _words(one: Operation) -> str:
    told = "" if one.shown is None else f" shown {one.shown}"
    below = "" if one.below is None else f" refused below {one.below}"
    return f"{one.name} {one.change:+}{told}{below} [{one.begin:.6f}, {one.end:.6f}]"


def explain(operations: Iterable[Operation], opening: int = 0) -> Story:
    """Find an order of one player's operations that explains every answer.

    An operation that was never answered may have happened at any moment after it was sent, or not
    at all.
    """
    waiting = sorted(operations, key=lambda one: one.begin)
    must = sum(1 << number for number, one in enumerate(waiting) if one.is_answered)
    seen: set[int] = set()
    # Each level of the stack: what is done, the balance, the order, and what is left to try.
    best: tuple[list[int], list[int], int] = ([], [], opening)
    order: list[int] = []
    stack = [(0, opening, _candidates(waiting, 0, opening, 0))]
    while stack:
        done, balance, candidates = stack[-1]
        if done & must == must:
            return Story([waiting[number] for number in order], (), balance)
        if not candidates:
            stack.pop()
            if len(order) >= len(best[0]):
                stuck = _next(waiting, done, _first_open(done))
                best = ([*order], stuck, balance)
            if order:
                order.pop()
            continue
        number = candidates.pop()
        after = done | 1 << number
        if after in seen:
            continue
        seen.add(after)
        order.append(number)
        then = balance + waiting[number].change
        stack.append((after, then, _candidates(waiting, after, then, _first_open(after))))
    found, stuck, balance = best
    return Story(
        [waiting[number] for number in found], [waiting[number] for number in stuck], balance
    )


def _first_open(done: int) -> int:
    """Return the number of the first operation that is not done."""
    return (~done & (done + 1)).bit_length() - 1


def _next(waiting: Sequence[Operation], done: int, first: int) -> list[int]:
    """Return what may come next: sent before anything that is not done was answered."""
    found: list[int] = []
    answered = math.inf
    for number in range(first, len(waiting)):
        one = waiting[number]
        if one.begin > answered:
            break
        if not done >> number & 1:
            found.append(number)
            answered = min(answered, one.end)
    return found


def _candidates(waiting: Sequence[Operation], done: int, balance: int, first: int) -> list[int]:
    """Return what may come next and fits, the likeliest last: what was answered first."""
    fitting = [number for number in _next(waiting, done, first) if waiting[number].fits(balance)]
    return sorted(fitting, key=lambda number: -waiting[number].end)
