"""Limits that few players have: of deposits, and of one product's stakes and losses.

Their counters are rows of their own, which only a player with such a limit
has, so an ordinary movement neither reads nor writes them. A counter begins with what the journal
says of the windows that are running when its limit is set.

A game that nobody has named could belong to any product. Its stakes and losses are counted apart
and are added to those of every product; its winnings lower no product's loss.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from app.wallet.limits import LimitHit, Limits, same_month, same_week
from app.wallet.money import Minor

DEPOSITS: Final = "deposit"
"""The counter of deposits; withdrawals free nothing of it."""

UNNAMED: Final = ""
"""The product of a game that has no name."""

WINDOWS: Final = ("day", "week", "month")


class Counter(NamedTuple):
    """What was counted in the windows that contain `on_day`."""

    on_day: int
    day: Minor = 0
    week: Minor = 0
    month: Minor = 0

    def rolled(self, today: int) -> "Counter":
        """The counter as of today; as in `limits.rolled`, a clock that steps back opens nothing."""
        if today <= self.on_day:
            return self
        return Counter(
            today,
            week=self.week if same_week(self.on_day, today) else 0,
            month=self.month if same_month(self.on_day, today) else 0,
        )

    def plus(self, day: int, amount: Minor) -> "Counter":
        """Add an amount to those windows that contain the day on which it counts."""
        in_day = day >= self.on_day
        return Counter(
            self.on_day,
            self.day + amount * in_day,
            self.week + amount * (in_day or same_week(day, self.on_day)),
            self.month + amount * (in_day or same_month(day, self.on_day)),
        )


class Count(NamedTuple):
    """What a movement adds to one counter, and on which day."""

    counter: str
    day: int
    amount: Minor


class FurtherLimits(NamedTuple):
    """A player's limits of this kind that are in force, and their counters, by name."""

    limits: Mapping[str, Minor]
    counters: Mapping[str, Counter]


class GameName(NamedTuple):
    """The product that a game belongs to from a moment on."""

    since: datetime
    product: str


Games = Mapping[int, tuple[GameName, ...]]
"""The names of games, by game id, oldest first."""


def product_of(games: Games, game_id: int | None, moment: datetime) -> str:
    """The product that a game belonged to at a moment, or UNNAMED."""
    product = UNNAMED
    for name in games.get(game_id, ()) if game_id is not None else ():
        if name.since <= moment:
            product = name.product
    return product


def stake_counter(product: str) -> str:
    """The name of the counter of a product's stakes."""
    return f"stake:{product}"


def loss_counter(product: str) -> str:
    """The name of the counter of a product's losses."""
    return f"loss:{product}"


def counters_of(limit_names: Iterable[str]) -> set[str]:
    """The counters that limits of these names need."""
    needed: set[str] = set()
    for name in limit_names:
        base, separator, product = name.partition(":")
        if base.startswith(f"{DEPOSITS}_"):
            needed.add(DEPOSITS)
        elif separator:
            for which in (product, UNNAMED):
                needed |= {stake_counter(which), loss_counter(which)}
    return needed


def counted(further: FurtherLimits, counts: Iterable[Count], today: int) -> FurtherLimits:
    """Add what a movement counts to the counters that the player has."""
    counters = dict(further.counters)
    for count in counts:
        counter = counters.get(count.counter)
        if counter is not None:
            counters[count.counter] = counter.rolled(today).plus(count.day, count.amount)
    return FurtherLimits(further.limits, counters)


def deposit_hit(further: FurtherLimits, today: int, amount: Minor) -> LimitHit | None:
    """Return the first limit that a deposit would exceed, or None."""
    counter = _counter(further, DEPOSITS, today)
    for window, used in zip(WINDOWS, counter[1:], strict=True):
        limit = further.limits.get(f"{DEPOSITS}_{window}")
        if limit is not None and used + amount > limit:
            return LimitHit(f"{DEPOSITS}_{window}", limit, used)
    return None


def product_hit(
    further: FurtherLimits, today: int, product: str, *, stake: Minor, loss: Minor
) -> LimitHit | None:
    """Return the first limit of a product that a debit of play would exceed, or None.

    A game that has no name is held to the limits of every product.
    """
    if loss == 0:
        return None
    limited = {name.partition(":")[2] for name in further.limits} - {UNNAMED}
    for other in sorted(limited if product == UNNAMED else limited & {product}):
        for base, used, asked in _used_and_asked(further, today, other, stake, loss):
            name = f"{base}:{other}"
            limit = further.limits.get(name)
            if limit is not None and asked and used + asked > limit:
                return LimitHit(name, limit, used)
    return None


def _used_and_asked(
    further: FurtherLimits, today: int, product: str, stake: Minor, loss: Minor
) -> Iterable[tuple[str, Minor, Minor]]:
    """Each limit of one product: its name without the product, what is used, what is asked."""
    stakes = _counter(further, stake_counter(product), today)
    losses = _counter(further, loss_counter(product), today)
    unnamed_stakes = _counter(further, stake_counter(UNNAMED), today)
    unnamed_losses = _counter(further, loss_counter(UNNAMED), today)
    yield Limits._fields[0], 0, stake
    for place, window in enumerate(WINDOWS, 1):
        yield f"stake_{window}", stakes[place] + unnamed_stakes[place], stake
    for place, window in enumerate(WINDOWS, 1):
        yield f"loss_{window}", losses[place] + max(0, unnamed_losses[place]), loss


def _counter(further: FurtherLimits, name: str, today: int) -> Counter:
    return further.counters.get(name, Counter(today)).rolled(today)
