"""The state of a round: its open bets, and its payments that were not reversed.

This is the callback contract's section 3, "What stands".

An ordinary movement needs the round's sums only. The event types that undo others (aborts and
cancels) also need its history: the round's entries, oldest first, declined bets included. So does a
payment when no bet is open and the sums alone cannot show whether a SportBetCancel allows it.
Streamer movements form a separate round beside the ordinary one of the same event.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from app.wallet.balance import EMPTY, Pockets, share
from app.wallet.early_aborts import EarlyAbort
from app.wallet.events import RULES, LimitEffect, Part
from app.wallet.journal import JournalEntry, Reversal
from app.wallet.limit_days import LimitDays
from app.wallet.limits import Effect
from app.wallet.money import Minor
from app.wallet.refusals import Refusal


class RoundKey(NamedTuple):
    """One player's event and kind of money: own or streamer."""

    player_id: int
    event_id: str
    is_streamer: bool


class Tally(NamedTuple):
    """The sums of a round, in minor units; the changes of several movements can be added."""

    bets_placed: int = 0
    bets_open: int = 0
    stake_real: Minor = 0
    """the stakes of open bets, by pocket"""
    stake_bonus: Minor = 0
    staked: Minor = 0
    """all bets ever placed"""
    paid: Minor = 0
    """all payments ever made"""
    taken_back: Minor = 0
    """payments reversed by aborts and cancels"""
    cancels: int = 0
    """accepted SportBetCancels"""
    uncovered: Minor = 0
    """what cancels debited beyond the payments and aborts left to undo"""

    @property
    def stakes(self) -> Pockets:
        """The stakes of open bets."""
        return Pockets(self.stake_real, self.stake_bonus)

    @property
    def paid_net(self) -> Minor:
        """The payments that were not reversed."""
        return self.paid - self.taken_back

    def plus(self, other: "Tally") -> "Tally":
        """Add sum by sum."""
        return Tally(
            self.bets_placed + other.bets_placed,
            self.bets_open + other.bets_open,
            self.stake_real + other.stake_real,
            self.stake_bonus + other.stake_bonus,
            self.staked + other.staked,
            self.paid + other.paid,
            self.taken_back + other.taken_back,
            self.cancels + other.cancels,
            self.uncovered + other.uncovered,
        )

    def minus(self, other: "Tally") -> "Tally":
        """Subtract sum by sum."""
        return Tally(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


NOTHING_YET = Tally()


class Round(NamedTuple):
    """A round as the decision sees it."""

    tally: Tally = NOTHING_YET
    is_settled: bool = False
    """whether a Win or Lose came after the latest bet and SportBetCancel"""
    early_aborts: tuple[EarlyAbort, ...] = ()
    """oldest first"""
    untimed_aborts: frozenset[Minor] = frozenset()
    """amounts of aborts refused under the previous release's rules; they only flag a bet"""
    history: tuple[JournalEntry, ...] | None = None
    """None: not read, because no movement of the batch needs it"""


@dataclass(slots=True)
class StandingBet:
    """A bet, and whether it is open."""

    entry: JournalEntry
    stands: bool = True

    @property
    def split(self) -> Pockets:
        """The part that each pocket paid."""
        return EMPTY.minus(self.entry.delta)


@dataclass(slots=True)
class StandingPayment:
    """A payment, and how much of it was not reversed."""

    position: int
    parts: Pockets


@dataclass(slots=True)
class StandingAbort:
    """An abort, the bet that it voided, and whether the abort was undone."""

    entry: JournalEntry
    bet: StandingBet
    stands: bool = True


@dataclass(slots=True)
class Standing:
    """Everything in a round that can be undone, oldest first."""

    bets: list[StandingBet] = field(default_factory=list)
    payments: list[StandingPayment] = field(default_factory=list)
    aborts: list[StandingAbort] = field(default_factory=list)
    has_empty_cancel: bool = False
    """whether a SportBetCancel of 0 came while no bet was open"""

    @classmethod
    def after(cls, history: tuple[JournalEntry, ...]) -> "Standing":
        """Replay the round's accepted entries from the first to the last."""
        standing = cls()
        for entry in history:
            if entry.is_accepted:
                standing.follow(entry)
        return standing

    @property
    def payments_open(self) -> list[StandingPayment]:
        """Payments that were not fully reversed, the latest first."""
        return [p for p in reversed(self.payments) if p.parts.balance > 0]

    def follow(self, entry: JournalEntry) -> None:
        """Apply one more entry."""
        match RULES[entry.event_type].part:
            case Part.BET:
                self.bets.append(StandingBet(entry))
            case Part.PAYMENT:
                self.payments.append(StandingPayment(entry.position, entry.delta))
            case Part.ABORT:
                (reversal,) = entry.reverses
                bet = next(b for b in self.bets if b.entry.position == reversal.position)
                bet.stands = False
                self.aborts.append(StandingAbort(entry, bet))
            case Part.PAYMENT_ABORT | Part.CANCEL:
                if entry.amount == 0 and RULES[entry.event_type].part is Part.CANCEL:
                    self.has_empty_cancel |= not any(bet.stands for bet in self.bets)
                for reversal in entry.reverses:
                    self._undo(reversal)
            case Part.NONE:
                pass

    def _undo(self, reversal: Reversal) -> None:
        for abort in self.aborts:
            if abort.entry.position == reversal.position:
                abort.stands, abort.bet.stands = False, True
                return
        payment = next(p for p in self.payments if p.position == reversal.position)
        payment.parts = payment.parts.minus(reversal.parts)


class Undoing(NamedTuple):
    """What an abort or a cancel undoes, and how the round and the limits' usage change."""

    reverses: tuple[Reversal, ...]
    parts: Pockets
    change: Tally
    effects: tuple[Effect, ...]
    beside_payment: bool = False
    """whether another bet of the event was paid"""
    bet: JournalEntry | None = None
    """the bet that is voided, or stands again; None: only payments change"""


class BetToVoid(NamedTuple):
    """The bet that an abort voids, and whether another bet of the event was paid."""

    bet: StandingBet
    beside_payment: bool


def bet_to_void(
    round_: Round, amount: Minor, transaction_id: str, *, by_transaction: bool
) -> BetToVoid | Refusal:
    """Return the bet that an abort voids, or NO_MATCHING_MOVEMENT or ALREADY_GIVEN_BACK.

    It is the latest open bet of exactly this amount; with `by_transaction`, one that has the
    abort's own transaction id comes first (callback contract, section 3).
    """
    if round_.tally.bets_placed == 0:
        return Refusal.NO_MATCHING_MOVEMENT
    if round_.tally.bets_open == 0:
        return Refusal.ALREADY_GIVEN_BACK
    standing = standing_in(round_)
    payments = len(standing.payments_open)
    if payments >= round_.tally.bets_open:
        return Refusal.NO_MATCHING_MOVEMENT
    candidates = [
        bet for bet in reversed(standing.bets) if bet.stands and bet.entry.amount == amount
    ]
    if not candidates:
        return Refusal.NO_MATCHING_MOVEMENT
    chosen = candidates[0]
    if by_transaction:
        chosen = next(
            (bet for bet in candidates if bet.entry.key.transaction_id == transaction_id), chosen
        )
    return BetToVoid(chosen, beside_payment=payments > 0)


def has_open_bet_of(round_: Round, amount: Minor) -> bool:
    """Whether a bet of exactly this amount is open."""
    return any(bet.stands and bet.entry.amount == amount for bet in standing_in(round_).bets)


def may_be_paid(round_: Round) -> bool:
    """Whether a payment that needs a bet may be accepted.

    It may if a bet is open; or if a SportBetCancel, when it was decided, found no payment or abort
    to undo for some part of its amount; or if one of 0 came while no bet was open.
    """
    tally = round_.tally
    if tally.bets_open > 0 or tally.uncovered > 0:
        return True
    return tally.cancels > 0 and standing_in(round_).has_empty_cancel


def void_bet(bet: StandingBet, days: LimitDays) -> Undoing:
    """Void a bet: its stake leaves the round, and the limits of the day on which it was placed."""
    split, amount = bet.split, bet.entry.amount
    return Undoing(
        reverses=(Reversal(bet.entry.position, split.real, split.bonus),),
        parts=split,
        change=Tally(bets_open=-1, stake_real=-split.real, stake_bonus=-split.bonus),
        effects=(_effect_of_stake(bet.entry, -amount, days),),
        bet=bet.entry,
    )


def reverse_payment(round_: Round, amount: Minor, today: int) -> Undoing | Refusal:
    """Reverse a payment: the latest with exactly this amount left, else with at least it."""
    if round_.tally.paid_net == 0:
        return Refusal.NO_MATCHING_MOVEMENT
    payments = standing_in(round_).payments_open
    payment = next(
        (p for p in payments if p.parts.balance == amount),
        next((p for p in payments if p.parts.balance >= amount), None),
    )
    if payment is None:
        return Refusal.NO_MATCHING_MOVEMENT
    parts = share(amount, payment.parts)
    return Undoing(
        reverses=(Reversal(payment.position, parts.real, parts.bonus),),
        parts=parts,
        change=Tally(taken_back=amount),
        effects=(Effect(today, 0, amount),),
    )


def reopen(round_: Round, amount: Minor, today: int, days: LimitDays) -> Undoing:
    """Undo what a SportBetCancel applies to.

    That is the latest payment with exactly this amount left; else the latest abort of this amount;
    else as many payments as the amount covers, the latest first.
    """
    standing = standing_in(round_)
    payments = standing.payments_open
    exact = next((p for p in payments if p.parts.balance == amount), None)
    if exact is None:
        for abort in reversed(standing.aborts):
            if abort.stands and abort.entry.amount == amount:
                return undo_abort(abort, days)
    reverses: list[Reversal] = []
    parts, missing = EMPTY, amount
    for payment in payments if exact is None else [exact]:
        if missing == 0:
            break
        taken = min(missing, payment.parts.balance)
        taken_parts = share(taken, payment.parts)
        reverses.append(Reversal(payment.position, taken_parts.real, taken_parts.bonus))
        parts = parts.plus(taken_parts)
        missing -= taken
    return Undoing(
        reverses=tuple(reverses),
        parts=parts,
        change=Tally(taken_back=amount - missing, cancels=1, uncovered=missing),
        effects=(Effect(today, 0, amount),),
    )


def undo_abort(abort: StandingAbort, days: LimitDays) -> Undoing:
    """Undo an abort: its bet stands again, and counts where it was counted first."""
    split, amount = abort.bet.split, abort.entry.amount
    parts = abort.entry.delta
    return Undoing(
        reverses=(Reversal(abort.entry.position, parts.real, parts.bonus),),
        parts=parts,
        change=Tally(bets_open=1, stake_real=split.real, stake_bonus=split.bonus, cancels=1),
        effects=(_effect_of_stake(abort.bet.entry, amount, days),),
        bet=abort.bet.entry,
    )


def _effect_of_stake(bet: JournalEntry, change: Minor, days: LimitDays) -> Effect:
    """What limits count on the day of a bet; nothing, if its stake was not counted here."""
    is_counted = RULES[bet.event_type].limit_effect is LimitEffect.STAKE
    return Effect(days.of(bet.ledger_time), change * is_counted, change * is_counted)


def standing_in(round_: Round) -> Standing:
    """Return what can be undone in a round, from its history."""
    if round_.history is None:
        raise AssertionError("a movement that needs its round's history was decided without it")
    return Standing.after(round_.history)
