"""Today: the figures until now beside those of other days, the last minutes, and refusals.

Of each day the figures are by agent, currency and game, and active players by agent and currency.
The page refreshes itself every few seconds, so each figure is of a part that is kept from one look
to the next and of the last minutes, which are read again.
"""

import asyncio
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from app.ledger.backoffice.growing import SETTLED, Growing
from app.ledger.ops_views import OpsViews

PACE_MINUTES: Final = 60

REFUSED_MAX: Final = 20

DAYS_BACK: Final = (0, 1, 7)
"""Today, yesterday, and the same weekday a week ago, each until the same time of day."""

SUMS: Final = ("turnover", "payments", "bonuses", "promotions", "deposits", "withdrawals")
COUNTS: Final = ("movements", "bets")

_CLOCK: Final = "SELECT clock_timestamp() AS now"

_FIGURES: Final = """
SELECT agent, currency, game_id, count(*) AS movements, count(*) FILTER (WHERE is_bet) AS bets,
       sum(turnover) AS turnover, sum(payments) AS payments, sum(bonuses) AS bonuses,
       sum(promotions) AS promotions, sum(deposits) AS deposits, sum(withdrawals) AS withdrawals
FROM ops.counted_movements
WHERE ledger_time >= $1 AND ledger_time < $2 AND NOT is_streamer
GROUP BY agent, currency, game_id
"""

_PLAYERS: Final = """
SELECT agent, currency, array_agg(DISTINCT player_id) AS players FROM ops.counted_movements
WHERE ledger_time >= $1 AND ledger_time < $2
GROUP BY agent, currency
"""

_PACE: Final = """
SELECT date_bin('1 minute', ledger_time, 'epoch'::timestamptz) AS minute,
       date_bin('1 millisecond', ledger_time, event_time) - event_time AS took,
       count(*) AS movements
FROM ops.counted_movements
WHERE ledger_time >= $1
GROUP BY 1, 2
"""
"""To the millisecond: how many took how long can be added up over buckets, a percentile cannot."""

P99: Final = 99, 100
"""The percentile, as a fraction."""

_REFUSED: Final = """
SELECT refusal, reason, is_final, count(*) AS times, max(ledger_time) AS last_at
FROM ops.refusals r WHERE ledger_time >= $1 AND ledger_time < $2
  AND NOT EXISTS (SELECT FROM ops.simulated_players s WHERE s.user_id = r.user_id)
GROUP BY refusal, reason, is_final
"""

Sums: TypeAlias = dict[tuple[str, str, int | None], dict[str, Any]]
"""by agent, currency and game"""

Players: TypeAlias = dict[tuple[str, str], set[int]]
"""by agent and currency"""

Refused: TypeAlias = dict[tuple[str, str, bool], tuple[int, datetime]]
"""by refusal, its words, and whether it is final: how often, and when last"""


class Figure(NamedTuple):
    """The figures of one agent, currency and game."""

    agent: str
    currency: str
    game_id: int | None
    sums: dict[str, Any]


class Active(NamedTuple):
    """The active players of one agent and currency."""

    agent: str
    currency: str
    players: int


class Day(NamedTuple):
    """One day until a time of day."""

    figures: list[Figure]
    players: list[Active]


class Minute(NamedTuple):
    """What was accepted in one minute."""

    minute: datetime
    movements: int
    p99: timedelta


class Refusals(NamedTuple):
    """How often something was refused for one reason."""

    refusal: str
    reason: str
    is_final: bool
    times: int
    last_at: datetime


class Today(NamedTuple):
    """Everything the page tells."""

    at: datetime
    days: tuple[Day, ...]
    pace: list[Minute]
    refused: list[Refusals]


