"""The days that limits count in, in SQL: `LimitDays.of` for queries, and whether both agree.

The database and this process each have time zone data of their own. They may be of different
releases, and PostgreSQL reads some names, such as CET, as an abbreviation without summer time.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from app.ledger.money.book import Book
from app.wallet.limit_days import UTC_DAYS

_CHANGED: Final = "name = 'limit_zone' AND value_before IS NOT NULL"

_ZONES: Final = f"""
    SELECT changed_at AS since, value_after AS zone,
           max((changed_at AT TIME ZONE value_before)::date) OVER (ORDER BY change_id) AS reached
    FROM decision_setting_changes WHERE {_CHANGED}
    UNION ALL
    (SELECT '-infinity', value_before, '-infinity'::date
     FROM decision_setting_changes WHERE {_CHANGED} ORDER BY change_id LIMIT 1)
"""  # noqa: S608 - composed of constants
"""The time zones of limits, each with when it began and the last day that was reached by then."""


def day_of(moment: str) -> str:
    """`LimitDays.of` in SQL; on a ledger whose zone was never changed, one conversion."""
    return f"""
        CASE WHEN (SELECT count(*) = 0 FROM decision_setting_changes WHERE {_CHANGED})
             THEN ({moment} AT TIME ZONE
                   (SELECT coalesce(limit_zone, 'UTC') FROM decision_settings))::date
             ELSE (SELECT greatest(({moment} AT TIME ZONE z.zone)::date, z.reached)
                   FROM ({_ZONES}) z WHERE z.since <= {moment}
                   ORDER BY z.since DESC LIMIT 1) END
    """  # noqa: S608 - composed of constants


LOCAL_TIMES: Final = """
SELECT m, m AT TIME ZONE $1::text AS local
FROM generate_series(date_trunc('hour', now()) - interval '33 days', now() + interval '366 days',
                     interval '6 hours') AS m
WHERE EXISTS (SELECT FROM pg_timezone_names WHERE name = $1::text)
"""
"""The time by a zone's clock, from the longest window that may be running until in a year."""


def zone_fault(zone: str, local_times: Iterable[tuple[datetime, datetime]]) -> str | None:
    """Say why the limits of this ledger cannot count in a zone's days, or None.

    `local_times`: the rows of LOCAL_TIMES; none if the zone's name is unknown to the database.
    """
    here, is_known = ZoneInfo(zone), False
    for moment, local in local_times:
        is_known = True
        if moment.astimezone(here).replace(tzinfo=None) != local:
            return (
                f"The database and this process do not agree what time it is in {zone} on "
                f"{moment.astimezone(UTC):%Y-%m-%d}: name a place, such as Europe/Paris, or bring "
                "the time zone data of both to one release."
            )
    if is_known:
        return None
    return f"The database does not know the time zone {zone}: name one of pg_timezone_names."


async def find_zone_fault(book: Book, zone: str) -> str | None:
    """Say why the limits of this ledger cannot count in a zone's days, or None."""
    if zone == UTC_DAYS.name:
        return None
    rows = await book.connection.fetch(LOCAL_TIMES, zone)
    return zone_fault(zone, ((row[0], row[1]) for row in rows))
