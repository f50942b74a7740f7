from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wallet.moments import (
    EARLIEST,
    LATEST,
    LATEST_SECONDS,
    clamped,
    is_within_bounds,
    moment_from_seconds,
    moment_from_text,
)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T12:00:00Z", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("2026-11-20T12:00:00.5+02:00", datetime(2026, 11, 20, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-20T12:00:00", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("1970-01-01", EARLIEST),
        ("9000-01-01", LATEST),
    ],
)
def test_a_moment_is_read_in_utc(text: str, moment: datetime) -> None:
    read = moment_from_text(text)
    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-02-30",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9000-01-01T00:00:01Z",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-14:00",
        "10000-01-01",
        "\udcff",
        "2026\x00",
    ],
)
def test_what_is_no_moment_or_beyond_the_bounds_is_none(text: str) -> None:
    assert moment_from_text(text) is None


def test_unix_seconds_have_the_same_bounds() -> None:
    assert moment_from_seconds(0) == EARLIEST
    assert moment_from_seconds(LATEST_SECONDS) == LATEST
    for seconds in (-1, LATEST_SECONDS + 1, 10**14, -(10**14)):
        assert moment_from_seconds(seconds) is None


@given(st.datetimes(), st.sampled_from([None, UTC, timezone(timedelta(hours=14))]))
def test_whatever_was_stored_is_read_back_within_the_bounds(
    stored: datetime, zone: timezone | None
) -> None:
    read = clamped(stored.replace(tzinfo=zone))
    assert is_within_bounds(read)
    # What every shape of it needs must work.
    assert read.astimezone(UTC).isoformat() < (read + timedelta(days=366)).isoformat()
