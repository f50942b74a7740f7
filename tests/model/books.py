"""The naive model's books: what a player has, bet, was paid and was given back.

Written from the contracts alone, with plain values and no cleverness; nothing of the wallet
itself is imported. Amounts are whole numbers of the currency's smallest unit.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

SCALES = {
    **dict.fromkeys(("USD", "CNY", "PHP", "HKD", "THB", "BDT", "INR"), 2),
    **dict.fromkeys(("KRW", "JPY", "VND"), 0),
    "BTC": 8,
}
CRYPTO = {"BTC"}
AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)

LIMITS = (
    *("stake_bet", "stake_day", "stake_week", "stake_month"),
    *("loss_day", "loss_week", "loss_month"),
    *("deposit_day", "deposit_week", "deposit_month"),
    *("stake_bet:casino", "stake_day:casino", "loss_day:casino", "stake_month:live"),
    "loss_week:live",
)
"""Nobody has named a game here, so that each counts against the limits of every product."""
COOLING = timedelta(hours=24)
"""so long a raised limit waits, before it may be confirmed"""
FOREVER = datetime.max.replace(tzinfo=UTC)


def units(text: str, scale: int) -> int | None:
    """Count an amount in smallest units; None if it is finer than that."""
    whole, _, fraction = text.partition(".")
    if fraction[scale:].strip("0"):
        return None
    return int(whole + fraction[:scale].ljust(scale, "0"))


def largest(currency: str) -> int:
    """What no balance may exceed, either way."""
    digits = 12 if currency in CRYPTO else 18
    return int("9" * (digits + SCALES[currency]))


@dataclass
class Bet:
    transaction_id: str
    amount: int
    real: int
    bonus: int
    placed_at: datetime
    stands: bool = True


@dataclass
class Payment:
    """A payment above 0; `real` and `bonus`: what of it still stands."""

    real: int
    bonus: int

    @property
    def stands(self) -> int:
        return self.real + self.bonus


@dataclass
class GivenBack:
    """An abort: its bet, and what each pocket really got."""

    bet: Bet
    real: int
    bonus: int
    undone: bool = False


@dataclass
class EarlyAbort:
    """An abort told 406 or 409 while no bet of its amount stood."""

    transaction_id: str
    amount: int
    first_at: datetime
    waits: bool
    """for a bet to refuse; not if it means a bet that had been refused for ever before it"""
    refused_a_bet: bool = False


@dataclass
class Round:
    """One event of one player; ordinary and streamer rounds are apart."""

    event_id: str
    bets: list[Bet] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    given_back: list[GivenBack] = field(default_factory=list)
    overdrawn: int = 0
    """what SportBetCancels took beyond the payments that stood"""
    settles_anew: bool = False
    """whether a SportBetCancel lacked something to take back, or was one of 0 without a bet"""
    early_aborts: list[EarlyAbort] = field(default_factory=list)
    refused_bets: list[int] = field(default_factory=list)
    """amounts of bets refused for ever; each is struck off by one abort of the amount"""
    settled: bool = False
    """whether a Win or Lose came after the latest bet and SportBetCancel"""

    @property
    def standing(self) -> list[Bet]:
        return [bet for bet in self.bets if bet.stands]

    @property
    def paid(self) -> list[Payment]:
        return [payment for payment in self.payments if payment.stands]

    def note_refused_abort(self, transaction_id: str, amount: int, now: datetime) -> None:
        """Remember a refused abort once, unless a bet of its amount stands."""
        if any(early.transaction_id == transaction_id for early in self.early_aborts):
            return
        if any(bet.amount == amount for bet in self.standing):
            return
        waits = amount not in self.refused_bets
        if not waits:
            self.refused_bets.remove(amount)
        self.early_aborts.append(EarlyAbort(transaction_id, amount, now, waits))

    def note_accepted_abort(self, transaction_id: str) -> None:
        for early in self.early_aborts:
            if early.transaction_id == transaction_id:
                early.waits = False

    def has_used(self, transaction_id: str) -> bool:
        """Whether this abort refused a bet."""
        return any(
            early.refused_a_bet and early.transaction_id == transaction_id
            for early in self.early_aborts
        )


@dataclass(eq=False)
class Operation:
    """A win, a lost, a refund, a discard or a rollback of Betby's that had an effect."""

    what: str
    line: "list[Operation]"
    """the operation that nothing undid first, and what undid it and let it stand again"""
    parent: "Operation | None" = None
    """what a rollback names"""
    amount: int = 0
    real: int = 0
    bonus: int = 0
    """what each pocket got; of a rollback that took money, what it had got before"""
    our_id: str | None = None
    answer: "Declined | None" = None


