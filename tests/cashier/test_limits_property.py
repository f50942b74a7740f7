"""No sequence of movements, limit changes and clock moves passes a limit that it should not.

Deposits, bets, wins, aborts, cancels and holds; raises that are asked for, confirmed and taken
back; clocks that cross days, weeks, months and the end of daylight saving time. The model keeps
every movement in a list and counts anew each time; the wallet keeps sums.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from app.ledger.limits import limits_in_force, terms_of, terms_text
from app.wallet.balance import Pockets
from app.wallet.decision import decide_all
from app.wallet.events import Direction, EventType
from app.wallet.facts import Facts, Policy, Wallet
from app.wallet.further_limits import Counter, FurtherLimits, GameName, counters_of
from app.wallet.holds import Hold, HoldKey
from app.wallet.journal import CHAIN_START, JournalEntry, microseconds
from app.wallet.limit_days import LimitDays
from app.wallet.limit_terms import (
    DEPOSIT_LIMITS,
    Author,
    NotConfirmed,
    Term,
    changed,
    changed_terms,
    confirmed,
    confirmed_terms,
)
from app.wallet.limits import NO_LIMITS, Limits, Usage
from app.wallet.money import Currency
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Declined, Posting, Refused
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey

USD = Currency("USD", 2)
BERLIN = ZoneInfo("Europe/Berlin")
POLICY = Policy(limit_days=LimitDays("Europe/Berlin", BERLIN))
START = datetime(2026, 10, 23, 20, 0, tzinfo=UTC)
"""A Friday evening, two days before a day of 25 hours, a week before a month's end."""

COOLING = timedelta(hours=24)
SECOND_US = 1_000_000
GAMES = {"x": 1, "y": 2, "z": 3}
"""The game of each event; the third has no name."""
PRODUCTS = {1: "casino", 2: "sport"}
NAMES = {game: (GameName(START - COOLING, name),) for game, name in PRODUCTS.items()}
LIMIT_NAMES = [
    *Limits._fields,
    *DEPOSIT_LIMITS,
    *(f"{name}:{product}" for name in Limits._fields for product in PRODUCTS.values()),
]

minor = st.sampled_from([0, 1, 10, 20, 30, 50, 100])
"""Few amounts: so that sums meet limits exactly, and aborts their bets."""

amounts = st.one_of(minor, st.none())


@dataclass
class Counted:
    """What one movement counts, on which day and for which product."""

    day: date
    stake: int
    loss: int
    deposit: int = 0
    product: str | None = None


@dataclass
class Asked:
    """The model of one limit: what is in force, and what was asked for, and when."""

    value: int | None = None
    wanted: int | None = None
    since: datetime | None = None

    def ask(self, amount: int | None, now: datetime) -> None:
        if not _above(amount, self.value):
            self.value, self.since = amount, None
        elif self.since is None or amount != self.wanted:
            self.wanted, self.since = amount, now

    def confirm(self, now: datetime) -> bool:
        if self.since is None or now < self.since + COOLING:
            return False
        self.value, self.since = self.wanted, None
        return True


