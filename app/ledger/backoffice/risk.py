"""Risk: open exposure, winners and losers, new players who win, players in debt; none simulated."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.ops_views import OpsViews

if TYPE_CHECKING:
    from asyncpg import Record

ROWS_MAX: Final = 20

DAYS: Final = 1
EACH: Final = 10
"""Winners, and losers, of each currency."""

_EXPOSURE: Final = """
SELECT event_id, currency, is_streamer, max(game_id) AS game_id, count(*) AS players,
       sum(bets_open) AS bets, sum(stake_open) AS stake, min(opened_at) AS opened_at,
       max(last_at) AS last_at
FROM ops.open_rounds o
WHERE NOT EXISTS (SELECT FROM ops.simulated_players s WHERE s.user_id = o.user_id)
GROUP BY event_id, currency, is_streamer
ORDER BY stake DESC LIMIT $1
"""

_RESULTS: Final = """
WITH results AS (
    SELECT player_id, currency, sum(payments - turnover) AS won, sum(turnover) AS turnover,
           count(*) FILTER (WHERE is_bet) AS bets
    FROM ops.counted_movements
    WHERE ledger_time >= $1 AND NOT is_streamer
    GROUP BY player_id, currency
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY currency ORDER BY won DESC) AS best,
           row_number() OVER (PARTITION BY currency ORDER BY won) AS worst
    FROM results WHERE won <> 0
)
SELECT p.user_id, p.agent, r.currency, r.won, r.turnover, r.bets, p.balance, p.opened_at,
       p.opened_at >= $1 AS is_new
FROM ranked r JOIN ops.players p ON p.player_id = r.player_id
WHERE r.best <= $2 OR r.worst <= $2 OR (p.opened_at >= $1 AND r.won > 0)
ORDER BY r.currency, r.won DESC
"""

_IN_DEBT: Final = """
SELECT user_id, currency, real, bonus, balance, since, fell_by, transaction_id, event_id
FROM ops.negative_balances n
WHERE NOT EXISTS (SELECT FROM ops.simulated_players s WHERE s.user_id = n.user_id)
ORDER BY since NULLS FIRST LIMIT $1
"""


class Risk(NamedTuple):
    """Everything the page tells."""

    at: datetime
    exposure: "list[Record]"
    results: "list[Record]"
    in_debt: "list[Record]"


async def risk_of(views: OpsViews) -> Risk:
    """Ask the views for all of it."""
    now = datetime.now(UTC)
    exposure, results, in_debt = await asyncio.gather(
        _exposure(views),
        _results(views, now - timedelta(days=DAYS), EACH),
        _in_debt(views),
    )
    return Risk(now, exposure, results, in_debt)


async def _exposure(views: OpsViews) -> "list[Record]":
    """Return the events with the largest open stakes."""
    return await views.fetch(_EXPOSURE, ROWS_MAX)


async def _results(views: OpsViews, since: datetime, each: int) -> "list[Record]":
    """Return, by currency, who won and who lost most since a moment, and new players who won."""
    return await views.fetch(_RESULTS, since, each)


async def _in_debt(views: OpsViews) -> "list[Record]":
    """Return the players whose real pocket is below zero, the oldest debt first."""
    return await views.fetch(_IN_DEBT, ROWS_MAX * 5)
