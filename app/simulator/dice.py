"""Seeded random choices: the same seed gives the same choices in every run on every machine."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """The source of every random choice in a script."""

    def __init__(self, *seeds: object) -> None:
        seed = ":".join(map(str, seeds))
        self._random = Random(seed)  # noqa: S311 - a script must be repeatable, not secret

    def chance(self, percent: int) -> bool:
        """Say yes so many times in a hundred."""
        return self._random.randrange(100) < percent

    def between(self, least: int, most: int) -> int:
        """Draw a whole number, both ends included; the least when there is no room."""
        return self._random.randint(least, most) if most > least else least

    def pick(self, choices: Sequence[T]) -> T:
        """Draw one of several."""
        return choices[self._random.randrange(len(choices))]

    def shuffle(self, items: list[T]) -> None:
        """Shuffle in place."""
        self._random.shuffle(items)