@dataclass
class Life:
    """A player, the wallet's sums under test, and the model's plain list."""

    now: datetime = START
    wallet: Wallet = field(
        default_factory=lambda: Wallet(
            player_id=1,
            agent="house",
            currency=USD,
            pockets=Pockets(100_000, 0),
            version=0,
            position=0,
            chain=CHAIN_START,
            revision=0,
            is_blocked=False,
            limits=NO_LIMITS,
            usage=Usage(1),
        )
    )
    rounds: dict[RoundKey, Round] = field(default_factory=dict)
    histories: dict[str, list[JournalEntry]] = field(default_factory=dict)
    terms: dict[str, Term] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    counts: list[Counted] = field(default_factory=list)
    holds: dict[HoldKey, Hold] = field(default_factory=dict)
    numbers: int = 0

    @property
    def today(self) -> date:
        return self.now.astimezone(BERLIN).date()

    def author(self) -> Author:
        return Author("house", microseconds(self.now))

    def ask_limit(self, name: str, amount: int | None) -> None:
        before = counters_of(self.terms)
        terms = changed_terms(
            self.terms,
            {name: amount},
            cooling=COOLING // timedelta(microseconds=1),
            author=self.author(),
            needs_confirmation=True,
        )
        self.terms = terms_of(terms_text(terms))
        assert self.terms == terms
        for counter in counters_of(self.terms) - before:
            self.counters[counter] = self.begun(counter)
        self.asked.setdefault(name, Asked()).ask(amount, self.now)

    def begun(self, counter: str) -> Counter:
        """What the journal says of the windows that are running."""
        what, _, product = counter.partition(":")
        sums = (self.used(window, what, product) for window in ("day", "week", "month"))
        return Counter(self.today.toordinal(), *sums)

    def confirm(self, name: str) -> None:
        terms = confirmed_terms(self.terms, [name], self.author())
        is_confirmed = self.asked.setdefault(name, Asked()).confirm(self.now)
        assert is_confirmed is not isinstance(terms, NotConfirmed)
        if not isinstance(terms, NotConfirmed):
            self.terms = terms

    def move(
        self, kind: EventType, way: Direction, amount: int, event_id: str, hold: HoldKey | None
    ) -> Posting | Declined | Refused:
        self.numbers += 1
        is_cashier = event_id == ""
        movement = Movement(
            delivery=self.numbers.to_bytes(16),
            key=Key("house" if is_cashier else "callback", f"t{self.numbers}", ""),
            user_id="anna",
            event_type=kind,
            direction=way,
            amount=USD.text(amount),
            received_at=self.now,
            event_id=event_id or None,
            game_id=GAMES.get(event_id),
            hold=hold,
        )
        limits, further = NO_LIMITS, None
        text = terms_text(self.terms)
        if text is not None:
            limits, in_force = limits_in_force(text, microseconds(self.now))
            further = None if in_force is None else FurtherLimits(in_force, self.counters)
        wallet = self.wallet._replace(limits=limits, further=further)
        facts = Facts(
            self.now, {"anna": wallet}, {}, self.rounds, {}, games=NAMES, holds=self.holds
        )
        decisions = decide_all((movement,), facts, POLICY)
        (outcome,) = decisions.receipts
        assert isinstance(outcome, Posting | Declined | Refused)
        self.wallet = decisions.wallets.get("anna", self.wallet)
        if self.wallet.further is not None:
            self.counters = dict(self.wallet.further.counters)
        self.holds |= dict(decisions.holds)
        history = self.histories.setdefault(event_id, [])
        if isinstance(outcome, Posting):
            history.append(outcome.entry)
        key = RoundKey(1, event_id, is_streamer=False)
        after = decisions.rounds.get(key)
        if after is not None:
            self.rounds[key] = after.round._replace(history=tuple(history))
        return outcome

    def used(self, window: str, what: str, product: str | None = None) -> int:
        """Count anew what the window that contains today has seen; `""`: games without a name."""
        return sum(
            getattr(count, what)
            for count in self.counts
            if _same_window(window, count.day, self.today)
            and (product is None or what == "deposit" or (count.product or "") == product)
        )

    def follow(self, entry: JournalEntry) -> None:
        """Count an accepted movement as the contract says."""
        amount, today = entry.amount, self.today
        product = PRODUCTS.get(entry.game_id or 0)
        match entry.event_type:
            case EventType.BET_PLACING:
                self.counts.append(Counted(today, amount, amount, product=product))
            case EventType.TIP:
                self.counts.append(Counted(today, 0, amount, product=product))
            case EventType.WIN:
                self.counts.append(Counted(today, 0, -amount, product=product))
            case EventType.BET_PLACING_ABORT:
                self.counts.append(
                    Counted(self._day_of_target(entry), -amount, -amount, 0, product)
                )
            case EventType.SPORT_BET_CANCEL if self._undoes_abort(entry):
                (abort,) = self._targets(entry)
                day = self._day_of_target(abort)
                self.counts.append(Counted(day, amount, amount, product=product))
            case EventType.SPORT_BET_CANCEL | EventType.BET_PAYED_ABORT:
                self.counts.append(Counted(today, 0, amount, product=product))
            case EventType.DEPOSIT:
                self.counts.append(Counted(today, 0, 0, amount))
            case (
                EventType.WITHDRAWAL_HOLD
                | EventType.WITHDRAWAL_SETTLE
                | EventType.WITHDRAWAL_RELEASE
                | EventType.WITHDRAWAL
            ):
                pass
            case _:
                raise AssertionError(entry.event_type)

    def _targets(self, entry: JournalEntry) -> list[JournalEntry]:
        history = self.histories[entry.event_id or ""]
        positions = {reversal.position for reversal in entry.reverses}
        return [other for other in history if other.position in positions]

    def _day_of_target(self, entry: JournalEntry) -> date:
        (target,) = self._targets(entry)
        return target.ledger_time.astimezone(BERLIN).date()

    def _undoes_abort(self, entry: JournalEntry) -> bool:
        kinds = [target.event_type for target in self._targets(entry)]
        return kinds == [EventType.BET_PLACING_ABORT]

    def totals(self, step: str, amount: int, event_id: str) -> Iterator[tuple[str, int]]:
        """Each limit that a movement is held to, and what its window would then have seen."""
        if amount == 0:
            return
        windows = ("day", "week", "month")
        if step == "deposit":
            yield from ((f"deposit_{w}", self.used(w, "deposit") + amount) for w in windows)
        if step not in {"bet", "tip"}:
            return
        named = PRODUCTS.get(GAMES[event_id])
        products: list[str | None] = [None, *(PRODUCTS.values() if named is None else [named])]
        for product in products:
            suffix = f":{product}" if product else ""
            if step == "bet":
                yield f"stake_bet{suffix}", amount
            for w in windows:
                stake, loss = self.used(w, "stake", product), self.used(w, "loss", product)
                if product:
                    stake += self.used(w, "stake", "")
                    loss += max(0, self.used(w, "loss", ""))
                if step == "bet":
                    yield f"stake_{w}{suffix}", stake + amount
                yield f"loss_{w}{suffix}", loss + amount

    def passed(self, step: str, amount: int, event_id: str) -> list[str]:
        """The limits in force that a movement would pass, counted anew."""
        in_force = {name: asked.value for name, asked in self.asked.items()}
        return [
            name
            for name, total in self.totals(step, amount, event_id)
            if (limit := in_force.get(name)) is not None and total > limit
        ]


