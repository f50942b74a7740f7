"""What stands in one event: bets until given back, payments until taken back.

A round knows parts, never pockets. Amounts are in units; lists are in order of acceptance.
"""

from dataclasses import dataclass, field
from typing import Literal


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
class EarlyAbort:
    """An abort that was refused while no bet of its amount stood."""

    transaction_id: str
    amount: int
    #: A bet may still come that it refuses; or it refused one; or it means a bet that was refused
    #: for ever before it came; or its bet came in time to be given back.
    state: Literal["waiting", "used", "absorbed", "accepted"]


@dataclass(slots=True)
class Reopening:
    """What a SportBetCancel will take back, found before anything is changed."""

    real: int = 0
    bonus: int = 0
    #: What no payment and no abort of the event accounts for.
    uncovered: int = 0
    abort: Abort | None = None
    #: Payments with the amount and the bonus part to be taken from each.
    payments: list[tuple[Payment, int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Round:
    """One event of one player, of one family."""

    bets: list[Bet] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    aborts: list[Abort] = field(default_factory=list)
    #: In the order of their first deliveries.
    early_aborts: list[EarlyAbort] = field(default_factory=list)
    #: Amounts of bets refused for ever, each until an abort of the amount was absorbed by it.
    refused_bets: list[int] = field(default_factory=list)
    #: A SportBetCancel found nothing to take back of some part of its amount, or was one of 0
    #: while no bet stood.
    settles_anew: bool = False

    @property
    def bets_open(self) -> list[Bet]:
        """Bets that no abort gave back."""
        return [bet for bet in self.bets if bet.stands]

    @property
    def may_be_paid(self) -> bool:
        """Whether a Win or a Lose has something to settle."""
        return self.settles_anew or bool(self.bets_open)

    def overtaking_abort(self, amount: int, own_id: str | None) -> EarlyAbort | None:
        """Find the abort that came before this bet.

        ``own_id`` is the bet's transactionId where an abort may carry the same one; then no other
        abort means this bet.
        """
        for abort in self.early_aborts:
            is_meant = abort.amount == amount if own_id is None else abort.transaction_id == own_id
            if abort.state == "waiting" and is_meant:
                return abort
        return None

    def abort_was_refused(self, transaction_id: str, amount: int) -> None:
        """Remember a refused abort, unless it is known or a bet of its amount stands."""
        is_known = any(abort.transaction_id == transaction_id for abort in self.early_aborts)
        if is_known or any(bet.amount == amount for bet in self.bets_open):
            return
        if amount in self.refused_bets:
            self.refused_bets.remove(amount)
            self.early_aborts.append(EarlyAbort(transaction_id, amount, "absorbed"))
        else:
            self.early_aborts.append(EarlyAbort(transaction_id, amount, "waiting"))

    def abort_was_accepted(self, transaction_id: str) -> None:
        """Let an early abort refuse no bet any more."""
        for abort in self.early_aborts:
            if abort.transaction_id == transaction_id:
                abort.state = "accepted"

    def abort_was_used(self, transaction_id: str) -> bool:
        """Whether this abort refused a bet, so that nothing is left for it to give back."""
        return any(
            abort.state == "used" and abort.transaction_id == transaction_id
            for abort in self.early_aborts
        )

    def bonus_share(self, amount: int) -> int:
        """Return the bonus part of a win: the proportion of the stakes that stand, rounded down."""
        standing = self.bets_open
        staked = sum(bet.amount for bet in standing)
        return amount * sum(bet.bonus for bet in standing) // staked if staked else 0

    def bet_to_give_back(self, amount: int, own_id: str | None) -> Bet | int:
        """Find the bet an abort means, or the code of its refusal: 406 or 409.

        ``own_id`` is the abort's transactionId where a bet may carry the same one.
        """
        if not self.bets:
            return 406
        standing = self.bets_open[::-1]
        if not standing:
            return 409
        if sum(payment.amount > 0 for payment in self.payments) >= len(standing):
            return 406
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
        found.uncovered = left
        return found

    def reopen(self, found: Reopening) -> None:
        """Write what a SportBetCancel did."""
        is_of_nothing = found.real == found.bonus == found.uncovered == 0
        if found.uncovered or (is_of_nothing and not self.bets_open):
            self.settles_anew = True
        if found.abort is not None:
            found.abort.undone = True
            found.abort.bet.stands = True
        for payment, amount, bonus in found.payments:
            payment.shrink(amount, bonus)
