"""A player's two pockets, real and bonus, and how money enters and leaves them (in units)."""

from dataclasses import dataclass

from app.simulator.stage import StakeOrder


@dataclass(frozen=True, slots=True)
class Pockets:
    """What a player has, in units. Bonus is never below zero; real may be, after a cancel."""

    real: int
    bonus: int

    @property
    def balance(self) -> int:
        """What the player is shown: a debt counts."""
        return self.real + self.bonus

    @property
    def above_zero(self) -> int:
        """What can be taken without a new debt: a debt that is there does not count."""
        return max(self.real, 0) + self.bonus

    def spend(self, amount: int, order: StakeOrder) -> "Pockets | None":
        """Pay a stake or a correction from the pockets above zero; None when it cannot be paid."""
        if amount == 0:
            return self
        if amount > self.balance:
            return None
        if order == "real_first":
            from_bonus = amount - min(amount, max(self.real, 0))
        else:
            from_bonus = min(amount, self.bonus)
        return Pockets(self.real - (amount - from_bonus), self.bonus - from_bonus)

    def spend_real(self, amount: int) -> "Pockets | None":
        """Pay a tip, for which bonus money does not count; None when it cannot be paid."""
        if amount == 0:
            return self
        if amount > min(self.real, self.balance):
            return None
        return Pockets(self.real - amount, self.bonus)

    def receive(self, real: int, bonus: int) -> "Pockets":
        """Take in money; what was meant for bonus pays a debt first."""
        to_debt = min(bonus, max(0, -(self.real + real)))
        return Pockets(self.real + real + to_debt, self.bonus + bonus - to_debt)

    def hand_back(self, real: int, bonus: int, more: int = 0) -> "Pockets":
        """Give money back: by parts, then from real, then from bonus, and then into debt.

        ``real`` and ``bonus`` are the parts in which it once came, ``more`` what came in no
        known parts. Whether a debt is allowed is for the caller to say.
        """
        from_real = min(real, max(self.real, 0))
        from_bonus = min(bonus, self.bonus)
        missing = real + bonus + more - from_real - from_bonus
        extra_real = min(missing, max(self.real - from_real, 0))
        missing -= extra_real
        extra_bonus = min(missing, self.bonus - from_bonus)
        missing -= extra_bonus
        return Pockets(
            self.real - from_real - extra_real - missing,
            self.bonus - from_bonus - extra_bonus,
        )
