"""No sequence of bets, wins, aborts, cancels, limit changes and clock moves passes a limit.

The model keeps every movement in a list and counts anew each time; the wallet keeps sums.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.ledger.limits import terms_of, terms_text
from app.wallet.balance import Pockets
from app.wallet.decision import decide_all
from app.wallet.events import Direction, EventType
from app.wallet.facts import Facts, Policy, Wallet
from app.wallet.journal import CHAIN_START, JournalEntry, microseconds
from app.wallet.limit_terms import Term, changed, changed_terms
from app.wallet.limits import NO_LIMITS, Limits, Usage
from app.wallet.money import Currency
from app.wallet.movement import Key, Movement
from app.wallet.outcomes import Declined, Posting, Refused
from app.wallet.refusals import Refusal
from app.wallet.rounds import Round, RoundKey

USD = Currency("USD", 2)
START = datetime(2026, 11, 27, 22, 0, tzinfo=UTC)
"""A Friday evening near the end of a month: days, weeks and months are crossed soon."""

COOLING = timedelta(hours=24)
SECOND_US = 1_000_000

minor = st.sampled_from([0, 1, 10, 20, 30, 50, 100])
"""Few amounts: so that sums meet limits exactly, and aborts their bets."""

amounts = st.one_of(minor, st.none())


@dataclass
class Counted:
    """What one movement counts, and on which day."""

    day: datetime
    stake: int
    loss: int


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
    agreed: dict[str, list[tuple[datetime, int | None]]] = field(default_factory=dict)
    """each limit's values as asked for, with when"""
    counts: list[Counted] = field(default_factory=list)
    numbers: int = 0

    def ask_limit(self, name: str, amount: int | None) -> None:
        self.terms = changed_terms(
            self.terms,
            {name: amount},
            now=microseconds(self.now),
            cooling=COOLING // timedelta(microseconds=1),
        )
        self.terms = terms_of(terms_text(self.terms))
        self.agreed.setdefault(name, []).append((self.now, amount))

    def strictest(self, name: str) -> int | None:
        """The limit in force while raised ones cool off.

        It is the least of those asked for during the last period and of the one in force when that
        period began, which is the last one asked for before it.
        """
        asked = self.agreed.get(name, [])
        before = [amount for at, amount in asked if at <= self.now - COOLING]
        within = [amount for at, amount in asked if at > self.now - COOLING]
        held = [before[-1]] if before else [None]
        numbers = [amount for amount in held + within if amount is not None]
        return min(numbers) if numbers else None

    def in_force(self, name: str) -> int | None:
        """What holds by the agreed terms."""
        return self.terms.get(name, Term()).at(microseconds(self.now))

    def move(self, kind: EventType, way: Direction, amount: int, event_id: str) -> object:
        self.numbers += 1
        movement = Movement(
            delivery=self.numbers.to_bytes(16),
            key=Key("callback", f"t{self.numbers}", ""),
            user_id="anna",
            event_type=kind,
            direction=way,
            amount=USD.text(amount),
            received_at=self.now,
            event_id=event_id,
        )
        kept = terms_of(terms_text(self.terms))
        limits = limits_at(kept, microseconds(self.now)) if kept else NO_LIMITS
        self.wallet = self.wallet._replace(limits=limits)
        facts = Facts(self.now, {"anna": self.wallet}, {}, self.rounds, {})
        decisions = decide_all((movement,), facts, Policy())
        (outcome,) = decisions.receipts
        self.wallet = decisions.wallets.get("anna", self.wallet)
        history = self.histories.setdefault(event_id, [])
        if isinstance(outcome, Posting):
            history.append(outcome.entry)
        key = RoundKey(1, event_id, is_streamer=False)
        after = decisions.rounds.get(key)
        if after is not None:
            self.rounds[key] = after.round._replace(history=tuple(history))
        return outcome

    def used(self, window: str, what: str) -> int:
        """Count anew what the window that contains today has seen."""
        return sum(
            getattr(count, what)
            for count in self.counts
            if _same_window(window, count.day, self.now)
        )

    def follow(self, entry: JournalEntry) -> None:
        """Count an accepted movement as the contract says."""
        amount, today = entry.amount, entry.ledger_time
        match entry.event_type:
            case EventType.BET_PLACING:
                self.counts.append(Counted(today, amount, amount))
            case EventType.TIP:
                self.counts.append(Counted(today, 0, amount))
            case EventType.WIN:
                self.counts.append(Counted(today, 0, -amount))
            case EventType.BET_PLACING_ABORT:
                self.counts.append(Counted(self._target(entry), -amount, -amount))
            case EventType.SPORT_BET_CANCEL if self._undoes_abort(entry):
                (abort,) = self._targets(entry)
                self.counts.append(Counted(self._target(abort), amount, amount))
            case EventType.SPORT_BET_CANCEL | EventType.BET_PAYED_ABORT:
                self.counts.append(Counted(today, 0, amount))
            case _:
                raise AssertionError(entry.event_type)

    def _targets(self, entry: JournalEntry) -> list[JournalEntry]:
        history = self.histories[entry.event_id or ""]
        positions = {reversal.position for reversal in entry.reverses}
        return [other for other in history if other.position in positions]

    def _target(self, entry: JournalEntry) -> datetime:
        (target,) = self._targets(entry)
        return target.ledger_time

    def _undoes_abort(self, entry: JournalEntry) -> bool:
        kinds = [target.event_type for target in self._targets(entry)]
        return kinds == [EventType.BET_PLACING_ABORT]


