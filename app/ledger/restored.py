"""What a restored ledger must ask others about: bets that wait, withdrawals, unknown players.

Bounded: what is named is the oldest of each, and what is counted has a view that lists all of it.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from app.ledger.money.book import Book

_OPEN_ROUNDS: Final = """
SELECT currency, count(*) AS rounds, round(sum(stake_real + stake_bonus), max(scale)) AS staked
FROM rounds WHERE NOT settled AND bets_standing > 0 GROUP BY currency ORDER BY currency
"""

_HOLDS: Final = "SELECT count(*) FROM holds WHERE state = 'pending'"

_UNKNOWN: Final = """
SELECT r.user_id, count(DISTINCT r.transaction_id), max(r.ledger_time)
FROM ledger_timeline_answers a
JOIN refusals r ON r.ledger_time >= a.answered_at AND r.ledger_time < a.money_until
JOIN event_types e ON e.event_type = r.event_type
WHERE r.operation = 'moveFunds' AND r.refusal = 'PLAYER_UNKNOWN' AND NOT e.is_play
  AND NOT EXISTS (SELECT FROM players p WHERE p.user_id = r.user_id)
GROUP BY r.user_id ORDER BY max(r.ledger_time) DESC LIMIT $1
"""


class OpenRounds(NamedTuple):
    """Bets of one currency that wait for their result."""

    currency: str
    rounds: int
    staked: Decimal


class UnknownPlayer(NamedTuple):
    """A player for whom money came, and who is not there."""

    user_id: str
    movements: int
    last_at: datetime


async def open_rounds(book: Book) -> list[OpenRounds]:
    """Count the rounds whose bets wait, by currency."""
    return [OpenRounds(*row) for row in await book.connection.fetch(_OPEN_ROUNDS)]


async def count_pending_holds(book: Book) -> int:
    """Count the withdrawals under way."""
    return int(await book.connection.fetchval(_HOLDS))


async def unknown_players(book: Book, count_max: int) -> list[UnknownPlayer]:
    """Return players for whom money came since a restore and who are not there, latest first."""
    return [UnknownPlayer(*row) for row in await book.connection.fetch(_UNKNOWN, count_max)]
