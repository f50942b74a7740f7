"""A player's limits, in UTC calendar windows (callback contract, section 4)."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wallet.limits import (
    Effect,
    LimitHit,
    Limits,
    Usage,
    counted,
    rolled,
    same_month,
    same_week,
)
from app.wallet.outcomes import Declined, Posting
from app.wallet.refusals import Refusal
from tests.wallet.story import Story, again, movement, refusal

SUNDAY = datetime(2026, 11, 22, 23, 59, 59, 999999, tzinfo=UTC)
TICK = timedelta(microseconds=1)
days = st.integers(date(2020, 1, 1).toordinal(), date(2032, 12, 31).toordinal())


def limited(**limits: int) -> Story:
    return Story().player(real=1_000_000, bonus=1_000_000, limits=Limits(**limits))


def is_refused(story: Story, kind: str, amount: str, event_id: str = "event") -> bool:
    receipt = story.one(movement(kind, amount, event_id=event_id))
    assert isinstance(receipt, Posting) or refusal(receipt) is Refusal.LIMIT_EXCEEDED, receipt
    return not isinstance(receipt, Posting)


@pytest.mark.parametrize("name", Limits._fields)
def test_a_bet_may_reach_its_limit_and_not_pass_it(name: str) -> None:
    story = limited(**{name: 1000})
    assert is_refused(story, "BetPlacing", "10.01")
    assert not is_refused(story, "BetPlacing", "10.00")


@pytest.mark.parametrize("name", [name for name in Limits._fields if name != "stake_bet"])
def test_a_window_sums_up(name: str) -> None:
    story = limited(**{name: 1000})
    assert not is_refused(story, "BetPlacing", "6")
    assert is_refused(story, "BetPlacing", "4.01")
    assert not is_refused(story, "PromoStreamersDebit", "4")
    assert is_refused(story, "BetPlacing", "0.01")


def test_the_limit_of_a_single_bet_does_not_sum_up() -> None:
    story = limited(stake_bet=1000)
    for _ in range(3):
        assert not is_refused(story, "BetPlacing", "10")


@pytest.mark.parametrize("name", Limits._fields)
def test_a_tip_counts_as_loss_not_as_stake(name: str) -> None:
    story = limited(**{name: 1000})
    assert not is_refused(story, "Tip", "10")
    assert is_refused(story, "Tip", "0.01") is name.startswith("loss")
    assert is_refused(story, "BetPlacing", "0.01") is name.startswith("loss")


@pytest.mark.parametrize("name", Limits._fields)
@pytest.mark.parametrize("kind", ["BetPlacing", "Tip", "PromoStreamersDebit"])
def test_a_debit_of_zero_passes_no_limit(name: str, kind: str) -> None:
    story = limited(**{name: 0})
    assert not is_refused(story, kind, "0")


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("technicalFix", "debit"),
        ("SportBetCancel", "debit"),
        ("BetPayedAbort", "debit"),
        ("Win", "credit"),
        ("Deposit", "credit"),
        ("Withdrawal", "debit"),
    ],
)
def test_limits_hold_for_debits_of_play_only(kind: str, way: str) -> None:
    story = limited()
    story.tell(movement("BetPlacing", "1"), movement("Win", "50"))
    story.change(limits=Limits(*[0] * len(Limits._fields)))
    assert isinstance(story.one(movement(kind, "50", direction=way)), Posting)


@pytest.mark.parametrize(
    ("window", "until", "after"),
    [
        ("day", SUNDAY, SUNDAY + TICK),
        ("week", SUNDAY, SUNDAY + TICK),
        ("month", datetime(2026, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        ("month", datetime(2028, 2, 29, 23, 59, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        ("week", datetime(2027, 1, 3, 23, tzinfo=UTC), datetime(2027, 1, 4, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("kind", ["stake", "loss"])
def test_a_window_ends_with_its_utc_day_week_or_month(
    kind: str, window: str, until: datetime, after: datetime
) -> None:
    story = limited(**{f"{kind}_{window}": 1000})
    story.now = until - timedelta(minutes=1)
    assert not is_refused(story, "BetPlacing", "10")
    story.now = until
    assert is_refused(story, "BetPlacing", "0.01")
    story.now = after
    assert not is_refused(story, "BetPlacing", "10")


def test_a_week_goes_on_over_the_end_of_a_month_and_a_month_over_the_end_of_a_week() -> None:
    week = limited(stake_week=1000)
    week.now = datetime(2026, 11, 30, 12, tzinfo=UTC)  # a Monday
    assert not is_refused(week, "BetPlacing", "10")
    week.now = datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert is_refused(week, "BetPlacing", "1")
    month = limited(stake_month=1000)
    month.now = SUNDAY
    assert not is_refused(month, "BetPlacing", "10")
    month.now = SUNDAY + TICK
    assert is_refused(month, "BetPlacing", "1")


def test_a_win_lowers_the_loss_and_not_the_stake() -> None:
    story = limited(loss_day=1000)
    assert not is_refused(story, "BetPlacing", "10")
    story.one(movement("Win", "4"))
    assert is_refused(story, "BetPlacing", "4.01")
    assert not is_refused(story, "BetPlacing", "4")
    staker = limited(stake_day=1000)
    assert not is_refused(staker, "BetPlacing", "10")
    staker.one(movement("Win", "100"))
    assert is_refused(staker, "BetPlacing", "0.01")


@pytest.mark.parametrize("kind", ["BetPayedAbort", "SportBetCancel"])
def test_a_win_taken_back_raises_the_loss_again(kind: str) -> None:
    story = limited(loss_day=1000)
    story.tell(movement("BetPlacing", "10"), movement("Win", "10"), movement(kind, "10"))
    assert is_refused(story, "BetPlacing", "0.01")


@pytest.mark.parametrize("name", [name for name in Limits._fields if name != "stake_bet"])
def test_a_bet_given_back_frees_its_stake(name: str) -> None:
    story = limited(**{name: 1000})
    assert not is_refused(story, "BetPlacing", "10")
    story.one(movement("BetPlacingAbort", "10"))
    assert not is_refused(story, "BetPlacing", "10")


def test_a_stake_is_freed_where_the_bet_was_placed() -> None:
    """Given back on Thursday, the bet of Wednesday frees its week and not Thursday's stakes."""
    day, week = limited(stake_day=1000), limited(stake_week=1000)
    for story in (day, week):
        story.one(movement("BetPlacing", "5", event_id="wednesday"))
        story.now += timedelta(days=1)
        story.one(movement("BetPlacing", "5", event_id="thursday"))
        story.one(movement("BetPlacingAbort", "5", event_id="wednesday"))
    assert is_refused(day, "BetPlacing", "5.01")
    assert not is_refused(day, "BetPlacing", "5")
    assert not is_refused(week, "BetPlacing", "5")
    assert is_refused(week, "BetPlacing", "0.01")


