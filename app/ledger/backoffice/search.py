"""Search: whatever an id may be the id of, each kind found by an index.

1. `players_named`   a player by id or nickname
2. `rounds_of`       an event's rounds, of all players
3. `rounds_of_slip`  the rounds of the bets of a slip
4. `of_delivery`     what a request (its Request-Id) did: a movement, or a refusal
"""

from typing import TYPE_CHECKING, Final
from uuid import UUID

from app.ledger.ops_views import OpsViews

if TYPE_CHECKING:
    from asyncpg import Record

FOUND_MAX: Final = 20
"""More of one kind help nobody: the id was not typed whole."""

_PLAYERS: Final = """
SELECT user_id, nickname, agent, currency, balance, blocked, may_play
FROM (
    SELECT *, 0 AS rank FROM ops.players WHERE user_id = $1
    UNION ALL
    SELECT *, 1 FROM ops.players WHERE lower(nickname) = lower($1) AND user_id <> $1
    UNION ALL
    SELECT * FROM (
        SELECT *, 2 FROM ops.players
        WHERE lower(nickname) LIKE $2 AND lower(nickname) <> lower($1) AND user_id <> $1
        LIMIT $3) p
) found ORDER BY rank, user_id LIMIT $3
"""

_ROUNDS: Final = """
SELECT user_id, event_id, is_streamer, status, currency, staked, paid_net, last_at
FROM ops.rounds WHERE lower(event_id) = lower($1) ORDER BY opened_at LIMIT $2
"""

_ROUNDS_OF_SLIP: Final = """
WITH bets AS MATERIALIZED (
    SELECT DISTINCT player_id, event_id FROM ops.sport_bets
    WHERE lower(slip_id) = lower($1) AND lower(event_id) <> lower($1) LIMIT $2
)
SELECT r.user_id, r.event_id, r.is_streamer, r.status, r.currency, r.staked, r.paid_net, r.last_at
FROM bets b
CROSS JOIN LATERAL (
    SELECT * FROM ops.rounds o
    WHERE o.player_id = b.player_id AND o.event_id = b.event_id AND NOT o.is_streamer OFFSET 0
) r
ORDER BY r.opened_at
"""

_MOVEMENTS_OF_DELIVERY: Final = """
SELECT user_id, position, transaction_id, event_type, direction, amount, currency, decision,
       ledger_time
FROM ops.movements WHERE delivery = $1 ORDER BY ledger_time LIMIT $2
"""

_REFUSALS_OF_DELIVERY: Final = """
SELECT user_id, transaction_id, operation, event_type, direction, amount, reason, ledger_time
FROM ops.refusals WHERE delivery = $1 AND NOT is_final ORDER BY ledger_time LIMIT $2
"""


async def players_named(views: OpsViews, text: str) -> "list[Record]":
    """Return the players of this id or nickname, and those whose nickname begins so."""
    escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return await views.fetch(_PLAYERS, text, f"{escaped}%", FOUND_MAX)


async def rounds_of(views: OpsViews, event_id: str) -> "list[Record]":
    """Return the rounds of an event, whether its id was typed in small or in capital letters."""
    return await views.fetch(_ROUNDS, event_id, FOUND_MAX, by_index=True)


async def rounds_of_slip(views: OpsViews, slip_id: str) -> "list[Record]":
    """Return the rounds of a slip, by the sportsbook's number; not those of an event named so."""
    return await views.fetch(_ROUNDS_OF_SLIP, slip_id, FOUND_MAX, by_index=True)


async def movements_of_delivery(views: OpsViews, delivery: UUID) -> "list[Record]":
    """Return the movements that a request decided."""
    return await views.fetch(_MOVEMENTS_OF_DELIVERY, delivery, FOUND_MAX, by_index=True)


async def refusals_of_delivery(views: OpsViews, delivery: UUID) -> "list[Record]":
    """Return what a request was refused for now."""
    return await views.fetch(_REFUSALS_OF_DELIVERY, delivery, FOUND_MAX, by_index=True)
