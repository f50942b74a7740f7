"""Looks up the sports bets of a round with their legs, for whoever shows the round."""

from datetime import datetime
from typing import Final, NamedTuple

from app.ledger.money.book import Book

LEGS_MAX: Final = 200
"""Of one round: what is shown, not what is kept."""

_OF_ROUND: Final = f"""
SELECT b.position, b.transaction_id, b.slip_id, b.wins_needed, b.picks, b.status, b.said,
       round(b.stake, b.scale)::text, trim_scale(b.total_odds)::text,
       round(b.potential_win, b.scale)::text, round(b.paid, b.scale)::text,
       round(b.cash_out, b.scale)::text, b.currency, b.live, b.free_bet, b.fault,
       l.leg, l.sport, l.tournament, l.competitors, l.market, l.outcome, l.odds::text,
       l.scheduled_at, l.is_live, l.result
FROM sport_bets b
LEFT JOIN LATERAL (
    SELECT * FROM sport_legs
    WHERE player_id = b.player_id AND position = b.position AND leg <= b.legs
) l ON true
WHERE b.player_id = $1 AND b.event_id = $2
ORDER BY b.position, l.leg LIMIT {LEGS_MAX}
"""  # noqa: S608 - composed of constants


_ROUNDS_OF_SLIP: Final = """
SELECT p.user_id, b.event_id
FROM (
    SELECT DISTINCT player_id, event_id FROM sport_bets WHERE lower(slip_id) = lower($1)
) b
CROSS JOIN LATERAL (SELECT user_id FROM players WHERE player_id = b.player_id LIMIT 1) p
ORDER BY 1, 2 LIMIT $2
"""
"""One player after the other: players may be on other nodes."""
ROUNDS_MAX: Final = 20
"""Of one slip id: two sportsbooks may number their slips alike, and no more is expected."""


class RoundOfSlip(NamedTuple):
    """Where the bet of a slip is."""

    user_id: str
    event_id: str


class ShownLeg(NamedTuple):
    """A leg of a slip; numbers as text."""

    leg: int
    sport: str | None
    tournament: str | None
    competitors: str | None
    market: str | None
    outcome: str | None
    odds: str | None
    scheduled_at: datetime | None
    is_live: bool | None
    result: str | None


class ShownSlip(NamedTuple):
    """A sports bet as it stands, with its legs; amounts in major units."""

    transaction_id: str
    slip_id: str | None
    wins_needed: int | None
    picks: int | None
    status: str
    said: str | None
    stake: str
    total_odds: str | None
    potential_win: str | None
    paid: str
    cash_out: str
    currency: str
    live: str | None
    free_bet: str | None
    fault: str | None
    legs: list[ShownLeg]

    @property
    def kind(self) -> str:
        """What kind of bet it is, in words."""
        if self.picks is None or self.wins_needed is None:
            return "bet"
        if self.picks == 1:
            return "single"
        if self.wins_needed == self.picks:
            return f"combo of {self.picks}"
        return f"system, {self.wins_needed} of {self.picks}"


async def slips_of_round(book: Book, player_id: int, event_id: str) -> list[ShownSlip]:
    """Return the sports bets of a round, the first one first; none: it is of another game."""
    slips: dict[int, ShownSlip] = {}
    for row in await book.connection.fetch(_OF_ROUND, player_id, event_id):
        position, *told = row[:16]
        slip = slips.setdefault(position, ShownSlip._make((*told, [])))
        if row[16] is not None:
            slip.legs.append(ShownLeg(*row[16:]))
    return list(slips.values())


async def rounds_of_slip(book: Book, slip_id: str) -> list[RoundOfSlip]:
    """Return the rounds of the bets that a slip was matched for, by the sportsbook's number."""
    rows = await book.connection.fetch(_ROUNDS_OF_SLIP, slip_id, ROUNDS_MAX)
    return [RoundOfSlip(*row) for row in rows]
