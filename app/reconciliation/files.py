"""Reads a report's file in bounded memory: CSV, TSV, JSON lines or a workbook, perhaps gzipped.

A line that is broken costs itself: it is counted and named, and the next one is read. What breaks
the whole file (no header, a compressed file that is cut off) raises ReportError.
"""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from hashlib import file_digest
from itertools import chain, islice
from numbers import Real
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import openpyxl
from typing_extensions import override

from app.reconciliation.profile import Profile

BLOCK_BYTES: Final = 1 << 20
LINE_BYTES_MAX: Final = 65_536
"""The longest line: a hundred times what a transaction's line needs."""

CHUNK_LINES: Final = 5000
BAD_KEPT_MAX: Final = 1000
"""Of bad lines so many are named; all are counted."""

WORKBOOK_BYTES_MAX: Final = 2 << 30
"""What a workbook may unpack to; a full sheet of a million lines has a quarter of this."""

DOUBLE_DIGITS: Final = 15
"""The digits that a number in a workbook keeps."""

GZIP_MAGIC: Final = b"\x1f\x8b"
ZIP_MAGIC: Final = b"PK\x03\x04"
UTF8_BOM: Final = b"\xef\xbb\xbf"
UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")

Cells = Sequence[str]


class ReportError(Exception):
    """The report cannot be read at all; the message says why."""


@dataclass(slots=True)
class BadLines:
    """Lines that could not be read: all counted, the first ones named."""

    count: int = 0
    kept: list[tuple[int, str]] = field(default_factory=list)

    def add(self, number: int, reason: str) -> None:
        """Count a line, and keep its number with the reason."""
        self.count += 1
        if len(self.kept) < BAD_KEPT_MAX:
            self.kept.append((number, reason))


@dataclass(frozen=True, slots=True)
class Report:
    """An opened report: its header, and its lines in chunks, each with its number in the file."""

    header: Cells
    header_line: int
    chunks: Iterator[list[tuple[int, Cells]]]


def digest_of(path: Path) -> str:
    """SHA-256 of the file as it lies there, in hexadecimal digits."""
    if path.exists() and not path.is_file():
        # It is read again after this, and a device may have no end.
        raise ReportError(f"{path} is a device or a pipe: save the report as a file first.")
    with _sentences(path), path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@contextmanager
def open_report(
    path: Path, profile: Profile, bad: BadLines, progress: Callable[[int], None]
) -> Iterator[Report]:
    """Open a report; `progress` is called with how many bytes of the file were read."""
    with _sentences(path), path.open("rb") as raw:
        counted = _Counted(raw, progress)
        packed = gzip.GzipFile(fileobj=counted) if _starts(raw, GZIP_MAGIC) else None
        stream: IO[bytes] = packed or counted  # type: ignore[assignment]  # it reads, which is all
        kind = _format(path, profile, raw)
        if kind == "xlsx":
            yield _workbook(raw, profile, bad)
        elif kind == "jsonl":
            yield _json_lines(_lines(stream, profile.encoding, bad), profile, bad)
        else:
            delimiter = "\t" if kind == "tsv" else profile.delimiter
            yield _table(_lines(stream, profile.encoding, bad), delimiter, bad)


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Say what is wrong with the file in one sentence."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ReportError(f"{path} ends in the middle, or is damaged: fetch it again.") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise ReportError(f"{path} is no workbook, or is damaged: fetch it again.") from error
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror or error}.") from error


