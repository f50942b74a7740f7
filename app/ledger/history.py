"""The history of rounds: pages by key, newest first, never by OFFSET.

A page begins after the last round of the page before, by `opened_at` and then by key. Each scope
has its index: one player's rounds, all of an agent's, and an agent's unsettled ones, which are few
among many millions.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.money.rows import minor
from app.wallet.money import Currency, Minor


class RoundState(StrEnum):
    """Which rounds a page has: the history types of the transfer contract."""

    ALL = "ALL"
    ENDED = "END"
    ONGOING = "ING"


class PageKey(NamedTuple):
    """The sort key of a page's last round; the next page has the rounds after it."""

    opened_at: datetime
    player_id: int
    event_id: str
    is_streamer: bool


class RoundSummary(NamedTuple):
    """A round with a bet. Amounts in minor units of `currency`."""

    key: PageKey
    user_id: str
    currency: Currency
    game_id: int | None
    is_ended: bool
    bets: int
    staked: Minor
    """all its bets"""
    won: Minor
    """its payments, less reversals of them"""
    returned: Minor
    """the stakes of its voided bets"""
    overdrawn: Minor
    """what SportBetCancels debited beyond the payments left to reverse"""
    last_at: datetime

    @property
    def net(self) -> Minor:
        """The player's result, negative for a loss: the sum of the round's movements."""
        return self.won + self.returned - self.staked - self.overdrawn


_STATES: Final = {
    RoundState.ALL: "",
    RoundState.ENDED: "AND (r.settled OR r.bets_standing = 0)",
    RoundState.ONGOING: "AND NOT r.settled AND r.bets_standing > 0",
}

_OF_AGENT: Final = "r.agent = $1"
_OF_PLAYER: Final = (
    "r.player_id = (SELECT player_id FROM players WHERE user_id = $8 AND agent = $1)"
)


def _statement(scope: str, state: RoundState) -> str:
    return f"""
SELECT r.player_id, r.event_id, r.is_streamer, p.user_id, r.currency, r.scale, r.game_id,
       r.settled OR r.bets_standing = 0 AS is_ended, r.bets_placed, r.staked::text,
       (r.paid - r.taken_back)::text AS won,
       (r.staked - r.stake_real - r.stake_bonus)::text AS returned,
       r.remainder::text, r.opened_at, r.last_at
FROM rounds r
JOIN players p ON p.player_id = r.player_id
WHERE {scope}
  AND r.opened_at >= $2
  AND (r.opened_at, r.player_id, r.event_id, r.is_streamer) < ($3, $4, $5, $6)
  AND r.bets_placed > 0
  {_STATES[state]}
ORDER BY r.opened_at DESC, r.player_id DESC, r.event_id DESC, r.is_streamer DESC
LIMIT $7
"""  # noqa: S608 - composed of constants


ROUNDS_OF_AGENT: Final = {state: _statement(_OF_AGENT, state) for state in RoundState}
ROUNDS_OF_PLAYER: Final = {state: _statement(_OF_PLAYER, state) for state in RoundState}


async def find_rounds(
    book: Book,
    *,
    agent: str,
    state: RoundState,
    user_id: str | None,
    since: datetime,
    before: PageKey,
    count_max: int,
) -> list[RoundSummary]:
    """Return at most `count_max` rounds opened at `since` or later, after the page key `before`."""
    arguments = (agent, since, *before, count_max)
    if user_id is None:
        rows = await book.connection.fetch(ROUNDS_OF_AGENT[state], *arguments)
    else:
        rows = await book.connection.fetch(ROUNDS_OF_PLAYER[state], *arguments, user_id)
    summaries = []
    for row in rows:
        currency = Currency(row["currency"], row["scale"])
        summaries.append(
            RoundSummary(
                key=PageKey(
                    row["opened_at"], row["player_id"], row["event_id"], row["is_streamer"]
                ),
                user_id=row["user_id"],
                currency=currency,
                game_id=row["game_id"],
                is_ended=row["is_ended"],
                bets=row["bets_placed"],
                staked=minor(row["staked"], currency),
                won=minor(row["won"], currency),
                returned=minor(row["returned"], currency),
                overdrawn=minor(row["remainder"], currency),
                last_at=row["last_at"],
            )
        )
    return summaries