class TodayFigures:
    """The figures from one look to the next."""

    def __init__(self, views: OpsViews) -> None:
        """Ask for nothing yet."""
        self._views = views
        self._sums = tuple(Growing(self._ask_sums, _add_sums, dict) for _ in DAYS_BACK)
        self._players = tuple(Growing(self._ask_players, _add_players, dict) for _ in DAYS_BACK)
        self._refused = Growing(self._ask_refused, _add_refused, dict)
        self._minutes: dict[datetime, Minute] = {}

    async def now(self) -> Today:
        """Return everything, as of the database's clock."""
        (clock,) = await self._views.fetch(_CLOCK)
        now: datetime = clock["now"]
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        back = [timedelta(days=n) for n in DAYS_BACK]
        sums, players, refused, pace = await asyncio.gather(
            asyncio.gather(
                *(
                    each.between(midnight - ago, now - ago, now)
                    for each, ago in zip(self._sums, back, strict=True)
                )
            ),
            asyncio.gather(
                *(
                    each.between(midnight - ago, now - ago, now)
                    for each, ago in zip(self._players, back, strict=True)
                )
            ),
            self._refused.between(midnight, now, now),
            self._pace(now),
        )
        days = tuple(Day(_figures(*sums[n]), _active(*players[n])) for n, _ in enumerate(DAYS_BACK))
        return Today(now, days, pace, _refusals(*refused))

    async def _ask_sums(self, since: datetime, until: datetime) -> Sums:
        sums: Sums = {}
        for row in await self._views.fetch_each(_FIGURES, since, until):
            key = (row["agent"], row["currency"], row["game_id"])
            _add_sums(sums, {key: {name: row[name] for name in (*COUNTS, *SUMS)}})
        return sums

    async def _ask_players(self, since: datetime, until: datetime) -> Players:
        players: Players = {}
        for row in await self._views.fetch_each(_PLAYERS, since, until):
            _add_players(players, {(row["agent"], row["currency"]): set(row["players"])})
        return players

    async def _ask_refused(self, since: datetime, until: datetime) -> Refused:
        return {
            (row["refusal"], row["reason"], row["is_final"]): (row["times"], row["last_at"])
            for row in await self._views.fetch(_REFUSED, since, until)
        }

    async def _pace(self, now: datetime) -> list[Minute]:
        """Return the last minutes; those that are settled are kept."""
        this = now.replace(second=0, microsecond=0)
        first = this - timedelta(minutes=PACE_MINUTES - 1)
        settled = {
            minute: row for minute, row in self._minutes.items() if first <= minute < this - SETTLED
        }
        # A minute in which nothing moved has no row: what follows the last one is asked for.
        since = max(settled) + timedelta(minutes=1) if settled else first
        took: dict[datetime, dict[timedelta, int]] = {}
        for row in await self._views.fetch_each(_PACE, since):
            counts = took.setdefault(row["minute"], defaultdict(int))
            counts[row["took"]] += row["movements"]
        asked = {minute: _minute(minute, counts) for minute, counts in took.items()}
        self._minutes = settled | asked
        return [self._minutes[minute] for minute in sorted(self._minutes)]


def _minute(minute: datetime, took: dict[timedelta, int]) -> Minute:
    """Return a minute's figures of how many movements took how long."""
    movements = sum(took.values())
    of, whole = P99
    reached = 0
    for time in sorted(took):
        reached += took[time]
        if reached * whole >= movements * of:
            return Minute(minute, movements, time)
    raise AssertionError("a minute without a movement has no row")


def _add_sums(kept: Sums, more: Sums) -> None:
    for key, row in more.items():
        sums = kept.setdefault(key, _nothing())
        for name in sums:
            sums[name] += row[name]


def _nothing() -> dict[str, Any]:
    return {**dict.fromkeys(COUNTS, 0), **dict.fromkeys(SUMS, Decimal(0))}


def _add_players(kept: Players, more: Players) -> None:
    for key, players in more.items():
        kept.setdefault(key, set()).update(players)


def _add_refused(kept: Refused, more: Refused) -> None:
    for key, (times, last_at) in more.items():
        before, before_at = kept.get(key, (0, last_at))
        kept[key] = (before + times, max(before_at, last_at))


def _figures(kept: Sums, fresh: Sums) -> list[Figure]:
    both: Sums = defaultdict(_nothing)
    for part in (kept, fresh):
        _add_sums(both, part)
    return [Figure(*key, sums) for key, sums in both.items()]


def _active(kept: Players, fresh: Players) -> list[Active]:
    return [
        Active(*key, len(kept.get(key, ())) + len(fresh.get(key, set()) - kept.get(key, set())))
        for key in kept.keys() | fresh.keys()
    ]


def _refusals(kept: Refused, fresh: Refused) -> list[Refusals]:
    both = dict(kept)
    _add_refused(both, fresh)
    found = [Refusals(*key, *told) for key, told in both.items()]
    return sorted(found, key=lambda row: -row.times)[:REFUSED_MAX]
