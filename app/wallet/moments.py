"""The moments that the wallet accepts in any input: from 1970 until the year 9000.

A moment outside these bounds is a mistake: Go's zero time is in the year 1, .NET's smallest and
largest values are in the years 1 and 9999, and PostgreSQL's driver reads such values back as
infinities. The upper bound leaves room for adding a time zone, or a period of a year, to any moment
without an overflow.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from app.wallet.journal import EPOCH

EARLIEST: Final = EPOCH
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
LATEST_SECONDS: Final = (LATEST - EPOCH) // timedelta(seconds=1)
"""LATEST in Unix seconds."""


FOREVER: Final = datetime.max.replace(tzinfo=UTC)
"""The end of an exclusion that has none; the database stores it as `infinity`."""

FOREVER_TEXT: Final = "forever"


def is_within_bounds(moment: datetime) -> bool:
    """Whether an aware moment is within the bounds."""
    return EARLIEST <= moment <= LATEST


def moment_from_text(text: str) -> datetime | None:
    """Read ISO 8601: a date means its first moment, and a time without a zone is UTC.

    Returns None for a text that is no moment, or one outside the bounds.
    """
    try:
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if is_within_bounds(moment) else None


def moment_from_seconds(seconds: int) -> datetime | None:
    """Read Unix seconds; None: outside the bounds."""
    if not 0 <= seconds <= LATEST_SECONDS:
        return None
    return EPOCH + timedelta(seconds=seconds)


def clamped(moment: datetime) -> datetime:
    """Bring a moment that was stored before the bounds existed within them.

    The database's driver returns its infinities without a time zone.
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(aware, EARLIEST), LATEST)
