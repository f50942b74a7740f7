"""Statements and reports: `wallet statement`, `wallet balance`, `wallet export`, `wallet report`.

Each is read from one snapshot of the journal and streamed. It is a table for people, CSV with --csv
and JSON lines with --json. The manifest goes beside the file that --out names, else, for programs,
to standard error; it has the rows, the sums, the position and the hash. Exit code 1: the report
says that something is not as it should be.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from app.console.arguments import UserId, checked_moment, read_moment
from app.console.commands.takeover import export_state_command
from app.console.ledger_access import commands, who
from app.console.output.printer import complain, hint
from app.console.report_output import Output, Sections, reach_report, run_report
from app.ledger.reports import daily as daily_sections
from app.ledger.reports import exports, funds
from app.ledger.reports.reading import LedgerReport
from app.reports.reports import Books, report_day, require_player
from app.reports.writing import Format, Row, position_from_text, position_text
from app.wallet.moments import EARLIEST
from app.wallet.money import AMOUNT_PATTERN

T = TypeVar("T")

EXIT_NOT_RIGHT: Final = 1

export: Final = commands("export", "The journal by period: movements, rounds, sessions.")
report: Final = commands("report", "What finance and a regulator ask for.")


def checked_position(value: str | None) -> str | None:
    """Check that a text is a position of a manifest."""
    if value is not None and position_from_text(value) is None:
        raise typer.BadParameter("must be a manifest's position, such as 2026-11-20T12:00:00Z/57")
    return value


AsCsv = Annotated[bool, typer.Option("--csv", help="As CSV.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="For programs: a JSON object a line.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Into a file, CSV unless --json; FILE.manifest.json proves it.",
        dir_okay=False,
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--from", help="From this moment on, such as 2026-11-20.", callback=checked_moment
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--to", help="Before this moment; else until now.", callback=checked_moment),
]
At = Annotated[
    str | None, typer.Option("--at", help="At this moment; else now.", callback=checked_moment)
]
AtPosition = Annotated[
    str | None,
    typer.Option(
        "--position",
        help="Of an earlier manifest: the same bytes again.",
        callback=checked_position,
    ),
]


def statement_command(
    user_id: UserId,
    since: Since = None,
    until: Until = None,
    position: AtPosition = None,
    out: Out = None,
    as_csv: AsCsv = False,
    as_json: AsJsonLines = False,
) -> None:
    """Show a player's statement: every movement, between what they had before and after."""
    begin, end = _period(since, until)

    async def rows(opened: Books) -> AsyncIterator[Row]:
        await require_player(opened, user_id)
        async for row in opened.rows(exports.STATEMENT, user_id, begin, end):
            yield row

    arguments = {"user_id": user_id, **_named(begin, end)}
    run_report(exports.STATEMENT, rows, arguments, Output(out, as_csv, as_json), position)


def balance_command(
    user_id: UserId,
    at: At = None,
    position: AtPosition = None,
    out: Out = None,
    as_csv: AsCsv = False,
    as_json: AsJsonLines = False,
) -> None:
    """Show what a player had at a moment."""

    async def rows(opened: Books) -> AsyncIterator[Row]:
        await require_player(opened, user_id)
        async for row in opened.rows(exports.BALANCE, user_id):
            yield row

    arguments = {"user_id": user_id}
    run_report(exports.BALANCE, rows, arguments, Output(out, as_csv, as_json), position, at)


def _export(exported: LedgerReport, words: str) -> Callable[..., None]:
    def command(
        since: Since = None,
        until: Until = None,
        position: AtPosition = None,
        out: Out = None,
        as_csv: AsCsv = False,
        as_json: AsJsonLines = False,
    ) -> None:
        begin, end = _period(since, until)

        def rows(opened: Books) -> AsyncIterator[Row]:
            return opened.rows(exported, begin, end)

        output = Output(out, as_csv, as_json)
        run_report(exported, rows, _named(begin, end), output, position)

    command.__doc__ = words
    return command


export.command("movements")(_export(exports.MOVEMENTS, "Every movement that was decided."))
export.command("rounds")(_export(exports.ROUNDS, "Every round that was opened, with its sums."))
export.command("sessions")(_export(exports.SESSIONS, "Every session that was begun."))
export.command("state")(export_state_command)


