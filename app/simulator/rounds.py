"""What stands in one event: bets until given back, payments until taken back.

A round knows parts, never pockets. Amounts are in units; lists are in order of acceptance.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Bet:
    """A stake and how it was split; stands until an abort gives it back."""

    transaction_id: str
    real: int
    bonus: int
    stands: bool = True

    @property
    def amount(self) -> int:
        """The whole stake."""
        return self.real + self.bonus


@dataclass(slots=True)
class Payment:
    """What of a payment still stands, and how much of that went to bonus."""

    amount: int
    bonus: int

    def part(self, amount: int) -> tuple[int, int]:
        """Split an amount as what still stands is split: real part and bonus part."""
        bonus = amount * self.bonus // self.amount if self.amount else 0
        return amount - bonus, bonus

    def shrink(self, amount: int, bonus: int) -> None:
        """Let a part of the payment stand no longer."""
        self.amount -= amount
        self.bonus -= bonus


@dataclass(slots=True)
class Abort:
    """A bet given back, and where the money went; until a cancel undoes it."""

    bet: Bet
    real: int
    bonus: int
    undone: bool = False

    @property
    def amount(self) -> int:
        """What was given back."""
        return self.real + self.bonus


@dataclass(slots=True)
class Reopening:
    """What a SportBetCancel will take back, found before anything is changed."""

    real: int = 0
    bonus: int = 0
    #: What no payment and no abort of the event accounts for.
    remainder: int = 0
    abort: Abort | None = None
    #: Payments with the amount and the bonus part to be taken from each.
    payments: list[tuple[Payment, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Round:
    """One event of one player, of one family."""

    bets: list[Bet] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    aborts: list[Abort] = field(default_factory=list)
    #: A SportBetCancel was accepted once.
    reopened: bool = False

    @property
    def may_be_paid(self) -> bool:
        """Whether a Win or a Lose has something to settle."""
        return self.reopened or any(bet.stands for bet in self.bets)

    def bonus_share(self, amount: int) -> int:
        """Return the bonus part of a win: the proportion of the stakes that stand, rounded down."""
        standing = [bet for bet in self.bets if bet.stands]
        staked = sum(bet.amount for bet in standing)
        return amount * sum(bet.bonus for bet in standing) // staked if staked else 0

    def bet_to_give_back(self, amount: int, own_id: str | None) -> Bet | int:
        """Find the bet an abort means, or the code of its refusal: 406 or 409.

        ``own_id`` is the abort's transactionId where a bet may carry the same one.
        """
        if not self.bets or any(payment.amount for payment in self.payments):
            return 406
        standing = [bet for bet in reversed(self.bets) if bet.stands]
        if not standing:
            return 409
        exact = [bet for bet in standing if bet.amount == amount]
        own = [bet for bet in exact if bet.transaction_id == own_id]
        return next(iter(own or exact), 406)

    def payment_to_take_back(self, amount: int) -> Payment | None:
        """Find the payment a BetPayedAbort means: exactly the amount, else at least that much."""
        standing = [payment for payment in reversed(self.payments) if payment.amount]
        exact = [payment for payment in standing if payment.amount == amount]
        enough = [payment for payment in standing if payment.amount >= amount]
        return next(iter(exact or enough), None)

    def reopening(self, amount: int) -> Reopening:
        """Find what a SportBetCancel takes back; nothing is changed yet."""
        standing = [payment for payment in reversed(self.payments) if payment.amount]
        exact = [payment for payment in standing if payment.amount == amount]
        found = Reopening()
        if not exact:
            for abort in reversed(self.aborts):
                if not abort.undone and abort.amount == amount:
                    return Reopening(abort.real, abort.bonus, abort=abort)
        left = amount
        for payment in exact[:1] or standing:
            taken = min(left, payment.amount)
            real, bonus = payment.part(taken)
            found.payments.append((payment, taken, bonus))
            found.real += real
            found.bonus += bonus
            left -= taken
        found.remainder = left
        return found

    def reopen(self, found: Reopening) -> None:
        """Write what a SportBetCancel did."""
        self.reopened = True
        if found.abort is not None:
            found.abort.undone = True
            found.abort.bet.stands = True
        for payment, amount, bonus in found.payments:
            payment.shrink(amount, bonus)
