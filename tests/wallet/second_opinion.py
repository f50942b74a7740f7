"""A second implementation of the contract, written without the wallet's code.

Slow and plain: lists that are walked through from the start, sums that are made anew each time.
Event types and refusals are the contract's words and numbers.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import NamedTuple

BETS = {"BetPlacing", "PromoStreamersDebit"}
PAYMENTS = {"Win", "Lose", "PromoStreamersCredit"}
ABORTS = {"BetPlacingAbort", "PromoStreamersBetPlacingAbort"}
PAYMENT_ABORTS = {"BetPayedAbort", "PromoStreamersBetPayedAbort"}
CANCEL = "SportBetCancel"
PLAY = BETS | {"Tip"}
OUTCOMES = {200, 402, 405, 456}
AMOUNTS_MAX = 64
"""Amounts of refused aborts that the release before remembered for an event."""


class Ask(NamedTuple):
    user: str
    transaction_id: str
    event_type: str
    direction: str
    amount: str
    event: str
    bonus_code: str | None
    token: str
    at: dt.datetime


class Answer(NamedTuple):
    code: int
    real: int = 0
    bonus: int = 0
    is_repeat: bool = False
    differs: str | None = None
    flag: str | None = None
    """of a bet or an abort: what people should look at"""
    words: str | None = None
    """tells the 400 of an overtaken bet, which is an outcome, from every other 400"""


class Note(NamedTuple):
    """What an event remembers of a bet or an abort that was refused, or of an abort's end."""

    what: str
    transaction_id: str
    amount: int
    at: dt.datetime


@dataclass
class Memory:
    """What the notes of an event come to, read from the first to the last."""

    waiting: list[Note] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    unabsorbed: list[int] = field(default_factory=list)
    """the amounts of refused bets that absorbed no abort yet"""

    def read(self, note: Note) -> None:
        match note.what:
            case "bet refused":
                self.unabsorbed.append(note.amount)
            case "abort refused" if note.amount in self.unabsorbed:
                self.unabsorbed.remove(note.amount)
            case "abort refused":
                self.waiting.append(note)
            case "abort used":
                self.used.add(note.transaction_id)
                self.drop(note.transaction_id)
            case _:
                assert note.what == "abort accepted"
                self.drop(note.transaction_id)

    def drop(self, transaction_id: str) -> None:
        self.waiting = [one for one in self.waiting if one.transaction_id != transaction_id]


@dataclass
class Thing:
    """Something in an event: a bet, a payment or an abort, and what of it stands."""

    kind: str
    amount: int
    real: int
    bonus: int
    transaction_id: str
    day: dt.date
    stands: bool = True
    undone: "Thing | None" = None


@dataclass
class Event:
    things: list[Thing] = field(default_factory=list)
    cancels: int = 0
    uncovered: int = 0
    may_be_settled_anew: bool = False
    """a SportBetCancel found nothing to take back of some part, or was one of 0 without a bet"""
    notes: list[Note] = field(default_factory=list)
    amounts: list[int] = field(default_factory=list)
    """of aborts refused under the rules of the release before"""

    def memory(self) -> Memory:
        memory = Memory()
        for note in self.notes:
            memory.read(note)
        return memory

    def of(self, kind: str) -> list[Thing]:
        return [thing for thing in self.things if thing.kind == kind]

    def standing(self, kind: str) -> list[Thing]:
        """The latest first."""
        return [thing for thing in reversed(self.of(kind)) if thing.stands]

    def payments(self) -> list[Thing]:
        """Those of which something stands, the latest first."""
        return [p for p in reversed(self.of("payment")) if p.real + p.bonus > 0]


class Counted(NamedTuple):
    day: dt.date
    stake: int
    loss: int


@dataclass
class Account:
    real: int
    bonus: int
    scale: int = 2
    is_blocked: bool = False
    limits: dict[str, int] = field(default_factory=dict)
    counted: list[Counted] = field(default_factory=list)

    def passed(self, today: dt.date, stake: int, loss: int) -> bool:
        if stake == loss == 0:
            return False
        for name, limit in self.limits.items():
            kind, window = name.split("_")
            asked = stake if kind == "stake" else loss
            if kind == "stake" and not stake:
                continue
            before = 0
            for counted in self.counted:
                if same(window, counted.day, today):
                    before += counted.stake if kind == "stake" else counted.loss
            if before + asked > limit:
                return True
        return False