def _same_window(window: str, one: date, other: date) -> bool:
    match window:
        case "day":
            return one == other
        case "week":
            return one.isocalendar()[:2] == other.isocalendar()[:2]
        case _:
            return (one.year, one.month) == (other.year, other.month)


MOVES = {
    "bet": (EventType.BET_PLACING, Direction.DEBIT),
    "tip": (EventType.TIP, Direction.DEBIT),
    "win": (EventType.WIN, Direction.CREDIT),
    "abort": (EventType.BET_PLACING_ABORT, Direction.CREDIT),
    "cancel": (EventType.SPORT_BET_CANCEL, Direction.DEBIT),
    "take back": (EventType.BET_PAYED_ABORT, Direction.DEBIT),
}
CASHIERS = {
    "deposit": (EventType.DEPOSIT, Direction.CREDIT),
    "withdraw": (EventType.WITHDRAWAL, Direction.DEBIT),
    "hold": (EventType.WITHDRAWAL_HOLD, Direction.DEBIT),
    "settle": (EventType.WITHDRAWAL_SETTLE, Direction.DEBIT),
    "release": (EventType.WITHDRAWAL_RELEASE, Direction.CREDIT),
}
FOR_A_LIMIT = {Refusal.LIMIT_EXCEEDED, Refusal.DEPOSIT_LIMIT}

steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(MOVES)), minor, st.sampled_from("xyz")),
        st.tuples(st.just("limit"), amounts, st.sampled_from(LIMIT_NAMES)),
        st.tuples(st.just("confirm"), st.none(), st.sampled_from(LIMIT_NAMES)),
        st.tuples(
            st.just("wait"), st.sampled_from([1, 3600, 14 * 3600, 86400, 4 * 86400]), st.just("")
        ),
        st.tuples(st.sampled_from(["bet", "abort"]), st.sampled_from([10, 20]), st.just("x")),
        st.tuples(st.sampled_from(sorted(CASHIERS)), minor, st.just("")),
        # Limits and raises of few names, so that some are asked for twice and confirmed.
        st.tuples(
            st.sampled_from(["limit", "confirm"]),
            st.sampled_from([10, 50, None]),
            st.sampled_from(["stake_day", "deposit_day", "loss_week:casino"]),
        ),
        # Wins of a game without a name, which lower no product's loss.
        st.tuples(st.sampled_from(["bet", "win"]), st.sampled_from([10, 100]), st.just("z")),
    ),
    min_size=5,
    max_size=60,
)


@given(steps)
@example(
    [
        ("limit", 50, "loss_day:casino"),
        ("bet", 10, "z"),
        ("win", 100, "z"),
        ("bet", 100, "x"),
    ]
)
@example(
    [
        ("limit", 50, "loss_month:sport"),
        ("bet", 50, "z"),
        ("bet", 10, "y"),
        ("win", 100, "z"),
        ("bet", 50, "y"),
        ("tip", 10, "y"),
    ]
)
def test_no_sequence_passes_a_limit(sequence: list[tuple[str, int | None, str]]) -> None:
    life = Life()
    for step, amount, what in sequence:
        if step == "limit":
            life.ask_limit(what, amount)
        elif step == "confirm":
            life.confirm(what)
        elif step == "wait":
            life.now += timedelta(seconds=amount or 0)
        else:
            _move_and_check(life, step, amount or 0, what)