def _same_window(window: str, one: datetime, other: datetime) -> bool:
    match window:
        case "day":
            return one.date() == other.date()
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

steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(MOVES)), minor, st.sampled_from("xy")),
        st.tuples(st.just("limit"), amounts, st.sampled_from(Limits._fields)),
        st.tuples(
            st.just("wait"), st.sampled_from([1, 3600, 14 * 3600, 86400, 4 * 86400]), st.just("")
        ),
        st.tuples(st.sampled_from(["bet", "abort"]), st.sampled_from([10, 20]), st.just("x")),
    ),
    min_size=5,
    max_size=60,
)


@given(steps)
def test_no_sequence_passes_a_limit(sequence: list[tuple[str, int | None, str]]) -> None:
    life = Life()
    for step, amount, what in sequence:
        if step == "limit":
            life.ask_limit(what, amount)
        elif step == "wait":
            life.now += timedelta(seconds=amount or 0)
        else:
            _move_and_check(life, step, amount or 0, what)


def _move_and_check(life: Life, step: str, amount: int, event_id: str) -> None:
    kind, way = MOVES[step]
    stake = amount if step == "bet" else 0
    is_play = step in {"bet", "tip"}
    passed = _passed(life, stake, amount, life.strictest) if is_play else []
    passed_now = _passed(life, stake, amount, life.in_force) if is_play else []
    outcome = life.move(kind, way, amount, event_id)
    if isinstance(outcome, Posting):
        assert not passed, f"{step} of {amount} passed {passed}"
        life.follow(outcome.entry)
        _check_usage(life)
    elif isinstance(outcome, Declined) and outcome.refusal is Refusal.LIMIT_EXCEEDED:
        assert passed_now, f"{step} of {amount} was refused, and passes no limit"
    else:
        assert isinstance(outcome, Refused | Declined)
        assert outcome.refusal is not Refusal.LIMIT_EXCEEDED
    assert step in {"bet", "tip"} or not (
        isinstance(outcome, Declined) and outcome.refusal is Refusal.LIMIT_EXCEEDED
    ), "a limit stood in the way of money coming back"


def _passed(life: Life, stake: int, loss: int, limit_of: Callable[[str], int | None]) -> list[str]:
    """The limits that this debit of play would pass, counted anew."""
    if loss == 0:
        return []
    totals = {"stake_bet": stake} if stake else {}
    for window in ("day", "week", "month"):
        if stake:
            totals[f"stake_{window}"] = life.used(window, "stake") + stake
        totals[f"loss_{window}"] = life.used(window, "loss") + loss
    passed = []
    for name, total in totals.items():
        limit = limit_of(name)
        if limit is not None and total > limit:
            passed.append(name)
    return passed


def _check_usage(life: Life) -> None:
    for window in ("day", "week", "month"):
        for what in ("stake", "loss"):
            kept = getattr(life.wallet.usage, f"{what}_{window}")
            assert kept == life.used(window, what), f"{what}_{window}"


# --- a term on its own -----------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 3 * 86400), amounts), min_size=1, max_size=12),
    st.integers(0, 4 * 86400),
)
def test_a_limit_is_never_above_what_cooled_off(
    asked: list[tuple[int, int | None]], wait: int
) -> None:
    cooling = 86400 * SECOND_US
    term, now = Term(), 0
    said: list[tuple[int, int | None]] = [(-cooling, None)]
    for pause, amount in asked:
        now += pause * SECOND_US
        before = term.at(now)
        term = changed(term, amount, now=now, cooling=cooling)
        after = term.at(now)
        # At once it is only ever lowered.
        assert after == before if _above(amount, before) else after == amount
        said.append((now, amount))
    now += wait * SECOND_US
    allowed = [amount for at, amount in said if at <= now - cooling][-1:]
    allowed += [amount for at, amount in said if at > now - cooling]
    numbers = [amount for amount in allowed if amount is not None]
    # A larger raise replaces a smaller one that waits, which then never came to hold.
    assert not _above(term.at(now), min(numbers) if numbers else None)
    if wait * SECOND_US >= cooling:
        assert term.at(now) == asked[-1][1], "what was asked for last holds in the end"


def _above(one: int | None, other: int | None) -> bool:
    return other is not None and (one is None or one > other)


def test_without_a_period_a_raise_holds_at_once() -> None:
    assert changed(Term(5), 9, now=0, cooling=0) == Term(9)
    assert changed(Term(5), None, now=0, cooling=0) == Term(None)
