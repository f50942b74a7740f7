"""`wallet tail`: follow movements as they are decided; Ctrl-C ends it."""

import asyncio
import json
import shutil
import sys
from datetime import UTC, timedelta
from typing import Annotated, Final

import typer

from app.cashier.tail import Line, follow
from app.console.arguments import checked_text
from app.console.database import reach, ready_database
from app.console.output.printer import print_line, say
from app.console.output.records import entry_record
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.tail import LoggedRefusal, TailFilter
from app.settings import load_database_settings
from app.visible import visible
from app.wallet.events import RULES, EventType
from app.wallet.words import moment

WIDTH: Final = 80
INDENT: Final = " " * 10
SECONDS_MAX: Final = 366 * 86400

OfUser = Annotated[
    str | None, typer.Option("--user", help="Only this player's.", callback=checked_text)
]
OfType = Annotated[
    list[EventType] | None,
    typer.Option("--type", help="Only this event type; may be given several times."),
]
Refusals = Annotated[bool, typer.Option("--refusals", help="Only what was refused.")]
Back = Annotated[
    int, typer.Option(min=0, max=3600, help="Begin with what was decided in the last seconds.")
]
Seconds = Annotated[
    int | None, typer.Option(min=0, max=SECONDS_MAX, help="End after so many seconds.")
]
JsonLines = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def tail(
    user: OfUser = None,
    event_type: OfType = None,
    refusals: Refusals = False,
    back: Back = 0,
    seconds: Seconds = None,
    as_json: JsonLines = False,
) -> None:
    """Follow movements as they are decided, of everybody or of one player; Ctrl-C ends it."""
    wanted = TailFilter(user, tuple(kind.value for kind in event_type or ()), refusals)
    with ready_database(load_database_settings()) as database:
        try:
            reach(
                _follow(
                    database.service_url,
                    wanted,
                    back=timedelta(seconds=back),
                    seconds=seconds,
                    as_json=as_json,
                )
            )
        except KeyboardInterrupt:
            # Whoever watches ends it so: it is done.
            return


async def _follow(
    url: str, wanted: TailFilter, *, back: timedelta, seconds: int | None, as_json: bool
) -> None:
    ledger = PlacedLedger(url, pool_size=2)
    width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else 0
    try:
        async for lines in follow(ledger, wanted, back=back, seconds_max=seconds):
            for line in lines:
                if as_json:
                    print_line(json.dumps(_record(line), ensure_ascii=False))
                else:
                    say(_in_width(_words(line), width))
            # Ctrl-C is heard here, too.
            await asyncio.sleep(0)
    finally:
        await ledger.close()


def _words(line: Line) -> tuple[str, str]:
    """Return a line in words: what happened, and the transaction id, which may go below it."""
    if isinstance(line, LoggedRefusal):
        asked = " ".join(filter(None, (line.event_type, line.direction, line.amount)))
        at = line.ledger_time.astimezone(UTC)
        return f"{at:%H:%M:%S}  {line.user_id} {asked}: {line.reason}", line.transaction_id or ""
    entry, currency = line.entry, line.entry.currency
    at = entry.ledger_time.astimezone(UTC)
    what = RULES[entry.event_type].words
    if entry.refusal is None:
        moved = currency.text(entry.delta.balance)
        sign = "+" if entry.delta.balance > 0 else ""
        balance = f"{currency.text(entry.after.balance)} {currency.code}"
        told = f"{what} {sign}{moved} = {balance}"
    else:
        told = f"{what} {currency.text(entry.amount)} {currency.code}: {entry.refusal.value}"
    flags = f" [{', '.join(entry.flags)}]" if entry.flags else ""
    return f"{at:%H:%M:%S}  {line.user_id} {told}{flags}", entry.key.transaction_id


def _in_width(words: tuple[str, str], width: int) -> str:
    """Put the id behind the words, or below them where both do not fit; nothing is cut off."""
    # Foreign texts stay within their line.
    told, transaction_id = map(visible, words)
    if not transaction_id:
        return told
    beside = f"{told}  {transaction_id}"
    return beside if not width or len(beside) <= width else f"{told}\n{INDENT}{transaction_id}"


def _record(line: Line) -> dict[str, object]:
    if isinstance(line, LoggedRefusal):
        return {**line._asdict(), "ledger_time": moment(line.ledger_time), "accepted": False}
    return entry_record(line)
