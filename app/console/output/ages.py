"""How long ago something was, in one unit: `40 s`, `5 min`, `3 h`, `12 d`."""

from datetime import datetime, timedelta
from typing import Final

_UNITS: Final = (
    (timedelta(days=2), timedelta(days=1), "d"),
    (timedelta(hours=2), timedelta(hours=1), "h"),
    (timedelta(minutes=2), timedelta(minutes=1), "min"),
)
"""From which age on a unit is used, and the unit."""


def age(moment: datetime, now: datetime) -> str:
    """Return the time between two moments, rounded down; none is negative."""
    passed = max(now - moment, timedelta(0))
    for begin, unit, name in _UNITS:
        if passed >= begin:
            return f"{passed // unit} {name}"
    return f"{passed // timedelta(seconds=1)} s"
