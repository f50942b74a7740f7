"""The two pockets of a wallet, and the rules by which money enters and leaves them.

All amounts are minor units of the player's currency. `bonus` is never negative; `real` is
negative only by a SportBetCancel (callback contract, section 3, "Pockets").
"""

from enum import StrEnum
from typing import NamedTuple

from app.wallet.money import Minor


class Pockets(NamedTuple):
    """An amount in each pocket: a balance, or what a movement gives or takes."""

    real: Minor
    bonus: Minor

    @property
    def balance(self) -> Minor:
        """The sum that the player is shown."""
        return self.real + self.bonus

    def plus(self, other: "Pockets") -> "Pockets":
        """Add pocket by pocket."""
        return Pockets(self.real + other.real, self.bonus + other.bonus)

    def minus(self, other: "Pockets") -> "Pockets":
        """Subtract pocket by pocket."""
        return Pockets(self.real - other.real, self.bonus - other.bonus)


EMPTY = Pockets(0, 0)


class StakeOrder(StrEnum):
    """Which pocket a stake is taken from first (setting)."""

    REAL_FIRST = "real_first"
    BONUS_FIRST = "bonus_first"


def share(amount: Minor, parts: Pockets) -> Pockets:
    """Split an amount in the proportion of `parts`: bonus rounded down, the rest real.

    If both parts are 0, the whole amount is real.
    """
    if parts.bonus == 0:
        return Pockets(amount, 0)
    bonus = amount * parts.bonus // parts.balance
    return Pockets(amount - bonus, bonus)


def stake_from(pockets: Pockets, amount: Minor, order: StakeOrder) -> Pockets | None:
    """Return what each pocket pays of a stake, or None if the funds are insufficient.

    Only pockets above zero pay, and together never more than the balance shown: a negative real
    pocket reduces what bonus may pay. A stake of 0 is always funded.
    """
    if amount == 0:
        return EMPTY
    real, bonus = max(pockets.real, 0), pockets.bonus
    if amount > min(real + bonus, pockets.balance):
        return None
    if order is StakeOrder.REAL_FIRST:
        from_real = min(real, amount)
        return Pockets(from_real, amount - from_real)
    from_bonus = min(bonus, amount)
    return Pockets(amount - from_bonus, from_bonus)


def real_only(pockets: Pockets, amount: Minor) -> Pockets | None:
    """Return what a tip or a withdrawal takes from real, or None if real has less."""
    return Pockets(amount, 0) if amount <= max(pockets.real, 0) else None


def bonus_only(pockets: Pockets, amount: Minor) -> Pockets | None:
    """Return what a revocation takes from bonus, or None if bonus has less."""
    return Pockets(0, amount) if amount <= pockets.bonus else None


def reverse_parts(
    pockets: Pockets, amount: Minor, parts: Pockets, *, may_overdraw: bool
) -> Pockets | None:
    """Return what each pocket pays when an earlier credit is reversed; None: not enough.

    The `parts` of the earlier credit are taken first, then real, then bonus, never below zero. What
    is still missing makes real negative if the movement may overdraw.
    """
    real_there, bonus_there = max(pockets.real, 0), pockets.bonus
    real, bonus = min(parts.real, real_there), min(parts.bonus, bonus_there)
    missing = amount - real - bonus
    more_real = min(missing, real_there - real)
    more_bonus = min(missing - more_real, bonus_there - bonus)
    missing -= more_real + more_bonus
    if missing and not may_overdraw:
        return None
    return Pockets(real + more_real + missing, bonus + more_bonus)


def debt_first(pockets: Pockets, credit: Pockets) -> Pockets:
    """Redirect a credit's bonus part to real until real is no longer below zero."""
    debt = -(pockets.real + credit.real)
    if debt <= 0 or credit.bonus == 0:
        return credit
    redirected = min(debt, credit.bonus)
    return Pockets(credit.real + redirected, credit.bonus - redirected)
