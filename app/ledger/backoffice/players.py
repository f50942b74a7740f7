"""One player: balance over time, limits, holds, rounds, sessions, refusals, changes, notes."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from app.ledger.ops_views import OpsViews
from app.wallet.limit_terms import LIMIT_NAMES

if TYPE_CHECKING:
    from asyncpg import Record

POINTS_MAX: Final = 400
"""Of the chart: about one a pixel of a phone."""

ROWS_MAX: Final = 20
SESSIONS_MAX: Final = 10

STATEMENT_ROWS_MAX: Final = 100_000
"""A statement of more is for the database's own tools."""

_BALANCES: Final = """
SELECT ledger_time, balance_after FROM (
    SELECT m.ledger_time, m.balance_after, m.position,
           row_number() OVER (ORDER BY m.position) AS number, count(*) OVER () AS points
    FROM ops.movements m
    WHERE m.player_id = $1 AND m.position > $2::bigint - $3::bigint AND m.decision = 'accepted'
) p
WHERE number % greatest(points / $4::bigint, 1) = 0 OR number = points
ORDER BY position
"""
"""Of the last movements every so-many-th, and the last."""

MOVEMENTS_OF_CHART: Final = 4000

_LIMITS: Final = """
SELECT limit_name, currency, in_force, used, remaining, changes_to, changes_at, needs_confirmation,
       set_at, set_by, asked_by
FROM ops.limits WHERE user_id = $1
ORDER BY split_part(limit_name, ':', 2), array_position($2::text[], split_part(limit_name, ':', 1))
"""

_LIMITS_HIT: Final = """
SELECT ledger_time, limit_name, limit_amount, used, remaining, asked, event_type, transaction_id
FROM ops.limits_hit WHERE player_id = $1 ORDER BY ledger_time DESC LIMIT $2
"""

_HOLDS: Final = """
SELECT hold_id, amount, currency, state, opened_at, closed_at, closed_by,
       sum(amount) FILTER (WHERE state = 'pending') OVER () AS pending
FROM ops.holds WHERE player_id = $1 ORDER BY (state = 'pending') DESC, opened_at DESC LIMIT $2
"""

_OPEN_ROUNDS: Final = """
SELECT event_id, is_streamer, game_id, currency, status, stake_open, bets_open, opened_at,
       last_at, count(*) OVER () AS rounds, sum(stake_open) OVER () AS exposure
FROM ops.open_rounds WHERE player_id = $1 ORDER BY last_at DESC LIMIT $2
"""

_TOKENS: Final = """
SELECT origin, issued, live, last_issued_at, last_expires_at
FROM ops.tokens WHERE user_id = $1 ORDER BY origin
"""

_SESSIONS: Final = """
SELECT number, began_at, last_used_at, ended_at, ended_by, time_played, bets, wagered, won, result
FROM ops.sessions WHERE player_id = (SELECT player_id FROM ops.players WHERE user_id = $1)
ORDER BY number DESC LIMIT $2
"""
"""By their number, by which movements are found; of a user id the planner may read them all."""

_REFUSALS: Final = """
SELECT ledger_time, operation, event_type, direction, amount, refusal, reason, is_final, differs,
       transaction_id, event_id
FROM ops.refusals WHERE user_id = $1 ORDER BY ledger_time DESC LIMIT $2
"""

_CHANGES: Final = """
SELECT ledger_time, agent, operation, asked, outcome
FROM ops.account_changes WHERE user_id = $1 ORDER BY ledger_time DESC LIMIT $2
"""

_NOTES: Final = """
SELECT ledger_time, actor, action, reason, details FROM ops.operator_actions
WHERE subject = $1 AND subject_kind = 'player' AND outcome = 'done' AND reason IS NOT NULL
ORDER BY action_id DESC LIMIT $2
"""

_STATEMENT: Final = """
SELECT line, ledger_time, what, money_in, money_out, real, bonus, balance, currency,
       transaction_id, event_id, game_id
FROM ops.statement
WHERE player_id = $1 AND ledger_time >= $2 AND ledger_time < $3
ORDER BY position LIMIT $4
"""


async def balances(views: OpsViews, player_id: int, last_position: int) -> "list[Record]":
    """Return the balance after the player's last movements, thinned out for a chart."""
    return await views.fetch(_BALANCES, player_id, last_position, MOVEMENTS_OF_CHART, POINTS_MAX)


async def limits(views: OpsViews, user_id: str) -> "list[Record]":
    """Return the player's limits with what is used and left, those of all products first."""
    return await views.fetch(_LIMITS, user_id, LIMIT_NAMES)


async def limits_hit(views: OpsViews, player_id: int) -> "list[Record]":
    """Return what a limit refused, with the limit as it was then, the latest first."""
    return await views.fetch(_LIMITS_HIT, player_id, ROWS_MAX)


async def holds(views: OpsViews, player_id: int) -> "list[Record]":
    """Return withdrawals, those under way first; each row has the sum of those."""
    return await views.fetch(_HOLDS, player_id, ROWS_MAX)


async def open_rounds(views: OpsViews, player_id: int) -> "list[Record]":
    """Return the player's rounds that wait for their result; each row has number and sum of all."""
    return await views.fetch(_OPEN_ROUNDS, player_id, ROWS_MAX)


async def tokens(views: OpsViews, user_id: str) -> "list[Record]":
    """Return the player's tokens, counted by who issued them."""
    return await views.fetch(_TOKENS, user_id)


async def sessions(views: OpsViews, user_id: str) -> "list[Record]":
    """Return the player's sessions of play, the latest first."""
    return await views.fetch(_SESSIONS, user_id, SESSIONS_MAX)


async def refusals(views: OpsViews, user_id: str) -> "list[Record]":
    """Return what the player was refused, the latest first."""
    return await views.fetch(_REFUSALS, user_id, ROWS_MAX)


async def changes(views: OpsViews, user_id: str) -> "list[Record]":
    """Return the changes of the account, the latest first."""
    return await views.fetch(_CHANGES, user_id, ROWS_MAX)


async def notes(views: OpsViews, user_id: str) -> "list[Record]":
    """Return what the operator's people wrote about the player, with every act's reason."""
    return await views.fetch(_NOTES, user_id, ROWS_MAX)


async def statement(
    views: OpsViews, player_id: int, since: datetime, until: datetime
) -> "list[Record]":
    """Return the lines of the player's statement in [since, until)."""
    return await views.fetch(_STATEMENT, player_id, since, until, STATEMENT_ROWS_MAX)
