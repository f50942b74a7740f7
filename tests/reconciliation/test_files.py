"""Reports in every format say the same; a broken line is named by its number, and costs itself."""

import csv
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from app.reconciliation.files import LINE_BYTES_MAX, ReportError
from app.reconciliation.profile import load_profile
from app.reconciliation.reconcile import BadReportError
from app.simulator.report import COLUMNS, Record
from tests.conftest import sql
from tests.reconciliation.conftest import Played


def as_table(path: Path, records: list[Record], delimiter: str = ",", turn: int = 0) -> None:
    rows = [COLUMNS, *(record.row() for record in records)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([*row[turn:], *row[:turn]] for row in rows)


def as_json_lines(path: Path, records: list[Record]) -> None:
    lines = []
    for record in records:
        line = dict(zip(COLUMNS, record.row(), strict=True))
        # A number as it is written, which no float may come between.
        text = json.dumps(line).replace(
            f'"amount": "{record.amount}"', f'"amount": {number(record)}'
        )
        lines.append(text)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def number(record: Record) -> str:
    return record.amount.lstrip("0") or "0" if "." not in record.amount else f'"{record.amount}"'


def as_workbook(path: Path, records: list[Record]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(COLUMNS)
    for record in records:
        sheet.append(record.row())
    book.save(path)


def gzipped(path: Path, records: list[Record]) -> None:
    plain = path.with_suffix(".plain")
    as_table(plain, records)
    path.write_bytes(gzip.compress(plain.read_bytes()))


FORMATS: dict[str, Callable[[Path, list[Record]], None]] = {
    "report.csv": as_table,
    "turned.csv": lambda path, records: as_table(path, records, turn=4),
    "report.tsv": lambda path, records: as_table(path, records, "\t"),
    "report.jsonl": as_json_lines,
    "report.xlsx": as_workbook,
    "report.csv.gz": gzipped,
    "without_a_suffix": gzipped,
}


@pytest.mark.parametrize("name", FORMATS)
async def test_every_format_says_the_same(played: Played, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    FORMATS[name](path, played.records)
    async with played.run(path) as (outcome, differences):
        assert differences == []
        assert outcome.lines == len(played.records)


async def test_a_byte_order_mark_is_no_part_of_the_first_column(
    played: Played, tmp_path: Path
) -> None:
    path = tmp_path / "report.csv"
    as_table(path, played.records)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    async with played.run(path) as (outcome, _):
        assert outcome.agrees


def row(record: Record, **changes: str) -> str:
    cells = dict(zip(COLUMNS, record.row(), strict=True)) | changes
    return ",".join(cells.values())


BAD: dict[str, tuple[Callable[[Record], bytes], str]] = {
    "cut off": (lambda r: row(r)[: len(row(r)) // 2].encode(), "cut off"),
    "another encoding": (
        lambda r: row(r, eventId="Zoë").encode("latin-1"),
        "is not utf-8, from its byte",
    ),
    "NUL": (lambda r: row(r, eventId="a\0b").encode(), "NUL"),
    "thousands": (lambda r: row(r, amount='"1,234.56"').encode(), "thousands apart"),
    "exponent": (lambda r: row(r, amount="1E+3").encode(), "exponent"),
    "no amount": (lambda r: row(r, amount="").encode(), "has no amount"),
    "not a number": (lambda r: row(r, amount="NaN").encode(), "which is none"),
    "below zero": (lambda r: row(r, amount="-1.00").encode(), "below zero"),
    "too large": (lambda r: row(r, amount="9" * 20).encode(), "more than 18 digits"),
    "a time that is none": (lambda r: row(r, createdAt="yesterday").encode(), "which is not iso"),
    "a year that is none": (lambda r: row(r, createdAt="0001-01-01").encode(), "outside the years"),
    "no id": (lambda r: row(r, transactionId="").encode(), "has no transaction id"),
    "a long id": (lambda r: row(r, transactionId="x" * 251).encode(), "more than 250 characters"),
    "an unknown status": (lambda r: row(r, status="maybe").encode(), "not in [statuses]"),
    "an unknown type": (lambda r: row(r, eventType="Jackpot").encode(), "not in [types]"),
    "an unknown direction": (lambda r: row(r, direction="in").encode(), "not in [directions]"),
    "a long field": (lambda r: row(r, eventId="x" * 60_000 + "y" * 7000).encode(), "longer than"),
    "ten megabytes": (lambda _: b"x" * 10_000_000, f"longer than {LINE_BYTES_MAX} bytes"),
    "a quote in the middle": (lambda r: row(r, eventId='"a"b').encode(), "no line of a table"),
    "a line again": (lambda r: row(r).encode(), "repeats line 2 to the letter"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_broken_line_is_named_and_nothing_is_compared(
    played: Played, tmp_path: Path, case: str
) -> None:
    broken, reason = BAD[case]
    path = tmp_path / "report.csv"
    as_table(path, played.records)
    lines = path.read_bytes().split(b"\r\n")
    lines[4:4] = [broken(played.records[0])]
    path.write_bytes(b"\r\n".join(lines))
    before = runs(played)
    with pytest.raises(BadReportError) as error:
        async with played.run(path):
            pass
    assert runs(played) == before, "a run that did not take place is not kept"
    ((line, said),) = error.value.bad.kept
    assert line == 5
    assert reason in said
    async with played.run(path, skips_bad=True) as (outcome, differences):
        assert differences == []
        assert outcome.bad.count == 1
        assert outcome.lines == len(played.records)


def runs(played: Played) -> str:
    return sql(played.db.server, "SELECT count(*) FROM reconciliation_runs", played.db.name)


async def test_every_broken_line_is_counted_and_listed(played: Played, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    as_table(path, played.records)
    lines = path.read_text(encoding="utf-8").splitlines()
    for number in (3, 7, 11):
        lines[number] = lines[number].replace(",", ";")
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(BadReportError) as error:
        async with played.run(path):
            pass
    assert [line for line, _ in error.value.bad.kept] == [4, 8, 12]


async def test_a_time_without_a_zone_needs_the_profiles(played: Played, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    records = [replace(each, at=each.at.replace(tzinfo=None)) for each in played.records]
    as_table(path, records)
    fungamess = replace(load_profile("fungamess"), grace_seconds=0)
    async with played.run(path, fungamess) as (outcome, _):
        assert outcome.agrees
    with pytest.raises(BadReportError) as error:
        async with played.run(path, replace(fungamess, zone=None)):
            pass
    assert "without a zone" in error.value.bad.kept[0][1]


WHOLE = {
    "no header": (b"", "it has no header"),
    "no line": (",".join(COLUMNS).encode(), "has no line to compare"),
    "another header": (b"a,b\r\n1,2\r\n", "has no column transactionId"),
    "a column twice": (",".join([*COLUMNS, "status"]).encode(), "status twice"),
    "a gzip that is cut off": (gzip.compress(b"transactionId\r\n" * 1000)[:30], "in the middle"),
    "a workbook that is none": (b"PK\x03\x04nothing", "no workbook"),
    "UTF-16": ("transactionId".encode("utf-16"), "UTF-16"),
}


@pytest.mark.parametrize("case", WHOLE)
async def test_a_file_that_cannot_be_read_is_one_sentence(
    played: Played, tmp_path: Path, case: str
) -> None:
    content, reason = WHOLE[case]
    path = tmp_path / "report"
    path.write_bytes(content)
    with pytest.raises(ReportError, match=reason) as error:
        async with played.run(path, since=None, until=None):
            pass
    assert "\n" not in str(error.value)
