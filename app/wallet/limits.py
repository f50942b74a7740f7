"""A player's limits of all stakes and losses, and how much of them is used, in calendar windows.

Amounts are minor units of the player's currency; days are those of `limit_days`, weeks begin on
Monday. How limits are changed stands in `limit_terms`, limits of other kinds in `further_limits`.
"""

from datetime import date
from typing import NamedTuple

from app.wallet.money import Minor


class Limits(NamedTuple):
    """The limits in force; None means no limit."""

    stake_bet: Minor | None = None
    stake_day: Minor | None = None
    stake_week: Minor | None = None
    stake_month: Minor | None = None
    loss_day: Minor | None = None
    loss_week: Minor | None = None
    loss_month: Minor | None = None


NO_LIMITS = Limits()


class Usage(NamedTuple):
    """Amounts staked and lost (net of winnings) in the windows that contain `day`."""

    day: int
    stake_day: Minor = 0
    stake_week: Minor = 0
    stake_month: Minor = 0
    loss_day: Minor = 0
    loss_week: Minor = 0
    loss_month: Minor = 0


class Effect(NamedTuple):
    """What one movement adds to the windows that contain the day it counts on."""

    day: int
    stake: Minor
    loss: Minor


def same_week(one: int, other: int) -> bool:
    """Whether two days lie in one week, Monday to Sunday (ordinal 1 was a Monday)."""
    return (one - 1) // 7 == (other - 1) // 7


def same_month(one: int, other: int) -> bool:
    """Whether two days lie in one calendar month."""
    first, second = date.fromordinal(one), date.fromordinal(other)
    return (first.year, first.month) == (second.year, second.month)


def rolled(usage: Usage, today: int) -> Usage:
    """Return the usage as of today: windows that have ended count from zero.

    A clock that steps back never re-opens a window: the latest day seen stays the current one.
    """
    if today <= usage.day:
        return usage
    week = same_week(usage.day, today)
    month = same_month(usage.day, today)
    return Usage(
        day=today,
        stake_week=usage.stake_week if week else 0,
        stake_month=usage.stake_month if month else 0,
        loss_week=usage.loss_week if week else 0,
        loss_month=usage.loss_month if month else 0,
    )


def counted(usage: Usage, effect: Effect) -> Usage:
    """Add an effect to those current windows that contain its day."""
    in_day = effect.day >= usage.day
    in_week = in_day or same_week(effect.day, usage.day)
    in_month = in_day or same_month(effect.day, usage.day)
    return Usage(
        usage.day,
        usage.stake_day + effect.stake * in_day,
        usage.stake_week + effect.stake * in_week,
        usage.stake_month + effect.stake * in_month,
        usage.loss_day + effect.loss * in_day,
        usage.loss_week + effect.loss * in_week,
        usage.loss_month + effect.loss * in_month,
    )


class LimitHit(NamedTuple):
    """The limit that a movement would exceed. Amounts are in minor units."""

    limit_name: str
    limit: Minor
    used: Minor
    """within the limit's window before the movement; 0 for a limit of one bet"""

    @property
    def left(self) -> Minor:
        """What the limit still allowed; 0 if it was lowered below what had been used."""
        return max(0, self.limit - self.used)


def limit_hit(limits: Limits, usage: Usage, *, stake: Minor, loss: Minor) -> LimitHit | None:
    """Return the first limit that a debit of play would exceed, or None.

    A debit of 0 exceeds none. Amounts are in minor units.
    """
    if limits is NO_LIMITS or loss == 0:
        return None
    used_and_asked = (
        (0, stake),
        (usage.stake_day, stake),
        (usage.stake_week, stake),
        (usage.stake_month, stake),
        (usage.loss_day, loss),
        (usage.loss_week, loss),
        (usage.loss_month, loss),
    )
    for name, limit, (used, asked) in zip(Limits._fields, limits, used_and_asked, strict=True):
        if limit is not None and used + asked > limit and (stake or name.startswith("loss")):
            return LimitHit(name, limit, used)
    return None
