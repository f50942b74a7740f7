"""Writes a report's rows as they come, and counts, sums and hashes what it writes.

The bytes depend on the rows alone: fields in a fixed order, lines that end with a line feed, no
time of writing. The manifest beside them says from which position of the journal they are, so that
anybody who holds the journal can write the same bytes again.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from app.ledger.reports.reading import LedgerReport, Position
from app.wallet.moments import moment_from_text

Row = tuple[str | None, ...]


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSON_LINES = "jsonl"


class Writer:
    """One report on its way out."""

    def __init__(self, report: LedgerReport, kind: Format, write: Callable[[str], object]) -> None:
        self.report = report
        self.rows = 0
        self._kind = kind
        self._write = write
        self._hash = sha256()
        self._places = {name: report.columns.index(name) for name in report.sums}
        self._currency = report.columns.index("currency") if report.sums else 0
        self._sums: dict[str, dict[str, Decimal]] = {}
        if kind is Format.CSV:
            self._put(_csv_line(report.columns))

    def add(self, row: Row) -> None:
        """Write a row, and count what it holds."""
        self.rows += 1
        if self._places:
            sums = self._sums.setdefault(
                row[self._currency] or "", dict.fromkeys(self._places, Decimal(0))
            )
            for name, place in self._places.items():
                sums[name] += Decimal(row[place] or 0)
        if self._kind is Format.CSV:
            self._put(_csv_line([value or "" for value in row]))
        else:
            document = dict(zip(self.report.columns, row, strict=True))
            self._put(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")

    def _put(self, text: str) -> None:
        self._hash.update(text.encode())
        self._write(text)

    @property
    def digest(self) -> str:
        """SHA-256 of everything written so far."""
        return self._hash.hexdigest()

    @property
    def sums(self) -> dict[str, dict[str, str]]:
        """The sums by currency, as text."""
        return {
            currency: {name: format(amount, "f") for name, amount in sums.items()}
            for currency, sums in sorted(self._sums.items())
        }

    def manifest(self, arguments: Mapping[str, str], position: Position) -> dict[str, Any]:
        """Say what was written, from what, and how it is recognised."""
        return {
            "report": self.report.name,
            "arguments": dict(arguments),
            "format": self._kind.value,
            "columns": list(self.report.columns),
            "rows": self.rows,
            "sums": self.sums,
            "position": position_text(position),
            "sha256": self.digest,
        }


def _csv_line(values: list[str] | tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


POSITION_MARK: Final = "/"


def position_text(position: Position) -> str:
    """A position as text: the moment, and how many movements there were: `2026-…Z/57`."""
    moment = position.moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"{moment}{POSITION_MARK}{position.movements}"


def position_from_text(text: str) -> Position | None:
    """Read a position; None: it is none."""
    written, _, count = text.partition(POSITION_MARK)
    moment = moment_from_text(written)
    if moment is None or not (count.isascii() and count.isdecimal()):
        return None
    return Position(moment, int(count))