class _Counted(io.RawIOBase):
    """A file that tells how far it was read."""

    def __init__(self, file: IO[bytes], progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress
        self._done = 0

    @override
    def read(self, size: int = -1, /) -> bytes:
        """Read on, and tell how far."""
        block = self._file.read(size)
        self._done += len(block)
        self._progress(self._done)
        return block


def _starts(raw: IO[bytes], magic: bytes) -> bool:
    begin = raw.read(len(magic))
    raw.seek(0)
    return begin == magic


def _format(path: Path, profile: Profile, raw: IO[bytes]) -> str:
    """Tell the format by the file itself, then by its name, then by the profile."""
    if _starts(raw, ZIP_MAGIC):
        return "xlsx"
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    named = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xlsx": "xlsx"}
    return named.get(suffixes[-1] if suffixes else "", profile.format)


def _lines(stream: IO[bytes], encoding: str, bad: BadLines) -> Iterator[str]:
    """Yield every line with its line end; a broken one is named, and becomes an empty line."""
    return chain.from_iterable(_blocks(stream, encoding, bad))


def _blocks(stream: IO[bytes], encoding: str, bad: BadLines) -> Iterator[io.StringIO]:
    number, rest = 1, b""
    is_first = True
    while True:
        block = stream.read(BLOCK_BYTES)
        data = rest + block
        if is_first:
            data, is_first = _without_bom(data), False
        if not block:
            if data:
                yield io.StringIO(_decoded(data, encoding, number, bad), newline="\n")
            return
        cut = data.rfind(b"\n") + 1
        whole, rest = data[:cut], data[cut:]
        if len(rest) > LINE_BYTES_MAX:
            rest = _skipped(stream, rest)
        if whole:
            yield io.StringIO(_decoded(whole, encoding, number, bad), newline="\n")
            number += whole.count(b"\n")


def _skipped(stream: IO[bytes], begin: bytes) -> bytes:
    """Read on to the end of a line that is too long; keep enough of it to find it too long."""
    kept = begin[: LINE_BYTES_MAX + 1]
    while block := stream.read(BLOCK_BYTES):
        head, end, tail = block.partition(b"\n")
        if end:
            # What follows may be too long as well: it is looked at with the next block.
            return kept + end + tail
        del head
    return kept


def _without_bom(data: bytes) -> bytes:
    if data.startswith(UTF16_BOMS):
        raise ReportError("The report is in UTF-16: export it as UTF-8.")
    return data.removeprefix(UTF8_BOM)


def _decoded(data: bytes, encoding: str, number: int, bad: BadLines) -> str:
    """Decode whole lines; where that fails, line by line, so that only broken ones are lost."""
    lines = data.split(b"\n")
    if b"\0" not in data and max(map(len, lines)) <= LINE_BYTES_MAX:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            pass
    return "\n".join(_one(line, encoding, at, bad) for at, line in enumerate(lines, number))


def _one(line: bytes, encoding: str, number: int, bad: BadLines) -> str:
    if len(line) > LINE_BYTES_MAX:
        bad.add(number, f"is longer than {LINE_BYTES_MAX} bytes.")
        return ""
    if b"\0" in line:
        bad.add(number, "contains a NUL character.")
        return ""
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        bad.add(number, f"is not {encoding}, from its byte {error.start + 1} on.")
        return ""


def _table(lines: Iterator[str], delimiter: str, bad: BadLines) -> Report:
    csv.field_size_limit(LINE_BYTES_MAX)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows = _rows(reader, bad)
    header_line, header = next(rows, (0, None))
    if header is None:
        raise ReportError("The report is empty: it has no header.")
    return Report([name.strip() for name in header], header_line, _chunked(rows))


def _rows(reader: Any, bad: BadLines) -> Iterator[tuple[int, Cells]]:  # noqa: ANN401 - the library's reader has no name
    """Yield rows that are not empty, each with the number of the line on which it begins."""
    before = 0
    while True:
        try:
            for row in reader:
                begin, before = before + 1, reader.line_num
                if row:
                    yield begin, row
        except csv.Error as error:
            bad.add(before + 1, f"is no line of a table: {error}.")
            before = reader.line_num
        else:
            return


def _chunked(rows: Iterator[tuple[int, Cells]]) -> Iterator[list[tuple[int, Cells]]]:
    while chunk := list(islice(rows, CHUNK_LINES)):
        yield chunk


def _json_lines(lines: Iterator[str], profile: Profile, bad: BadLines) -> Report:
    columns = list(profile.columns.values())
    # Numbers stay as they are written: neither an amount nor a time ever becomes binary.
    decoder = msgspec.json.Decoder(float_hook=str)

    def rows() -> Iterator[tuple[int, Cells]]:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                value = decoder.decode(line)
                if not isinstance(value, dict):
                    bad.add(number, "is no JSON object.")
                    continue
                yield number, [_json_cell(value, column) for column in columns]
            except (msgspec.DecodeError, _CellError) as error:
                bad.add(number, f"is not understood: {error}.")

    return Report(columns, 0, _chunked(rows()))


class _CellError(Exception):
    """A cell that holds no text and no number."""


def _json_cell(row: dict[str, Any], column: str) -> str:
    """The member of this name; a dot leads into an object that the line holds."""
    value: Any = row.get(column)
    if value is None and "." in column and column not in row:
        value = row
        for part in column.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _CellError(f"{column} is neither text nor a number")
    text = str(value)
    if "\0" in text:
        raise _CellError(f"{column} contains a NUL character")
    return text


def _workbook(raw: IO[bytes], profile: Profile, bad: BadLines) -> Report:
    with zipfile.ZipFile(raw) as archive:
        if sum(each.file_size for each in archive.infolist()) > WORKBOOK_BYTES_MAX:
            raise ReportError(f"The workbook unpacks to more than {WORKBOOK_BYTES_MAX} bytes.")
    raw.seek(0)
    book = openpyxl.load_workbook(raw, read_only=True, data_only=True, keep_links=False)
    if profile.sheet is not None and profile.sheet not in book.sheetnames:
        raise ReportError(f"The workbook has no sheet {profile.sheet}.")
    sheet = book[profile.sheet or book.sheetnames[0]]

    def rows() -> Iterator[tuple[int, Cells]]:
        for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
            if any(value is not None for value in row):
                try:
                    yield number, [_sheet_cell(value) for value in row]
                except _CellError as error:
                    bad.add(number, f"is not understood: {error}.")

    found = rows()
    header_line, header = next(found, (0, None))
    if header is None:
        raise ReportError("The report is empty: it has no header.")
    while header and not header[-1]:
        header = header[:-1]
    width = len(header)

    def trimmed() -> Iterator[tuple[int, Cells]]:
        for number, row in found:
            # A sheet's used area may be wider than its table.
            if any(row[width:]):
                bad.add(number, "has cells beyond the header.")
            else:
                yield number, list(row[:width]) + [""] * (width - len(row))

    return Report(header, header_line, _chunked(trimmed()))


def _sheet_cell(value: object) -> str:
    """A cell as text; a workbook keeps numbers as doubles, of which 15 digits are certain."""
    if value is None:
        return ""
    if isinstance(value, bool):
        raise _CellError("a cell is true or false, and neither text nor a number")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int):
        text = str(value)
    elif isinstance(value, Real):
        text = format(Decimal(format(value, f".{DOUBLE_DIGITS}g")), "f")
    else:
        return str(value)
    if len(text.strip("-0").replace(".", "")) > DOUBLE_DIGITS:
        raise _CellError(
            f"the number {text} has more digits than a workbook keeps; store it as text"
        )
    return text
