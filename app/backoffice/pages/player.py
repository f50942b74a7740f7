"""A player: pockets now and over time, limits, rounds, movements in words, and their statement."""

import asyncio
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.backoffice.call import Call, MistakeError
from app.backoffice.rendering import day
from app.cashier.staff_lookups import PlayerDetails, look_up_player
from app.ledger.accounts import Account
from app.ledger.backoffice import players as reports
from app.ledger.backoffice.players import STATEMENT_ROWS_MAX
from app.ledger.lookups import OwnedEntry
from app.wallet.events import RULES
from app.wallet.limit_terms import LIMIT_NAMES
from app.wallet.moments import FOREVER, moment_from_text
from app.wallet.refusals import Refusal
from app.wallet.words import remarks

MOVEMENTS: Final = 30
STATEMENT_DAYS: Final = 30

STATEMENT_COLUMNS: Final = (
    "line",
    "ledger_time",
    "what",
    "money_in",
    "money_out",
    "real",
    "bonus",
    "balance",
    "currency",
    "transaction_id",
    "event_id",
    "game_id",
)


async def show(call: Call) -> Response:
    """Show a player; that somebody looked is noted before anything is shown."""
    details = await looked_up(call, MOVEMENTS)
    player = details.account.player
    await call.note("player.look", "player", player.user_id)
    views = call.office.views
    last = details.entries[0].entry.position if details.entries else 0
    (
        balances,
        limits,
        limits_hit,
        holds,
        rounds,
        tokens,
        refusals,
        changes,
        notes,
    ) = await asyncio.gather(
        reports.balances(views, player.player_id, last),
        reports.limits(views, player.user_id),
        reports.limits_hit(views, player.player_id),
        reports.holds(views, player.player_id),
        reports.open_rounds(views, player.player_id),
        reports.tokens(views, player.user_id),
        reports.refusals(views, player.user_id),
        reports.changes(views, player.user_id),
        reports.notes(views, player.user_id),
    )
    return call.page(
        "player.html",
        account=details.account,
        player=player,
        excluded=_excluded(details.account),
        entries=[_line(owned) for owned in details.entries],
        chart=_chart(balances),
        limits=limits,
        limit_names=LIMIT_NAMES,
        limits_hit=limits_hit,
        holds=holds,
        rounds=rounds,
        tokens=tokens,
        refusals=refusals,
        changes=changes,
        notes=notes,
        tomorrow=(player.now + timedelta(days=1)).strftime("%Y-%m-%d"),
    )


async def sessions(call: Call) -> Response:
    """Show when they played: it reads all that they ever played, so it is asked for apart."""
    user_id = call.asked("id")
    await call.note("player.sessions", "player", user_id)
    is_part = call.request.headers.get("hx-request") is not None
    return call.page(
        "player_sessions.html" if is_part else "player_played.html",
        user_id=user_id,
        sessions=await reports.sessions(call.office.views, user_id),
    )


def _excluded(account: Account) -> str | None:
    """Say until when the player is excluded; None: they are not."""
    until = account.excluded_until
    if until is None or until <= account.player.now:
        return None
    return "for ever" if until == FOREVER else f"until {day(until)}"


async def statement(call: Call) -> Response:
    """Show a statement that can be printed."""
    details, since, until, lines = await _statement(call)
    return call.page(
        "statement.html",
        player=details.account.player,
        since=since,
        until=until,
        lines=lines,
        sums=_sums(lines),
        is_cut=len(lines) == STATEMENT_ROWS_MAX,
    )


async def statement_csv(call: Call) -> Response:
    """Return a statement as CSV."""
    _details, since, until, lines = await _statement(call)
    name = f"statement-{since:%Y%m%d}-{until:%Y%m%d}.csv"
    return as_csv(name, STATEMENT_COLUMNS, lines)


async def looked_up(call: Call, movements: int) -> PlayerDetails:
    """Return the player that the address names, or 404."""
    user_id = call.asked("id")
    details = await look_up_player(call.office.ledger, user_id, movements)
    if isinstance(details, Refusal):
        raise HTTPException(404)
    return details


def as_csv(name: str, columns: tuple[str, ...], rows: list[Any]) -> Response:
    """Return rows as a CSV file; a text that a spreadsheet would take for a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
    }
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, str):
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    return str(value)


def _line(owned: OwnedEntry) -> dict[str, Any]:
    entry = owned.entry
    return {
        "entry": entry,
        "what": RULES[entry.event_type].words,
        "why": entry.refusal.value if entry.refusal else None,
        "remarks": remarks(entry),
        "is_unanswered": owned.unanswered_since is not None,
    }


def _chart(balances: list[Any]) -> str:
    """Return the series of the chart: seconds, and amounts as they are drawn, not as they are."""
    times = [int(row["ledger_time"].timestamp()) for row in balances]
    return json.dumps([times, [str(row["balance_after"]) for row in balances]])


async def _statement(call: Call) -> tuple[PlayerDetails, datetime, datetime, list[Any]]:
    details = await looked_up(call, 0)
    player = details.account.player
    until = _day(call, "until") or player.now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = _day(call, "since") or until - timedelta(days=STATEMENT_DAYS)
    if since > until:
        raise MistakeError("A statement begins before it ends.")
    # The last day is part of it.
    end = until + timedelta(days=1)
    lines = await reports.statement(call.office.views, player.player_id, since, end)
    await call.note("player.statement", "player", player.user_id, since=since, until=until)
    return details, since, until, lines


def _sums(lines: list[Any]) -> dict[str, Decimal] | None:
    """Return what a statement begins and ends with, and what came and went; None: no line."""
    if not lines:
        return None
    first, last = lines[0], lines[-1]
    came = sum((row["money_in"] or Decimal(0) for row in lines), Decimal(0))
    went = sum((row["money_out"] or Decimal(0) for row in lines), Decimal(0))
    opening = first["balance"] - (first["money_in"] or 0) + (first["money_out"] or 0)
    return {"opening": opening, "came": came, "went": went, "closing": last["balance"]}


def _day(call: Call, name: str) -> datetime | None:
    text = call.asked(name)
    moment = moment_from_text(text) if text else None
    if text and moment is None:
        raise MistakeError(f"{name} must be a day such as 2026-11-20.")
    return moment
