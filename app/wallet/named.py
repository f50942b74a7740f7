"""Rounds of Betby's contract: each holds one bet, and every operation names what it undoes.

A bet is paid by wins, by losts of 0, and given back by a refund or a discard. A rollback undoes a
win, a lost, a refund, or an earlier rollback; what stands again can be undone again, any number of
times (docs/contracts/betby.md, "What stands").

1. An operation stands unless a rollback that names it stands.
2. A win, a lost or a refund is a line together with the rollbacks of it, and the rollbacks of
   those. The money is the player's while the line's first operation stands: a rollback moves it if
   that changes, and else has no effect, whichever operation of the line it names. So rollbacks take
   and give in turn, and nothing is taken twice; the entry that gave last is `Line.holder`.

The money of a payment is reversed where it lies: the journal's laws of payments, aborts and cancels
hold for these rounds as for all others. In `reverses` the first part names the entry whose money
moves, and the last the operation that was named, where that is another one.
"""

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.wallet.events import RULES, EventType, Part
from app.wallet.journal import JournalEntry, Reversal
from app.wallet.limit_days import LimitDays
from app.wallet.limits import Effect
from app.wallet.movement import Names
from app.wallet.refusals import Refusal
from app.wallet.rounds import (
    Round,
    StandingAbort,
    StandingBet,
    Tally,
    Undoing,
    undo_abort,
    void_bet,
)

ROUND_PREFIX: Final = "betby:"
"""What the event id of each such round begins with; the callback API may name no such event."""

_AGAIN: Final = frozenset(
    {EventType.BETBY_WIN_AGAIN, EventType.BETBY_NO_RISK_AGAIN, EventType.BETBY_REFUND_AGAIN}
)

ROLLED_BACK_AS: Final = {
    EventType.BETBY_WIN: EventType.BETBY_ROLLBACK,
    EventType.BETBY_LOST: EventType.BETBY_ROLLBACK,
    EventType.BETBY_REFUND: EventType.BETBY_ROLLBACK,
    EventType.BETBY_WIN_AGAIN: EventType.BETBY_ROLLBACK,
    EventType.BETBY_REFUND_AGAIN: EventType.BETBY_ROLLBACK,
    EventType.BETBY_NO_RISK: EventType.BETBY_NO_RISK_ROLLBACK,
    EventType.BETBY_NO_RISK_AGAIN: EventType.BETBY_NO_RISK_ROLLBACK,
}
"""The event type of the rollback of an operation that gave money; a discard cannot be undone."""


_OUR_ID: Final = re.compile(r"([1-9][0-9]{0,17})-([1-9][0-9]{0,17})", re.ASCII)


class Place(NamedTuple):
    """The place of an entry in the journal, which is our id of an operation of Betby's."""

    player_id: int
    position: int

    @classmethod
    def of(cls, text: str) -> "Place | None":
        """Return the place that an id of ours names; None: it is none of ours."""
        match = _OUR_ID.fullmatch(text)
        return None if match is None else cls(int(match[1]), int(match[2]))

    @property
    def our_id(self) -> str:
        """The id as the contract has it, such as 17-42."""
        return f"{self.player_id}-{self.position}"


def event_id_of(bet_id: str) -> str:
    """Return the event id of a bet's round."""
    return ROUND_PREFIX + bet_id


def rollback_of(parent: JournalEntry, its_target: JournalEntry | None) -> EventType | None:
    """Return the event type that undoes an operation; None: nothing may undo it.

    `its_target` is the entry whose money the operation moved, if it is a rollback.
    """
    if RULES[parent.event_type].part is not Part.CANCEL:
        return ROLLED_BACK_AS.get(parent.event_type)
    if its_target is None:
        return None
    if RULES[its_target.event_type].part is Part.ABORT:
        return EventType.BETBY_REFUND_AGAIN
    if parent.event_type is EventType.BETBY_NO_RISK_ROLLBACK:
        return EventType.BETBY_NO_RISK_AGAIN
    return EventType.BETBY_WIN_AGAIN


@dataclass(slots=True)
class Line:
    """A win, lost or refund with everything that undid it and let it stand again, oldest first."""

    entries: list[JournalEntry]

    @property
    def holder(self) -> JournalEntry | None:
        """The entry that has the money; None: it was taken back."""
        return None if RULES[self.entries[-1].event_type].part is Part.CANCEL else self.entries[-1]