def _move_and_check(life: Life, step: str, amount: int, event_id: str) -> None:
    kind, way = (MOVES | CASHIERS)[step]
    key = next(reversed(life.holds), None) if step in {"settle", "release"} else None
    if step in {"settle", "release"}:
        if key is None:
            return
        amount = life.holds[key].amount
    elif step == "hold" and amount == 0:
        return
    passed = life.passed(step, amount, event_id)
    outcome = life.move(kind, way, amount, event_id, key)
    if isinstance(outcome, Posting):
        assert not passed, f"{step} of {amount} passed {passed}"
        life.follow(outcome.entry)
        _check_sums(life)
    elif outcome.refusal in FOR_A_LIMIT:
        assert passed, f"{step} of {amount} was refused, and passes no limit"
        assert step in {"bet", "tip", "deposit"}, "a limit stood in the way of money coming back"
    else:
        assert step not in {"deposit", "win"} or outcome.refusal is Refusal.NO_MATCHING_MOVEMENT
        is_closed = outcome.refusal is Refusal.HOLD_CLOSED
        assert step not in {"settle", "release"} or is_closed


def _check_sums(life: Life) -> None:
    """Compare what the wallet keeps with the plain list, in the windows of its last movement."""
    for window in ("day", "week", "month"):
        for what in ("stake", "loss"):
            kept = getattr(life.wallet.usage, f"{what}_{window}")
            if life.wallet.usage.day == life.today.toordinal():
                assert kept == life.used(window, what), f"{what}_{window}"
    for name, counter in life.counters.items():
        what, _, product = name.partition(":")
        rolled = counter.rolled(life.today.toordinal())
        for window in ("day", "week", "month"):
            assert getattr(rolled, window) == life.used(window, what, product), name


# --- a term on its own -----------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 3 * 86400), amounts), min_size=1, max_size=12),
    st.integers(0, 4 * 86400),
)
def test_an_automatic_raise_is_never_above_what_cooled_off(
    asked: list[tuple[int, int | None]], wait: int
) -> None:
    cooling = 86400 * SECOND_US
    term, now = Term(), 0
    said: list[tuple[int, int | None]] = [(-cooling, None)]
    for pause, amount in asked:
        now += pause * SECOND_US
        before = term.at(now)
        term = changed(term, amount, cooling=cooling, author=Author("house", now))
        after = term.at(now)
        # At once it is only ever lowered.
        assert after == before if _above(amount, before) else after == amount
        said.append((now, amount))
    now += wait * SECOND_US
    allowed = [amount for at, amount in said if at <= now - cooling][-1:]
    allowed += [amount for at, amount in said if at > now - cooling]
    numbers = [amount for amount in allowed if amount is not None]
    assert not _above(term.at(now), min(numbers) if numbers else None)
    if wait * SECOND_US >= cooling:
        assert term.at(now) == asked[-1][1], "what was asked for last holds in the end"


@given(st.lists(st.tuples(st.integers(0, 3 * 86400), st.booleans(), amounts), max_size=12))
def test_a_raise_holds_only_after_its_time_and_its_confirmation(
    sequence: list[tuple[int, bool, int | None]],
) -> None:
    cooling = 86400 * SECOND_US
    term, now = Term(50), 0
    for pause, confirms, amount in sequence:
        now += pause * SECOND_US
        before, author = term.at(now), Author("house", now)
        assert before == term.amount, "time alone raises nothing"
        if not confirms:
            term = changed(term, amount, cooling=cooling, author=author, needs_confirmation=True)
            assert not _above(term.at(now), before)
            continue
        after = confirmed(term, author)
        may_be = term.starts_at is not None and term.starts_at <= now
        assert may_be is not isinstance(after, NotConfirmed)
        if not isinstance(after, NotConfirmed):
            assert after == Term(term.later, set_by=author)
            term = after


def test_the_same_raise_asked_for_again_does_not_wait_longer_and_another_one_waits_in_full() -> (
    None
):
    cooling = 86400 * SECOND_US
    first = changed(Term(5), 9, cooling=cooling, author=Author("a", 0), needs_confirmation=True)
    again = changed(first, 9, cooling=cooling, author=Author("a", 7), needs_confirmation=True)
    assert again == first
    other = changed(first, 8, cooling=cooling, author=Author("a", 7), needs_confirmation=True)
    assert other.starts_at == 7 + cooling


def test_without_a_period_an_automatic_raise_holds_at_once() -> None:
    author = Author("house", 0)
    assert changed(Term(5), 9, cooling=0, author=author) == Term(9, set_by=author)
    assert changed(Term(5), None, cooling=0, author=author).at(0) is None


def _above(one: int | None, other: int | None) -> bool:
    return other is not None and (one is None or one > other)