@report.command("daily")
def daily_command(
    day: Annotated[str, typer.Option("--date", help="The UTC day, such as 2026-11-20.")],
    section: Annotated[
        str,
        typer.Option(help="accounts, revenue or resettlements; --out writes all three."),
    ] = "accounts",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="All sections, CSV unless --json.", file_okay=False
        ),
    ] = None,
    as_csv: AsCsv = False,
    as_json: AsJsonLines = False,
) -> None:
    """Report a day: every account, revenue by hour, and re-settlements of earlier days.

    The first report of a day that is over closes it; every later one must be the same.
    """
    wanted = _day(day)
    if section not in {each.name for each in daily_sections.SECTIONS}:
        raise typer.BadParameter("--section is accounts, revenue or resettlements")
    kind = Format.JSON_LINES if as_json else Format.CSV
    with Sections(out, section, kind, as_rows=out is None and not (as_csv or as_json)) as taken:
        done = reach_report(
            lambda database: report_day(
                database.reports_url, database.service_url, wanted, who(), kind, taken.write
            ),
        )
        manifests = [
            writer.manifest({"date": wanted.isoformat()}, done.position) for writer in done.writers
        ]
        closed = done.closed
        manifest = {
            "report": "daily",
            "date": wanted.isoformat(),
            "position": position_text(done.position),
            "digest": done.digest,
            "closed_at": None if closed is None else closed.closed_at.isoformat(),
            "sections": manifests,
        }
        taken.finish(manifest)
    for user_id in done.imbalances:
        complain(
            f"The day of {user_id} does not lead from its beginning to its end: `wallet audit`."
        )
    if closed is not None and not done.is_as_closed:
        complain(
            f"{wanted} was closed at {closed.closed_at.isoformat()} with the digest "
            f"{closed.digest}, and the journal says {done.digest} now: run `wallet audit`."
        )
    if done.imbalances or not done.is_as_closed:
        raise typer.Exit(EXIT_NOT_RIGHT)


@report.command("funds")
def funds_command(
    at: At = None,
    bank: Annotated[
        list[str] | None,
        typer.Option(metavar="CUR=AMOUNT", help="What the bank holds, for each currency."),
    ] = None,
    position: AtPosition = None,
    out: Out = None,
    as_csv: AsCsv = False,
    as_json: AsJsonLines = False,
) -> None:
    """Report player money that must be held apart; exit code 1 if the bank holds less."""
    held = _bank(bank or [])

    def rows(opened: Books) -> AsyncIterator[Row]:
        return opened.rows(funds.FUNDS)

    arguments = {f"bank {currency}": format(held[currency], "f") for currency in sorted(held)}
    output = Output(out, as_csv, as_json)
    writer = run_report(funds.FUNDS, rows, arguments, output, position, at)
    short = False
    for currency, amount in sorted(held.items()):
        to_hold = Decimal(writer.sums.get(currency, {}).get("to_hold", "0"))
        left = amount - to_hold
        short = short or left < 0
        word = "are missing" if left < 0 else "are left"
        hint(f"{currency}: {amount:f} at the bank, {to_hold:f} to hold: {abs(left):f} {word}.")
    if short:
        raise typer.Exit(EXIT_NOT_RIGHT)


@report.command("debts")
def debts_command(
    at: At = None,
    position: AtPosition = None,
    out: Out = None,
    as_csv: AsCsv = False,
    as_json: AsJsonLines = False,
) -> None:
    """Report negative balances: their age, what was recovered and what written off."""

    def rows(opened: Books) -> AsyncIterator[Row]:
        return opened.rows(funds.DEBTS)

    run_report(funds.DEBTS, rows, {}, Output(out, as_csv, as_json), position, at)


def _period(since: str | None, until: str | None) -> tuple[datetime, datetime]:
    begin = EARLIEST if since is None else read_moment(since)
    end = datetime.now(UTC) if until is None else read_moment(until)
    if begin >= end:
        raise typer.BadParameter("--from must be before --to")
    return begin, end


def _named(begin: datetime, end: datetime) -> dict[str, str]:
    return {"from": begin.isoformat(), "to": end.isoformat()}


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("--date must be such as 2026-11-20") from error
    if not EARLIEST.date() <= day <= datetime.now(UTC).date():
        raise typer.BadParameter("--date must be a day from 1970 until today")
    return day


def _bank(words: list[str]) -> dict[str, Decimal]:
    held: dict[str, Decimal] = {}
    for word in words:
        currency, _, amount = word.partition("=")
        if not currency or currency in held or not AMOUNT_PATTERN.fullmatch(amount):
            raise typer.BadParameter("--bank is such as USD=1000.50, once for each currency")
        held[currency] = Decimal(amount)
    return held