@dataclass(slots=True)
class NamedRound:
    """One bet and what became of it, from the round's accepted entries."""

    bet: JournalEntry | None = None
    entries: dict[int, JournalEntry] = field(default_factory=dict)
    """every operation but the bet, by position"""
    parents: dict[int, int] = field(default_factory=dict)
    """what each rollback names, by position"""
    lines: dict[int, Line] = field(default_factory=dict)
    """the line that each operation belongs to, by position"""

    @classmethod
    def after(cls, history: tuple[JournalEntry, ...]) -> "NamedRound":
        """Replay a round from its first entry to its last."""
        replayed = cls()
        for entry in history:
            if entry.is_accepted and RULES[entry.event_type].part is not Part.NONE:
                replayed._follow(entry)
        return replayed

    def _follow(self, entry: JournalEntry) -> None:
        rule, position = RULES[entry.event_type], entry.position
        if rule.part is Part.BET:
            self.bet = entry
            return
        self.entries[position] = entry
        if rule.part is Part.CANCEL or entry.event_type in _AGAIN:
            parent = entry.reverses[-1].position
            self.parents[position] = parent
            line = self.lines[parent]
            line.entries.append(entry)
        else:
            line = Line([entry])
        self.lines[position] = line

    def undone_by(self, position: int) -> JournalEntry | None:
        """Return the rollback that stands and names this operation; None: there is none."""
        rollback = _undone_by(self.parents).get(position)
        return None if rollback is None else self.entries[rollback]

    def moves_money(self, parent: int) -> bool:
        """Whether undoing an operation changes whether the first one of its line stands."""
        first = self.lines[parent].entries[0].position
        after = {**self.parents, max(self.entries) + 1: parent}
        return (first in _undone_by(self.parents)) is not (first in _undone_by(after))

    @property
    def given_back_by(self) -> JournalEntry | None:
        """The refund or discard by which the bet does not stand; None: it stands."""
        for line in self.lines.values():
            holder = line.holder
            if holder is not None and RULES[holder.event_type].part is Part.ABORT:
                return holder
        return None

    @property
    def payments(self) -> list[JournalEntry]:
        """The payments that stand, losts of 0 among them."""
        holders = {id(line): line.holder for line in self.lines.values()}
        return [
            holder
            for holder in holders.values()
            if holder is not None and RULES[holder.event_type].part is Part.PAYMENT
        ]

    @property
    def is_paid(self) -> bool:
        """Whether a payment above 0 stands."""
        return any(payment.amount for payment in self.payments)


def _undone_by(parents: dict[int, int]) -> dict[int, int]:
    """Return what does not stand, with the rollback that stands and names it.

    `parents`: what each rollback names, oldest first. A rollback names what came before it, so that
    from the last to the first each is known to stand, or not, when its turn comes. There is one at
    most: another would have had no effect, and is not among them.
    """
    undone: dict[int, int] = {}
    for rollback, parent in reversed(parents.items()):
        if rollback not in undone:
            undone[parent] = rollback
    return undone


class NoEffect(NamedTuple):
    """Nothing is left to undo; `because_of` is the entry whose answer is told."""

    because_of: JournalEntry


def undone_before(names: Names, history: tuple[JournalEntry, ...]) -> JournalEntry | None:
    """Return the entry because of which a refund or rollback has no effect; None: it has one.

    `history` is the round's up to that movement.
    """
    round_ = NamedRound.after(history)
    if names.parent is None:
        return round_.given_back_by
    undone_by = round_.undone_by(names.parent)
    if undone_by is not None:
        return undone_by
    line = round_.lines.get(names.parent)
    if line is None:
        return None
    if not round_.moves_money(names.parent):
        # The money was taken, or given, by way of another operation of the same line.
        return line.entries[-1]
    if line.holder is None and RULES[line.entries[0].event_type].part is Part.ABORT:
        # The stake may have come back by another refund meanwhile: it comes back once.
        return round_.given_back_by
    return None


def names_open_bet(names: Names | None, round_: Round) -> bool:
    """Whether the bet that a win or a lost names stands."""
    replayed = _replayed(round_)
    return (
        names is not None
        and replayed.bet is not None
        and replayed.bet.position == names.bet
        and replayed.given_back_by is None
    )


