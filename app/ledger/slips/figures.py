"""Figures of bet slips: how far they were read, what was odd, and what may be won on one outcome.

What may be won is counted by the projector from time to time and kept, because it goes through all
open bets; everybody else reads what was counted last. Simulated bets are in none of it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.simulated import is_real
from app.wallet.slips import SlipFault
from app.wallet.sport_round import MismatchKind

RANKS: Final = 20
"""Of each currency: more than anybody looks through, and few enough to be kept."""

OPEN_BY_OUTCOME: Final = f"""
SELECT b.currency, l.event_id, l.market, l.outcome, max(l.sport) AS sport,
       max(l.tournament) AS tournament, max(l.competitors) AS competitors,
       max(l.scheduled_at) AS scheduled_at, count(*) AS bets, sum(b.stake) AS stake,
       sum(coalesce(b.potential_win, trunc(b.stake * b.total_odds, b.scale), 0)) AS potential_win
FROM sport_bets b
CROSS JOIN LATERAL (
    SELECT * FROM sport_legs
    WHERE player_id = b.player_id AND position = b.position AND leg <= b.legs
) l
WHERE b.status = 'open' AND {is_real("b.player_id")}
GROUP BY b.currency, l.event_id, l.market, l.outcome
"""  # noqa: S608 - composed of constants

_COUNT: Final = f"""
INSERT INTO sport_liabilities AS t (currency, rank, event_id, market, outcome, sport, tournament,
    competitors, scheduled_at, bets, stake, potential_win, is_large, counted_at)
SELECT o.currency, o.rank, o.event_id, o.market, o.outcome, o.sport, o.tournament, o.competitors,
       o.scheduled_at, o.bets, o.stake, o.potential_win,
       coalesce(o.potential_win >= a.amount, false), now()
FROM (
    SELECT *, row_number() OVER (
        PARTITION BY currency ORDER BY potential_win DESC, event_id, market, outcome) AS rank
    FROM ({OPEN_BY_OUTCOME}) x
) o
LEFT JOIN unnest($1::text[], $2::numeric[]) AS a (currency, amount) ON a.currency = o.currency
WHERE o.rank <= {RANKS}
ON CONFLICT (currency, rank) DO UPDATE SET (event_id, market, outcome, sport, tournament,
    competitors, scheduled_at, bets, stake, potential_win, is_large, counted_at)
  = ROW (excluded.event_id, excluded.market, excluded.outcome, excluded.sport,
    excluded.tournament, excluded.competitors, excluded.scheduled_at, excluded.bets,
    excluded.stake, excluded.potential_win, excluded.is_large, excluded.counted_at)
"""  # noqa: S608 - composed of constants

_FORGET: Final = "DELETE FROM sport_liabilities WHERE counted_at < now()"

_LARGEST: Final = """
SELECT currency, rank, event_id, market, outcome, competitors, bets, potential_win::text
FROM sport_liabilities ORDER BY currency, rank
"""

_UNREAD: Final = """
SELECT coalesce(sum(h.last_number - p.number), 0)::bigint,
       greatest(max(extract(epoch FROM now() - first.occurred_at)), max(unnumbered.seconds), 0)
           ::bigint
FROM slip_progress p
CROSS JOIN (
    -- Whoever looks, looks more often than this; what nobody has numbered nobody can read.
    SELECT CASE WHEN looked_at < now() - interval '60 s'
                THEN extract(epoch FROM now() - looked_at) END AS seconds
    FROM event_log_progress
) unnumbered
JOIN event_log_heads h ON h.agent = p.agent
LEFT JOIN LATERAL (
    SELECT occurred_at FROM event_log
    WHERE agent = p.agent AND number > p.number ORDER BY number LIMIT 1
) first ON true
"""

_FAULTS: Final = f"""
SELECT reason, count(*) FROM slip_faults f WHERE {is_real("f.player_id")} GROUP BY reason
"""  # noqa: S608 - composed of constants

_MISMATCHES: Final = f"""
SELECT kind, count(*) FROM slip_mismatches m WHERE {is_real("m.player_id")} GROUP BY kind
"""  # noqa: S608 - composed of constants


class Liability(NamedTuple):
    """What open bets may win on one outcome."""

    currency: str
    rank: int
    event_id: str | None
    market: str | None
    outcome: str | None
    competitors: str | None
    bets: int
    potential_win: str


class SlipFigures(NamedTuple):
    """How bet slips stand in the one ledger."""

    unread_events: int = 0
    unread_seconds: int = 0
    """how long ago the first of them happened"""
    faults: Mapping[str, int] = dict.fromkeys(SlipFault, 0)
    mismatches: Mapping[str, int] = dict.fromkeys(MismatchKind, 0)
    largest: tuple[Liability, ...] = ()


async def count_liabilities(book: Book, alarms: Mapping[str, str]) -> None:
    """Count what may be won by outcome, and keep the largest; `alarms`: currency → amount."""
    await book.connection.execute(_COUNT, list(alarms), list(alarms.values()))
    await book.connection.execute(_FORGET)


async def slip_figures(book: Book) -> SlipFigures:
    """Return how bet slips stand."""
    fetch = book.connection.fetch
    (unread,) = await fetch(_UNREAD)
    faults = dict(map(tuple, await fetch(_FAULTS)))
    mismatches = dict(map(tuple, await fetch(_MISMATCHES)))
    return SlipFigures(
        unread[0],
        unread[1],
        {reason: faults.get(reason, 0) for reason in SlipFault},
        {kind: mismatches.get(kind, 0) for kind in MismatchKind},
        tuple(Liability(*row) for row in await fetch(_LARGEST)),
    )
