"""Today: the figures until now beside those of other days, the last minutes, and refusals.

Of each day the figures are by agent, currency and game, and active players by agent and currency.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.ops_views import OpsViews

if TYPE_CHECKING:
    from asyncpg import Record

PACE_MINUTES: Final = 60

DAYS_BACK: Final = (0, 1, 7)
"""Today, yesterday, and the same weekday a week ago, each until the same time of day."""

_FIGURES: Final = """
SELECT agent, currency, game_id, count(*) AS movements, count(*) FILTER (WHERE is_bet) AS bets,
       sum(turnover) AS turnover, sum(payments) AS payments, sum(bonuses) AS bonuses,
       sum(promotions) AS promotions, sum(deposits) AS deposits, sum(withdrawals) AS withdrawals
FROM ops.counted_movements
WHERE ledger_time >= $1 AND ledger_time < $2 AND NOT is_streamer
GROUP BY agent, currency, game_id
"""

_PLAYERS: Final = """
SELECT agent, currency, count(*) AS players
FROM (SELECT DISTINCT agent, currency, player_id FROM ops.counted_movements
      WHERE ledger_time >= $1 AND ledger_time < $2) p
GROUP BY agent, currency
"""

_PACE: Final = """
SELECT date_trunc('minute', ledger_time) AS minute, count(*) AS movements,
       percentile_disc(0.99) WITHIN GROUP (ORDER BY ledger_time - event_time) AS p99
FROM ops.counted_movements
WHERE ledger_time >= $1
GROUP BY 1 ORDER BY 1
"""

_REFUSED: Final = """
SELECT refusal, reason, is_final, count(*) AS times, max(ledger_time) AS last_at
FROM ops.refusals WHERE ledger_time >= $1
GROUP BY refusal, reason, is_final ORDER BY times DESC LIMIT 20
"""


class Day(NamedTuple):
    """One day until a time of day: figures and active players, as rows of the reports."""

    figures: "list[Record]"
    players: "list[Record]"


class Today(NamedTuple):
    """Everything the page tells."""

    at: datetime
    days: tuple[Day, ...]
    pace: "list[Record]"
    refused: "list[Record]"


async def today_of(views: OpsViews) -> Today:
    """Ask the views for all of it."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    spans = [(midnight - timedelta(days=n), now - timedelta(days=n)) for n in DAYS_BACK]
    asked = await asyncio.gather(
        *(_figures(views, *span) for span in spans),
        *(_players(views, *span) for span in spans),
        _pace(views, now - timedelta(minutes=PACE_MINUTES)),
        _refused(views, midnight),
    )
    count = len(spans)
    days = tuple(Day(asked[n], asked[count + n]) for n in range(count))
    return Today(now, days, asked[-2], asked[-1])


async def _figures(views: OpsViews, since: datetime, until: datetime) -> "list[Record]":
    """Return the figures of a time, by agent, currency and game."""
    return await views.fetch(_FIGURES, since, until)


async def _players(views: OpsViews, since: datetime, until: datetime) -> "list[Record]":
    """Return how many players were active in a time, by agent and currency."""
    return await views.fetch(_PLAYERS, since, until)


async def _pace(views: OpsViews, since: datetime) -> "list[Record]":
    """Return the accepted movements of each minute since a moment."""
    return await views.fetch(_PACE, since)


async def _refused(views: OpsViews, since: datetime) -> "list[Record]":
    """Return what was refused since a moment, the most frequent first."""
    return await views.fetch(_REFUSED, since)
