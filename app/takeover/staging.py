"""A file of another wallet on its way into the temporary tables of an import, line by line."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from app.ledger.imports.session import Connection
from app.ledger.imports.staging import copy_rows
from app.ledger.limits import terms_text
from app.takeover.fields import LineError
from app.takeover.state_lines import (
    EndLine,
    Header,
    Line,
    MoveLine,
    PlayerLine,
    Reader,
    TokenLine,
    read_header,
)
from app.wallet.journal import chain_start, microseconds
from app.wallet.limit_terms import Author, Term
from app.wallet.moments import FOREVER
from app.wallet.movement import KeyScope
from app.wallet.operators import Operator

LINE_BYTES_MAX: Final = 65_536
"""The longest line: a hundred times what a record needs."""

BLOCK_BYTES: Final = 1 << 20
READ_AT_ONCE: Final = 100
"""Lines, some milliseconds' work, between which what was staged goes to the database."""

STAGED_AT_ONCE: Final = 5_000
FAULTS_KEPT_MAX: Final = 1000
GZIP_MAGIC: Final = b"\x1f\x8b"

Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and of how much."""


class BadFileError(Exception):
    """The file as a whole cannot be imported; the message says why and what to do."""


class BadLinesError(Exception):
    """Lines of the file are wrong; nothing was written."""

    def __init__(self, bad: list[tuple[int, str]], count: int) -> None:
        super().__init__()
        self.bad = bad
        """the first ones: their numbers, and words that go after them"""
        self.count = count


class Request(NamedTuple):
    """Which file, and who brings it in."""

    path: Path
    agents: frozenset[str]
    """agents of this wallet; empty: any"""
    currencies: Mapping[str, int]
    """the decimals of the currencies that this wallet knows"""
    operator: Operator
    is_dry_run: bool
    progress: Progress = lambda _what, _done, _of: None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, packed or not; raise BadFileError."""
    if path.exists() and not path.is_file():
        # It is read more than once, and a device may have no end.
        raise BadFileError(f"{path} is a device or a pipe: save it as a file first.")
    try:
        with path.open("rb") as raw:
            is_packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            if not is_packed:
                yield raw
                return
            with gzip.open(raw) as unpacked:
                yield unpacked  # type: ignore[misc]  # it reads, which is all
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadFileError(f"{path} ends in the middle, or is damaged: fetch it again.") from error
    except OSError as error:
        raise BadFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def digest_of(path: Path) -> str:
    """SHA-256 of what the file says, packed or not."""
    digest = sha256()
    with _opened(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def numbered_lines(
    path: Path, read: Callable[[bytes], object] = lambda _: None
) -> Iterator[tuple[int, str | None]]:
    """Yield each line with its number; None: it is too long, or is no UTF-8.

    `read` is called with all that was read. Raises BadFileError, and of nothing but the file: what
    is raised by whoever takes the lines passes by.
    """
    number = 0
    with _opened(path) as file:
        while raw := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            read(raw)
            text: str | None = None
            if len(raw) <= LINE_BYTES_MAX:
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError:
                    text = None
            else:
                while raw and not raw.endswith(b"\n"):
                    raw = file.readline(LINE_BYTES_MAX)
                    read(raw)
            yield number, text


async def stage(
    connection: Connection, request: Request, digest: str, scope: KeyScope
) -> tuple[Header, int]:
    """Read every line into the temporary tables; return the header and the number of lines.

    `digest`: of the file, when it was looked up whether it is known.
    """
    staging, hashed = _Staging(connection, request, scope), sha256()
    try:
        for number, text in numbered_lines(request.path, hashed.update):
            try:
                staging.take(number, text)
            except LineError as error:
                staging.complain(number, str(error))
            if number % READ_AT_ONCE == 0:
                await staging.flush_some()
    finally:
        await staging.flushed()
    if hashed.hexdigest() != digest:
        raise BadFileError(f"{request.path} was changed while it was read: wait until it is whole.")
    return await staging.finish()


class _Staging:
    """The records of a file on their way into the temporary tables."""

    def __init__(self, connection: Connection, request: Request, scope: KeyScope) -> None:
        self._connection = connection
        self._request = request
        self._scope = scope
        self._rows: dict[str, list[tuple[object, ...]]] = {}
        self._staged = 0
        self._reader: Reader | None = None
        self._bad: list[tuple[int, str]] = []
        self._bad_count = 0
        self._end: int | None = None
        self._number = 0
        self._flushing: asyncio.Task[None] | None = None

    def complain(self, number: int, words: str) -> None:
        """Count a line that is wrong, and keep the first ones."""
        self._bad_count += 1
        if len(self._bad) < FAULTS_KEPT_MAX:
            self._bad.append((number, words))

    def take(self, number: int, text: str | None) -> None:
        """Stage one line; raise LineError."""
        self._number = number
        if text is None:
            raise LineError(f"is longer than {LINE_BYTES_MAX} bytes, or is no UTF-8")
        if self._end is not None:
            raise LineError("stands after the end")
        if self._reader is None:
            if number > 1:
                return
            self._reader = Reader(self._checked(read_header(text)), self._scope)
            return
        line = self._reader.read(text)
        if isinstance(line, EndLine):
            self._end = number
            if line.lines != number - 1:
                raise LineError(f"says that {line.lines} lines stand before it, not {number - 1}")
            return
        self._stage(number, line)

    async def flush_some(self) -> None:
        """Let PostgreSQL take what was staged, if it is enough, while more is read."""
        if self._staged >= STAGED_AT_ONCE:
            await self.flushed()
            self._flushing = asyncio.create_task(self._flush())
            self._request.progress("reading", self._number, 0)
        await asyncio.sleep(0)

    async def flushed(self) -> None:
        """Wait until PostgreSQL has what it was given."""
        flushing, self._flushing = self._flushing, None
        if flushing is not None:
            await flushing

    async def finish(self) -> tuple[Header, int]:
        """Stage the rest, and raise if anything was wrong."""
        if self._reader is not None and self._end is None:
            self.complain(
                self._number + 1, 'must be the end: {"kind": "end", "lines": …}; the file was cut'
            )
        if not self._number:
            raise BadFileError("The file is empty: its first line must be a header.")
        if self._bad or self._reader is None:
            raise BadLinesError(self._bad, self._bad_count)
        await self._flush()
        return self._reader.header, self._number

    def _checked(self, header: Header) -> Header:
        """Hold the header against this wallet's settings."""
        known = self._request.currencies
        if self._request.agents and header.agent not in self._request.agents:
            raise LineError(f"names the agent {header.agent}, who is not in WALLET_AGENTS")
        for code, scale in header.currencies.items():
            if code not in known:
                raise LineError(f"names the currency {code}: add it to WALLET_CURRENCIES")
            if known[code] != scale:
                raise LineError(
                    f"says that {code} has {scale} decimals, and here it has {known[code]}"
                )
        return header

    def _stage(self, number: int, line: Line) -> None:
        match line:
            case PlayerLine():
                self._add("import_players", self._player_row(number, line))
            case MoveLine():
                self._add("import_moves", (number, *line))
            case TokenLine(user_id, token_hash, expires_at, life_seconds):
                moment = expires_at.isoformat()
                self._add("import_tokens", (number, user_id, token_hash, moment, life_seconds))
            case EndLine():
                raise AssertionError("the end is no record")

    def _add(self, table: str, row: tuple[object, ...]) -> None:
        self._rows.setdefault(table, []).append(row)
        self._staged += 1

    async def _flush(self) -> None:
        staged, self._rows, self._staged = self._rows, {}, 0
        for table, rows in staged.items():
            await copy_rows(self._connection, table, rows)

    def _player_row(self, number: int, line: PlayerLine) -> tuple[object, ...]:
        agent = self._reader.header.agent if self._reader else ""
        terms = self._terms(line)
        excluded = _excluded(line.excluded_until)
        outcome = {
            "status": "blocked" if line.is_blocked else "active",
            "excluded_until": excluded,
            "limits": {name: term._asdict() for name, term in terms.items()},
            "language": line.language,
        }
        return (
            number,
            line.user_id,
            line.currency.code,
            line.currency.scale,
            line.currency.text(line.currency.maximum),
            line.real,
            line.bonus,
            line.nickname,
            line.language,
            line.email,
            line.first_name,
            line.last_name,
            line.is_blocked,
            excluded,
            terms_text(terms),
            json.dumps(outcome),
            chain_start(line.user_id, agent, line.currency),
        )

    def _terms(self, line: PlayerLine) -> dict[str, Term]:
        """Return the limits, set by whoever imports, now."""
        author = Author(self._request.operator.noted_as, microseconds(datetime.now(UTC)))
        terms: dict[str, Term] = {}
        for name, text in line.limits.items():
            amount = line.currency.minor(text)
            if amount is None:
                raise LineError(f"has {name} finer than the minor unit of {line.currency.code}")
            terms[name] = Term(amount, set_by=author)
        return terms


def _excluded(until: datetime | None) -> str | None:
    return None if until is None else "infinity" if until == FOREVER else until.isoformat()