@dataclass(eq=False)
class Slip:
    """A bet of Betby's, and what became of it."""

    player: "Player"
    bet: Bet
    our_id: str = ""
    operations: list[Operation] = field(default_factory=list)
    settled: bool = False

    def undone_by(self, operation: Operation) -> Operation | None:
        """Return the latest rollback that names an operation and that stands itself."""
        for later in reversed(self.operations):
            if later.parent is operation and self.stands(later):
                return later
        return None

    def stands(self, operation: Operation) -> bool:
        return self.undone_by(operation) is None

    @property
    def given_back_by(self) -> Operation | None:
        """Return the operation by which the stake came back last; None: the bet stands."""
        for operation in self.operations:
            if operation.what in {"refund", "discard"} and self.stands(operation):
                return operation.line[-1]
        return None

    @property
    def paid(self) -> int:
        wins = [one for one in self.operations if one.what == "win" and self.stands(one)]
        return sum(win.amount for win in wins)


@dataclass
class Player:
    user_id: str
    agent: str
    currency: str
    nickname: str
    language: str
    real: int = 0
    bonus: int = 0
    suspended: bool = False
    excluded_until: datetime | None = None
    zone: tzinfo = UTC
    """whose days limits count in"""
    limits: dict[str, int] = field(default_factory=dict)
    raises: dict[str, tuple[int | None, datetime]] = field(default_factory=dict)
    """what was asked for beyond a limit, and from when it may be confirmed"""
    deposits: list[tuple[datetime, int]] = field(default_factory=list)
    rounds: dict[tuple[str, bool], Round] = field(default_factory=dict)
    """by event and whether it is a streamer's"""
    slips: list[Slip] = field(default_factory=list)
    losses: list[tuple[datetime, int]] = field(default_factory=list)
    """tips, less what was won, plus what was taken back; bets are counted by themselves"""

    @property
    def scale(self) -> int:
        return SCALES[self.currency]

    @property
    def balance(self) -> int:
        return self.real + self.bonus

    def blocked(self, now: datetime) -> bool:
        return self.suspended or (self.excluded_until is not None and self.excluded_until > now)

    def round(self, event_id: str, *, streamer: bool) -> Round:
        return self.rounds.setdefault((event_id, streamer), Round(event_id))

    # --- limits -------------------------------------------------------------------------------

    def ask_limit(self, name: str, amount: int | None, now: datetime) -> None:
        """Lower at once; raise only later, and the same raise again no later than before."""
        held = self.limits.get(name)
        is_raise = held is not None and (amount is None or amount > held)
        if not is_raise:
            self.raises.pop(name, None)
            self.set_limit(name, amount)
        elif name not in self.raises or self.raises[name][0] != amount:
            self.raises[name] = amount, now + COOLING

    def set_limit(self, name: str, amount: int | None) -> None:
        if amount is None:
            self.limits.pop(name, None)
        else:
            self.limits[name] = amount

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def staked(self, begin: date, end: date) -> int:
        bets = [bet for round_ in self.rounds.values() for bet in round_.standing]
        bets += [slip.bet for slip in self.slips if slip.bet.stands]
        return sum(bet.amount for bet in bets if begin <= self.day(bet.placed_at) < end)

    def lost(self, begin: date, end: date) -> int:
        return self.staked(begin, end) + sum(
            amount for at, amount in self.losses if begin <= self.day(at) < end
        )

    def deposit_beyond(self, amount: int, now: datetime) -> tuple[str, int] | None:
        """Return the first deposit limit that this amount breaks, and what it still allowed."""
        for window, (begin, end) in windows(self.day(now)).items():
            name = f"deposit_{window}"
            used = sum(paid for at, paid in self.deposits if begin <= self.day(at) < end)
            if name in self.limits and used + amount > self.limits[name]:
                return name, max(0, self.limits[name] - used)
        return None

    def exceeds(self, amount: int, now: datetime, *, is_stake: bool) -> bool:
        """Say whether playing for this amount breaks one of the player's limits."""
        room = self.room(now, is_stake=is_stake)
        return amount > 0 and room is not None and amount > room

    def room(self, now: datetime, *, is_stake: bool = True) -> int | None:
        """Return what the player's limits leave of play; None: everything."""
        rooms = []
        used = {"stake_bet": 0}
        for name, (begin, end) in windows(self.day(now)).items():
            used[f"stake_{name}"] = self.staked(begin, end)
            used[f"loss_{name}"] = self.lost(begin, end)
        for name, limit in self.limits.items():
            kind, _, product = name.partition(":")
            if kind not in used or (kind.startswith("stake") and not is_stake):
                continue
            # What was won in a game without a name lowers no product's loss.
            rooms.append(limit - (max(0, used[kind]) if product else used[kind]))
        return min(rooms, default=None)


def windows(day: date) -> dict[str, tuple[date, date]]:
    """Return the day, the week (from Monday) and the month that a day lies in."""
    week = day - timedelta(days=day.weekday())
    month = day.replace(day=1)
    return {
        "day": (day, day + timedelta(days=1)),
        "week": (week, week + timedelta(days=7)),
        "month": (month, (month + timedelta(days=32)).replace(day=1)),
    }


@dataclass
class Declined:
    """What a transaction id was used for, and the answer it got."""

    content: dict[str, Any]
    code: int
    first: bytes | None = None
    """the first answer's bytes, filled in by whoever saw them"""
