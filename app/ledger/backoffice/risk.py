"""Risk: open exposure, winners and losers, new players who win, players in debt; none simulated."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
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

_NEW: Final = "SELECT player_id FROM ops.players WHERE opened_at >= $1"

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
SELECT player_id, currency, won, turnover, bets
FROM ranked WHERE best <= $2 OR worst <= $2 OR (won > 0 AND player_id = ANY($3::bigint[]))
"""
"""The first and the last of each bucket, among whom are those of all."""

_PLAYERS: Final = """
SELECT player_id, user_id, agent, balance, opened_at, opened_at >= $2 AS is_new
FROM ops.players WHERE player_id = ANY($1::bigint[])
"""

_IN_DEBT: Final = """
SELECT user_id, currency, real, bonus, balance, since, fell_by, transaction_id, event_id
FROM ops.negative_balances n
WHERE NOT EXISTS (SELECT FROM ops.simulated_players s WHERE s.user_id = n.user_id)
ORDER BY since NULLS FIRST LIMIT $1
"""


class Result(NamedTuple):
    """What a player won since a moment; below zero: lost."""

    user_id: str
    agent: str
    currency: str
    won: Decimal
    turnover: Decimal
    bets: int
    balance: Decimal
    opened_at: datetime
    is_new: bool
    """whether their account is younger than the moment"""


class Risk(NamedTuple):
    """Everything the page tells."""

    at: datetime
    exposure: "list[Record]"
    results: list[Result]
    """by currency, the best first"""
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


async def _results(views: OpsViews, since: datetime, each: int) -> list[Result]:
    """Return, by currency, who won and who lost most since a moment, and new players who won."""
    new = [row["player_id"] for row in await views.fetch_each(_NEW, since)]
    rows = await views.fetch_each(_RESULTS, since, each, new)
    found = await views.fetch_each(_PLAYERS, [row["player_id"] for row in rows], since)
    players = {row["player_id"]: row for row in found}
    results = [
        Result(
            of["user_id"],
            of["agent"],
            row["currency"],
            row["won"],
            row["turnover"],
            row["bets"],
            of["balance"],
            of["opened_at"],
            of["is_new"],
        )
        for row in rows
        if (of := players.get(row["player_id"])) is not None
    ]
    return sorted(results, key=lambda result: (result.currency, -result.won))


async def _in_debt(views: OpsViews) -> "list[Record]":
    """Return the players whose real pocket is below zero, the oldest debt first."""
    return await views.fetch(_IN_DEBT, ROWS_MAX * 5)
