"""Today: alarms, figures against yesterday and the same weekday, live pace, refusals."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from app.backoffice.call import Call
from app.ledger.backoffice.today import COUNTS, DAYS_BACK, PACE_MINUTES, SUMS, Today
from app.wallet.inbox import WORDS

BY: Final = ("currency", "game", "agent")
GAMES_MAX: Final = 15


async def show(call: Call) -> Response:
    """Show the page, or only its changing part if it refreshes itself."""
    today, standing = await asyncio.gather(call.office.today.get(), call.office.standing.get())
    by = call.asked("by") if call.asked("by") in BY else BY[0]
    template = "today_figures.html" if call.request.headers.get("hx-request") else "today.html"
    return call.page(
        template,
        at=today.at,
        by=by,
        ways=BY,
        totals=_totals(today),
        groups=_groups(today, by),
        pace=_chart(today),
        rate=_rate(today),
        p99=today.pace[-1].p99 if today.pace else None,
        refused=today.refused,
        alarms=list(standing.problems()),
        inbox={kind: count for kind, count in standing.inbox.items() if count.number},
        words=WORDS,
        adjustments_waiting=standing.adjustments_waiting,
    )


def _totals(today: Today) -> list[dict[str, Any]]:
    """Return the figures of each currency, for each of the days."""
    return _compared(today, lambda _agent, currency, _game: currency)


def _groups(today: Today, by: str) -> list[dict[str, Any]]:
    if by == "currency":
        return []
    if by == "game":
        groups = _compared(today, lambda _agent, currency, game: (game, currency))
    else:
        groups = _compared(today, lambda agent, currency, _game: (agent, currency))
    groups.sort(key=lambda group: -group["days"][0]["turnover"])
    return groups[:GAMES_MAX]


def _compared(today: Today, key: Callable[[str, str, int | None], Any]) -> list[dict[str, Any]]:
    found: dict[Any, list[dict[str, Any]]] = defaultdict(lambda: [_nothing() for _ in DAYS_BACK])
    for number, day in enumerate(today.days):
        for row in day.figures:
            sums = found[key(row.agent, row.currency, row.game_id)][number]
            for name, amount in row.sums.items():
                sums[name] += amount
        for active in day.players:
            # A player is of one agent and one currency, and may have played many games.
            group = key(active.agent, active.currency, None)
            if group in found:
                found[group][number]["players"] += active.players
    return [
        {"name": name, "days": _with_ratios(days)}
        for name, days in sorted(found.items(), key=lambda item: str(item[0]))
    ]


def _nothing() -> dict[str, Any]:
    return {**dict.fromkeys(SUMS, Decimal(0)), **dict.fromkeys((*COUNTS, "players"), 0)}


def _with_ratios(days: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    done = []
    for day in days:
        ggr = day["turnover"] - day["payments"]
        done.append({**day, "ggr": ggr, "ngr": ggr - day["bonuses"] - day["promotions"]})
    return done


def _rate(today: Today) -> int:
    """Return the movements of the last whole minute."""
    minute = today.at.replace(second=0, microsecond=0) - timedelta(minutes=1)
    return next((row.movements for row in today.pace if row.minute == minute), 0)


def _chart(today: Today) -> str:
    """Return movements a minute, with zeros where nothing moved."""
    begin = today.at.replace(second=0, microsecond=0) - timedelta(minutes=PACE_MINUTES - 1)
    minutes = [begin + timedelta(minutes=n) for n in range(PACE_MINUTES)]
    known = {row.minute: row.movements for row in today.pace}
    return json.dumps(
        [[int(m.timestamp()) for m in minutes], [str(known.get(m, 0)) for m in minutes]]
    )