def same(window: str, one: dt.date, other: dt.date) -> bool:
    if window == "bet":
        return False
    if window == "day":
        return one == other
    if window == "week":
        return one.isocalendar()[:2] == other.isocalendar()[:2]
    return one.timetuple()[:2] == other.timetuple()[:2]


class Kept(NamedTuple):
    code: int
    ask: Ask
    amount: int


class SecondOpinion:
    def __init__(
        self,
        *,
        bonus_first: bool,
        by_event: bool,
        refuses_overtaken: bool = True,
        as_the_release_before: bool = False,
    ) -> None:
        self.bonus_first = bonus_first
        self.by_event = by_event
        self.refuses_overtaken = refuses_overtaken
        self.as_the_release_before = as_the_release_before
        self.window = dt.timedelta(seconds=600)
        self.accounts: dict[str, Account] = {}
        self.events: dict[tuple[str, str, bool], Event] = {}
        self.kept: dict[tuple[str, ...], Kept] = {}

    def event(self, ask: Ask) -> Event:
        is_streamer = ask.event_type.startswith("PromoStreamers")
        return self.events.setdefault((ask.user, ask.event, is_streamer), Event())

    def key(self, ask: Ask) -> tuple[str, ...]:
        if self.by_event or (ask.event_type, ask.direction) == ("PromoWin", "debit"):
            return ask.transaction_id, ask.event_type, ask.direction
        return (ask.transaction_id,)

    def ask(self, ask: Ask) -> Answer:
        account = self.accounts.get(ask.user)
        if account is None:
            return Answer(404)
        whole, _, fraction = ask.amount.partition(".")
        if fraction[account.scale :].strip("0"):
            return Answer(400)
        amount = int(whole + fraction[: account.scale].ljust(account.scale, "0"))

        kept = self.kept_for(ask)
        if kept is not None:
            return self.repeat(ask, amount, kept)
        answer = self.fresh(ask, account, amount)
        # A 409 of a fresh id is an abort's, and an outcome like 402, 456 and 405.
        if answer.code in OUTCOMES | {409} or answer.words is not None:
            self.kept[self.key(ask)] = Kept(answer.code, ask, amount)
            if answer.code != 200 and ask.event_type in BETS:
                note = Note("bet refused", ask.transaction_id, amount, ask.at)
                self.event(ask).notes.append(note)
        return answer

    def kept_for(self, ask: Ask) -> Kept | None:
        kept = self.kept.get(self.key(ask))
        if kept is None and self.by_event:
            # Before the scope was widened an id alone was the key.
            old = self.kept.get((ask.transaction_id,))
            named = ask.event_type, ask.direction
            if old is not None and (old.ask.event_type, old.ask.direction) == named:
                return old
        return kept

    def repeat(self, ask: Ask, amount: int, kept: Kept) -> Answer:
        first = kept.ask
        pairs = {
            "eventType": (ask.event_type, first.event_type),
            "direction": (ask.direction, first.direction),
            "userId": (ask.user, first.user),
            "eventId": (ask.event, first.event),
            "amount": (amount, kept.amount),
        }
        differs = next((name for name, (now, then) in pairs.items() if now != then), None)
        if kept.code != 200:
            return Answer(kept.code, is_repeat=True, differs=differs)
        if differs in {"eventType", "direction"}:
            return Answer(400, differs=differs)
        return Answer(409, is_repeat=differs is None, differs=differs)

    def fresh(self, ask: Ask, account: Account, amount: int) -> Answer:
        if ask.token == "unknown":
            return Answer(417)
        if ask.token == "expired" and ask.event_type in PLAY:
            return Answer(410)
        if account.is_blocked and ask.event_type in PLAY:
            return Answer(405)
        event, kind = self.event(ask), ask.event_type
        if kind in ABORTS:
            return self.abort(ask, account, event, amount)
        if kind in PAYMENT_ABORTS:
            return self.payment_abort(ask, account, event, amount)
        if kind == CANCEL:
            return self.cancel(ask, account, event, amount)
        if kind in {"Win", "Lose"} and not self.may_settle(event):
            return Answer(406)
        flag = None
        if kind in BETS:
            overtaken = self.overtaken(ask, event, amount)
            if isinstance(overtaken, Note):
                event.notes.append(overtaken)
                return Answer(400, words="overtaken")
            flag = overtaken
        if kind in PLAY:
            answer = self.play(ask, account, event, amount)
            return answer._replace(flag=flag) if answer.code == 200 else answer
        if ask.direction == "debit":
            return self.plain_debit(account, amount)
        return self.credit(ask, account, event, amount)

    def may_settle(self, event: Event) -> bool:
        if event.standing("bet"):
            return True
        return event.cancels > 0 if self.as_the_release_before else event.may_be_settled_anew

    def overtaken(self, ask: Ask, event: Event, amount: int) -> Note | str | None:
        """The note that a bet's refusal leaves, or the flag of a bet that is accepted."""
        flag = "abort_overtook" if amount in event.amounts else None
        if self.as_the_release_before:
            return flag
        meant = [
            abort
            for abort in event.memory().waiting
            if (
                abort.transaction_id == ask.transaction_id
                if self.by_event
                else abort.amount == amount
            )
        ]
        fresh = [abort for abort in meant if ask.at <= abort.at + self.window]
        if fresh and self.refuses_overtaken:
            return fresh[0]._replace(what="abort used")
        return "abort_overtook" if meant else flag

    def play(self, ask: Ask, account: Account, event: Event, amount: int) -> Answer:
        today, stake = ask.at.date(), 0 if ask.event_type == "Tip" else amount
        if account.passed(today, stake, amount):
            return Answer(456)
        if ask.event_type == "Tip":
            if amount > max(account.real, 0):
                return Answer(402)
            account.real -= amount
            account.counted.append(Counted(today, 0, amount))
            return Answer(200, -amount)
        answer = self.plain_debit(account, amount)
        if answer.code == 200:
            account.counted.append(Counted(today, amount, amount))
            event.things.append(
                Thing("bet", amount, -answer.real, -answer.bonus, ask.transaction_id, today)
            )
        return answer

    def plain_debit(self, account: Account, amount: int) -> Answer:
        """A stake or a correction: one unit after the other, from a pocket that has one."""
        if amount and amount > account.real + account.bonus:
            return Answer(402)
        real = bonus = 0
        if self.bonus_first:
            bonus = min(amount, account.bonus)
            real = amount - bonus
        else:
            real = min(amount, max(account.real, 0))
            bonus = amount - real
        if amount and (real > max(account.real, 0) or bonus > account.bonus):
            return Answer(402)
        account.real -= real
        account.bonus -= bonus
        return Answer(200, -real, -bonus)

    def credit(self, ask: Ask, account: Account, event: Event, amount: int) -> Answer:
        kind, bonus = ask.event_type, 0
        if kind in {"Win", "PromoWin", "DropAndWin"} and (ask.bonus_code or "").strip():
            bonus = amount
        elif kind in PAYMENTS:
            stakes = event.standing("bet")
            whole = sum(bet.amount for bet in stakes)
            if whole:
                bonus = amount * sum(bet.bonus for bet in stakes) // whole
        answer = self.pay_in(account, amount - bonus, bonus)
        if kind in PAYMENTS and answer.code == 200:
            today = ask.at.date()
            event.things.append(
                Thing("payment", amount, answer.real, answer.bonus, ask.transaction_id, today)
            )
            account.counted.append(Counted(today, 0, -amount))
        return answer

    def pay_in(self, account: Account, real: int, bonus: int) -> Answer:
        """A debt is paid first: unit by unit, as far as real would still be below zero."""
        missing = max(0, -(account.real + real))
        moved = min(missing, bonus)
        account.real += real + moved
        account.bonus += bonus - moved
        return Answer(200, real + moved, bonus - moved)

    def abort(self, ask: Ask, account: Account, event: Event, amount: int) -> Answer:
        answer = self.void_bet(ask, account, event, amount)
        mark = Note("abort refused", ask.transaction_id, amount, ask.at)
        if answer.code == 200:
            event.notes.append(mark._replace(what="abort accepted"))
        elif self.as_the_release_before:
            if amount not in event.amounts and len(event.amounts) < AMOUNTS_MAX:
                event.amounts.append(amount)
        elif not any(bet.amount == amount for bet in event.standing("bet")):
            known = [one.transaction_id for one in event.notes if one.what == mark.what]
            if ask.transaction_id not in known:
                event.notes.append(mark)
        return answer

    def void_bet(self, ask: Ask, account: Account, event: Event, amount: int) -> Answer:
        if ask.transaction_id in event.memory().used:
            return Answer(409)
        if not event.of("bet") or (self.as_the_release_before and event.payments()):
            return Answer(406)
        if not event.standing("bet"):
            return Answer(409)
        if len(event.payments()) >= len(event.standing("bet")):
            return Answer(406)
        fitting = [bet for bet in event.standing("bet") if bet.amount == amount]
        if self.by_event:
            own = [bet for bet in fitting if bet.transaction_id == ask.transaction_id]
            fitting = own or fitting
        if not fitting:
            return Answer(406)
        bet = fitting[0]
        bet.stands = False
        answer = self.pay_in(account, bet.real, bet.bonus)
        account.counted.append(Counted(bet.day, -amount, -amount))
        event.things.append(
            Thing("abort", amount, answer.real, answer.bonus, "", bet.day, undone=bet)
        )
        return answer._replace(flag="abort_beside_payment" if event.payments() else None)

    def payment_abort(self, ask: Ask, account: Account, event: Event, amount: int) -> Answer:
        payments = event.payments()
        exact = [p for p in payments if p.real + p.bonus == amount]
        enough = [p for p in payments if p.real + p.bonus >= amount]
        found = exact or enough
        if not found:
            return Answer(406)
        payment = found[0]
        bonus = amount * payment.bonus // (payment.real + payment.bonus)
        answer = self.draw(account, amount, amount - bonus, bonus, may_overdraw=False)
        if answer.code == 200:
            payment.real -= amount - bonus
            payment.bonus -= bonus
            account.counted.append(Counted(ask.at.date(), 0, amount))
        return answer

    def cancel(self, ask: Ask, account: Account, event: Event, amount: int) -> Answer:
        event.cancels += 1
        if amount == 0 and not event.standing("bet"):
            event.may_be_settled_anew = True
        payments = event.payments()
        exact = [p for p in payments if p.real + p.bonus == amount][:1]
        aborts = [a for a in event.standing("abort") if a.amount == amount]
        if not exact and aborts:
            (abort, bet) = aborts[0], aborts[0].undone
            assert bet is not None
            abort.stands, bet.stands = False, True
            account.counted.append(Counted(bet.day, amount, amount))
            return self.draw(account, amount, abort.real, abort.bonus, may_overdraw=True)
        from_real = from_bonus = 0
        missing = amount
        for payment in exact or payments:
            whole = payment.real + payment.bonus
            taken = min(whole, missing)
            bonus = taken * payment.bonus // whole
            payment.real -= taken - bonus
            payment.bonus -= bonus
            from_real += taken - bonus
            from_bonus += bonus
            missing -= taken
        event.uncovered += missing
        if missing:
            event.may_be_settled_anew = True
        account.counted.append(Counted(ask.at.date(), 0, amount))
        return self.draw(account, amount, from_real, from_bonus, may_overdraw=True)

    def draw(
        self, account: Account, amount: int, real: int, bonus: int, *, may_overdraw: bool
    ) -> Answer:
        """Take back: in the parts, then real, then bonus, then (a cancel only) below zero."""
        real_there, bonus_there = max(account.real, 0), account.bonus
        taken_real, taken_bonus = min(real, real_there), min(bonus, bonus_there)
        more = min(amount - taken_real - taken_bonus, real_there - taken_real)
        taken_real += more
        more = min(amount - taken_real - taken_bonus, bonus_there - taken_bonus)
        taken_bonus += more
        missing = amount - taken_real - taken_bonus
        if missing and not may_overdraw:
            return Answer(402)
        taken_real += missing
        account.real -= taken_real
        account.bonus -= taken_bonus
        return Answer(200, -taken_real, -taken_bonus)
