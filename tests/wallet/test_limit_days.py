"""The days that limits count in: of the zone in force at the moment, and never back."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from app.wallet.limit_days import EarlierZone, LimitDays

ZONES = ("Pacific/Auckland", "UTC", "America/Los_Angeles", "Europe/Berlin", "Pacific/Kiritimati")


def calendar(start: datetime, changes: list[tuple[int, str]], last: str) -> LimitDays:
    """Zones that were in force one after the other, each for so many hours."""
    earlier, until = [], start
    for hours, zone in changes:
        until += timedelta(hours=hours)
        earlier.append(EarlierZone(until, ZoneInfo(zone)))
    return LimitDays(last, ZoneInfo(last), tuple(earlier))


def test_a_day_is_that_of_the_zone_in_force_at_the_moment() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    days = calendar(noon, [(0, "Pacific/Auckland")], "America/Los_Angeles")
    second = timedelta(seconds=1)
    assert days.of(noon - second) == date(2026, 3, 2).toordinal()
    assert days.of(noon) == date(2026, 3, 2).toordinal(), "further west, and not back"
    assert days.of(noon + timedelta(days=2)) == date(2026, 3, 3).toordinal()


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(ZONES)), max_size=4),
    st.sampled_from(ZONES),
)
def test_however_often_the_zone_changes_no_day_comes_again(
    changes: list[tuple[int, str]], last: str
) -> None:
    start = datetime(2026, 10, 23, 20, tzinfo=UTC)
    days = calendar(start, changes, last)
    seen = [days.of(start + timedelta(hours=hour)) for hour in range(-30, 200)]
    assert seen == sorted(seen)
