"""The days that limits count in: calendar days of the ledger's time zone (WALLET_LIMIT_ZONE).

A day is the proleptic ordinal of its date (`date.toordinal`). It lasts 23 or 25 hours where the
zone changes its clocks. A movement counts on the day that its moment had in the zone in force at
that moment, so that a bet given back later frees the day that it was counted on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple


class EarlierZone(NamedTuple):
    """A time zone that was in force before another one took its place."""

    until: datetime
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class LimitDays:
    """The calendar of limits: the zone in force, and those before it, oldest first."""

    name: str = "UTC"
    """the zone's IANA name, as the ledger stores it"""
    zone: tzinfo = UTC
    earlier: tuple[EarlierZone, ...] = ()

    def of(self, moment: datetime) -> int:
        """The day on which a moment (UTC) counts.

        A change to a zone further west does not go back to the day before.
        """
        if not self.earlier:
            return (moment if self.zone is UTC else moment.astimezone(self.zone)).toordinal()
        zone, reached = self.zone, 0
        for before in self.earlier:
            if moment < before.until:
                zone = before.zone
                break
            reached = max(reached, _day(before.until, before.zone))
        return max(reached, _day(moment, zone))


def _day(moment: datetime, zone: tzinfo) -> int:
    return (moment if zone is UTC else moment.astimezone(zone)).toordinal()


UTC_DAYS = LimitDays()