def test_a_bet_of_a_window_long_gone_frees_nothing() -> None:
    story = limited(stake_month=1000)
    story.one(movement("BetPlacing", "5", event_id="old"))
    story.now += timedelta(days=40)
    story.one(movement("BetPlacing", "6"))
    story.one(movement("BetPlacingAbort", "5", event_id="old"))
    assert is_refused(story, "BetPlacing", "4.01")
    assert not is_refused(story, "BetPlacing", "4")


def test_an_undone_abort_counts_the_bet_again_where_it_was_placed() -> None:
    story = limited(stake_week=1000)
    story.tell(movement("BetPlacing", "6"), movement("BetPlacingAbort", "6"))
    story.now += timedelta(days=1)
    story.one(movement("SportBetCancel", "6"))
    assert is_refused(story, "BetPlacing", "4.01")
    assert not is_refused(story, "BetPlacing", "4")


def test_a_refused_bet_counts_towards_nothing() -> None:
    story = limited(stake_day=1000)
    for _ in range(3):
        assert is_refused(story, "BetPlacing", "11")
    assert not is_refused(story, "BetPlacing", "10")


def test_a_replay_counts_towards_nothing() -> None:
    story = limited(stake_day=1000)
    bet = movement("BetPlacing", "5")
    story.one(bet)
    for _ in range(3):
        story.one(again(bet))
    assert not is_refused(story, "BetPlacing", "5")


def test_limits_come_before_funds() -> None:
    story = Story().player(limits=Limits(stake_bet=1))
    assert refusal(story.one(movement("BetPlacing", "5"))) is Refusal.LIMIT_EXCEEDED


def test_a_clock_that_steps_back_never_re_opens_a_window() -> None:
    story = limited(stake_day=1000)
    story.now = SUNDAY + TICK
    assert not is_refused(story, "BetPlacing", "10")
    story.now = SUNDAY
    assert is_refused(story, "BetPlacing", "0.01")


@given(days, days)
def test_weeks_and_months_are_the_calendars(one: int, other: int) -> None:
    first, second = date.fromordinal(one), date.fromordinal(other)
    assert same_week(one, other) == (first.isocalendar()[:2] == second.isocalendar()[:2])
    months = [(day.year, day.month) for day in (first, second)]
    assert same_month(one, other) == (months[0] == months[1])


@given(
    st.lists(st.tuples(st.integers(0, 45), st.integers(0, 50), st.integers(-50, 50)), max_size=9)
)
def test_usage_is_the_sum_of_what_counts_in_the_windows_of_today(
    told: list[tuple[int, int, int]],
) -> None:
    first = SUNDAY.toordinal()
    effects = sorted(Effect(first + day, stake, loss) for day, stake, loss in told)
    usage = Usage(1)
    for effect in effects:
        usage = counted(rolled(usage, effect.day), effect)
    if not effects:
        return
    today = effects[-1].day
    in_day = [e for e in effects if e.day == today]
    in_week = [e for e in effects if same_week(e.day, today)]
    in_month = [e for e in effects if same_month(e.day, today)]
    assert usage == Usage(
        today,
        *(sum(e.stake for e in window) for window in (in_day, in_week, in_month)),
        *(sum(e.loss for e in window) for window in (in_day, in_week, in_month)),
    )


@pytest.mark.parametrize("name", Limits._fields)
def test_a_refusal_names_the_limit_and_what_had_been_used_of_it(name: str) -> None:
    story = limited(**{name: 1000})
    assert not is_refused(story, "BetPlacing", "6")
    used, asked = (0, "10.01") if name == "stake_bet" else (600, "4.01")
    receipt = story.one(movement("BetPlacing", asked))
    assert isinstance(receipt, Declined)
    assert receipt.detail == LimitHit(name, 1000, used)
    assert receipt.detail.left == 1000 - used


def test_nothing_is_left_of_a_limit_that_was_lowered_below_what_had_been_used() -> None:
    assert LimitHit("stake_day", 500, 600).left == 0
