"""Where a report goes: a table for people, a stream or files for programs, and its manifest."""

import csv
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import typer
from rich.text import Text

from app.console.arguments import read_moment
from app.console.database import Database, reach, ready_database
from app.console.errors import ConsoleError
from app.console.output.layout import Rows
from app.console.output.printer import complain, say, show, write_out
from app.ledger.reports import daily as daily_sections
from app.ledger.reports.reading import LedgerReport, Position
from app.reports.reports import Books, ReportRefusedError, books
from app.reports.writing import Format, Row, Writer, position_from_text
from app.settings import load_database_settings

T = TypeVar("T")

SHOWN_MAX: Final = 1000
"""A person reads a thousand rows at most; a program reads all of them."""


class Output:
    """Where one report goes, and in which form."""

    def __init__(self, path: Path | None, as_csv: bool, as_json: bool) -> None:
        if as_csv and as_json:
            raise typer.BadParameter("say --csv or --json, not both")
        self.path = path
        self.kind = Format.JSON_LINES if as_json else Format.CSV
        self.is_table = path is None and not (as_csv or as_json)
        self.shown: list[Row] = []

    @contextmanager
    def opened(self) -> "Iterator[Callable[[str], object]]":
        """Return what takes the text."""
        if self.is_table:
            yield lambda _text: None
        elif self.path is None:
            yield write_out
        else:
            with _sentences(self.path), self.path.open("w", encoding="utf-8", newline="") as file:
                yield file.write

    def finish(self, writer: Writer, manifest: Mapping[str, Any]) -> None:
        """Show the table, or put the manifest where it belongs."""
        if self.is_table:
            _show(writer.report, self.shown, writer, manifest["position"])
        elif self.path is None:
            # Standard output has the rows and nothing but the rows.
            complain(json.dumps(manifest))
        else:
            _write_manifest(self.path, manifest)


class Sections:
    """Where the sections of a day go: a folder with all of them, or one to standard output."""

    def __init__(self, folder: Path | None, section: str, kind: Format, *, as_rows: bool) -> None:
        self._folder = folder
        self._section = section
        self._kind = kind
        self._as_rows = as_rows
        self._files: dict[str, Any] = {}
        self._lines: list[str] = []

    def __enter__(self) -> Self:
        if self._folder is not None:
            with _sentences(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, section: str, text: str) -> None:
        """Take a piece of a section."""
        if self._folder is not None:
            if section not in self._files:
                path = self._folder / f"{section}.{self._kind}"
                with _sentences(path):
                    self._files[section] = path.open("w", encoding="utf-8", newline="")
            self._files[section].write(text)
        elif section == self._section:
            if self._as_rows:
                self._lines.append(text)
            else:
                write_out(text)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, or show the section."""
        if self._folder is not None:
            _write_manifest(self._folder / "daily", manifest)
        elif self._as_rows:
            self._show(manifest)
        else:
            complain(json.dumps(manifest))

    def _show(self, manifest: Mapping[str, Any]) -> None:
        report_of = next(s for s in daily_sections.SECTIONS if s.name == self._section)
        rows = [tuple(row) for row in csv.reader(self._lines[1 : SHOWN_MAX + 1])]
        show(
            Rows(
                f"{manifest['date']}: {self._section}",
                report_of.columns,
                rows,
                amounts=" ".join(report_of.sums),
            )
        )
        closed = manifest["closed_at"]
        state = "not over, and not closed" if closed is None else f"closed at {closed}"
        say(f"{len(self._lines) - 1} rows; position {manifest['position']}; the day is {state}")

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()


def run_report(
    what: LedgerReport,
    rows: Callable[[Books], AsyncIterator[Row]],
    arguments: dict[str, str],
    output: Output,
    position: str | None,
    at: str | None = None,
) -> Writer:
    """Stream a report to where it goes."""
    if position is not None and at is not None:
        raise typer.BadParameter("say --at or --position, not both")
    named = None if position is None else position_from_text(position)
    moment = None if at is None else read_moment(at)

    async def work(database: Database) -> tuple[Writer, Position]:
        async with books(database.reports_url, at=moment, position=named) as opened:
            with output.opened() as write:
                writer = Writer(what, output.kind, write)
                async for row in rows(opened):
                    writer.add(row)
                    if output.is_table and len(output.shown) < SHOWN_MAX:
                        output.shown.append(row)
            return writer, opened.position

    writer, found = reach_report(work)
    output.finish(writer, writer.manifest(arguments, found))
    return writer


def reach_report(work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    """Do work that reads the ledger; what the report refuses is one sentence."""
    try:
        with ready_database(load_database_settings()) as database:
            return reach(work(database))
    except ReportRefusedError as error:
        raise ConsoleError(str(error)) from error


def _show(what: LedgerReport, rows: list[Row], writer: Writer, position: str) -> None:
    shown = [[value or "" for value in row] for row in rows]
    show(Rows("", what.columns, shown, amounts=" ".join((*what.sums, "real", "bonus", "balance"))))
    for currency, sums in writer.sums.items():
        words = ", ".join(f"{name} {amount}" for name, amount in sums.items())
        show(Text(f"{currency}: {words}"))
    cut = f", the first {SHOWN_MAX} shown" if writer.rows > SHOWN_MAX else ""
    say(f"{writer.rows} rows{cut}; position {position}")


def _write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    beside = path.with_name(f"{path.name}.manifest.json")
    with _sentences(beside):
        beside.write_text(
            json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


@contextmanager
def _sentences(path: Path) -> "Iterator[None]":
    try:
        yield
    except OSError as error:
        raise ConsoleError(f"{path} cannot be written: {error.strerror or error}.") from error