def undo_named(
    names: Names | None, kind: EventType, round_: Round, today: int, days: LimitDays
) -> Undoing | NoEffect | Refusal:
    """Return what a refund, a discard or a rollback undoes, or that nothing is left, or why not."""
    history = round_.history or ()
    replayed = _replayed(round_)
    bet = replayed.bet
    if names is None or bet is None or bet.position != names.bet:
        return Refusal.NO_MATCHING_MOVEMENT
    before = undone_before(names, history)
    if before is not None:
        return NoEffect(before)
    if names.parent is None:
        undoing = void_bet(StandingBet(bet), days)
        return undoing._replace(beside_payment=replayed.is_paid)
    if names.parent not in replayed.lines:
        return Refusal.NO_MATCHING_MOVEMENT
    parent = replayed.entries[names.parent]
    holder = replayed.lines[names.parent].holder
    if holder is None:
        undoing = _stand_again(parent, bet, kind, today, days)
        is_paid = replayed.is_paid or undoing.change.paid > 0
        is_given_back = replayed.given_back_by is not None or undoing.bet is not None
        return undoing._replace(beside_payment=is_paid and is_given_back)
    if ROLLED_BACK_AS.get(holder.event_type) is not kind:
        return Refusal.NO_MATCHING_MOVEMENT
    return _roll_back(parent, holder, bet, today, days)


def _roll_back(
    parent: JournalEntry, holder: JournalEntry, bet: JournalEntry, today: int, days: LimitDays
) -> Undoing:
    """Take back what the holder gave: a payment, or a stake that was given back."""
    named = () if parent is holder else (Reversal(parent.position, 0, 0),)
    if RULES[holder.event_type].part is Part.ABORT:
        undoing = undo_abort(StandingAbort(holder, StandingBet(bet)), days)
    else:
        parts = holder.delta
        undoing = Undoing(
            reverses=(Reversal(holder.position, parts.real, parts.bonus),),
            parts=parts,
            change=Tally(taken_back=holder.amount, cancels=1),
            effects=(Effect(today, 0, holder.amount),),
        )
    return undoing._replace(reverses=(*undoing.reverses, *named))


def _stand_again(
    parent: JournalEntry, bet: JournalEntry, kind: EventType, today: int, days: LimitDays
) -> Undoing:
    """Give back what a rollback took: a payment, or the stake of a bet that was given back."""
    if kind is EventType.BETBY_REFUND_AGAIN:
        undoing = void_bet(StandingBet(bet), days)
        return undoing._replace(reverses=(*undoing.reverses, Reversal(parent.position, 0, 0)))
    parts = parent.reverses[0].parts
    return Undoing(
        reverses=(Reversal(parent.position, parts.real, parts.bonus),),
        parts=parts,
        change=Tally(paid=parts.balance),
        effects=(Effect(today, 0, -parts.balance),),
    )


def _replayed(round_: Round) -> NamedRound:
    if round_.history is None:
        raise AssertionError("a movement of Betby's was decided without its round's history")
    return NamedRound.after(round_.history)


_PAID_STATUSES: Final = frozenset({"won", "half-won", "half-lost", "cashed out"})
_RETURNED_STATUSES: Final = frozenset({"canceled", "refund"})
LOST_STATUS: Final = "lost"
SETTLEMENT_STATUSES: Final = _PAID_STATUSES | _RETURNED_STATUSES | {LOST_STATUS}
"""What Betby's last word about a bet may be."""


def settlement_difference(status: str, round_: NamedRound) -> str | None:
    """Return how a settlement differs from what was done with the bet; None: it does not."""
    payments = round_.payments
    paid = sum(p.amount for p in payments if p.event_type not in _NO_RISK)
    stake = 0 if round_.bet is None else round_.bet.amount
    is_given_back = round_.given_back_by is not None
    if status in _RETURNED_STATUSES:
        # The stake may come back as a refund, or as a win of exactly the stake.
        return None if is_given_back or paid == stake else "the stake was not given back"
    if is_given_back:
        return "the bet was given back"
    if status in _PAID_STATUSES:
        return None if paid > 0 else "nothing was paid"
    if paid > 0:
        return "a payment stands"
    return None if payments else "the bet was never settled"


_NO_RISK: Final = frozenset({EventType.BETBY_NO_RISK, EventType.BETBY_NO_RISK_AGAIN})
