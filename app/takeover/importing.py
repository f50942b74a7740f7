"""Imports a wallet's state: all of a file in one transaction, or nothing.

1. The file's hash: a file that was imported already is not read again.
2. Each line is read and staged; a line that is wrong is named, and the rest is still looked at.
3. The file as a whole is held against itself and the ledger.
4. Accounts are opened, and what came in of each player is written, chained from their opening.
5. Every law of the audit is checked for these players, before the commit.

A dry run does all of it, and commits nothing.
"""

import gzip
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from app.cashier.policy import policy_of_ledger
from app.ledger.imports import (
    Connection,
    Counts,
    Source,
    Written,
    breaches,
    brought_in,
    copy_rows,
    counts,
    faults,
    finish,
    importing,
    make,
    note_import,
    open_accounts,
    write,
)
from app.ledger.limits import terms_text
from app.ledger.money.rows import currency_of
from app.ledger.operator_actions import Action
from app.ledger.transaction import Ledger
from app.takeover.fields import LineError
from app.takeover.state_lines import (
    VERSION,
    EndLine,
    Header,
    Line,
    MoveLine,
    PlayerLine,
    Reader,
    TokenLine,
    read_header,
)
from app.wallet.balance import Pockets
from app.wallet.events import Direction, EventType
from app.wallet.facts import Policy, RuleVersion
from app.wallet.imports import (
    Brought,
    Content,
    Decided,
    OpenBet,
    Opening,
    OpenPayment,
    move_in,
)
from app.wallet.journal import chain_start, microseconds
from app.wallet.limit_terms import Author, Term
from app.wallet.moments import FOREVER
from app.wallet.money import Currency, Minor
from app.wallet.operators import Operator
from app.wallet.refusals import Refusal

LINE_BYTES_MAX: Final = 65_536
"""The longest line: a hundred times what a record needs."""

BLOCK_BYTES: Final = 1 << 20
STAGED_AT_ONCE: Final = 5_000
WRITTEN_AT_ONCE: Final = 2_000
"""Entries, not players: of a player there may be many."""

FAULTS_KEPT_MAX: Final = 1000
GZIP_MAGIC: Final = b"\x1f\x8b"
DELIVERY_BYTES: Final = 16

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


class LawBrokenError(Exception):
    """What the file brings in would break a law of the ledger; nothing was written."""


class Imported(NamedTuple):
    """What was brought in, or would be."""

    import_id: int | None
    """None: a dry run"""
    digest: str
    imported_at: datetime
    agent: str
    lines: int
    counted: Counts


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


async def import_state(url: str, request: Request) -> Imported:
    """Import a file; raise BadFileError, BadLinesError, LawBrokenError or LedgerError."""
    policy = await _policy(url)
    if policy.rule_version is RuleVersion.LAST_RELEASE:
        raise BadFileError("Finish the upgrade first: run `wallet migrate --finish`.")
    digest = _digest(request.path)
    async with importing(url, commits=not request.is_dry_run) as connection:
        await make(connection, digest)
        header, lines = await _stage(connection, request, policy)
        found = await faults(connection)
        if found:
            raise BadLinesError([(line, words) for line, words in found], len(found))
        counted = await counts(connection)
        by = request.operator.noted_as
        name = request.path.name
        source = Source(digest, name, VERSION, header.agent, by, lines)
        noted = await open_accounts(connection, source, counted)
        what = _Import(noted.import_id, header.agent, by, noted.imported_at, policy)
        await _write_players(connection, what, counted, request.progress)
        await finish(connection)
        await _audit(connection, counted.players, request.progress)
        await note_import(connection, request.operator, _action(what, digest, name, counted))
    import_id = None if request.is_dry_run else noted.import_id
    return Imported(import_id, digest, noted.imported_at, header.agent, lines, counted)


class _Import(NamedTuple):
    """The import under way."""

    import_id: int
    agent: str
    by: str
    now: datetime
    policy: Policy


async def _policy(url: str) -> Policy:
    ledger = Ledger(url, pool_size=2)
    try:
        return await policy_of_ledger(ledger)
    finally:
        await ledger.close()


# --- reading ---------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as raw:
            is_packed = raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            raw.seek(0)
            if not is_packed:
                yield raw
                return
            with gzip.open(raw) as unpacked:
                yield unpacked  # type: ignore[misc]  # it reads, which is all
    except (EOFError, gzip.BadGzipFile) as error:
        raise BadFileError(f"{path} ends in the middle, or is damaged: fetch it again.") from error
    except OSError as error:
        raise BadFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def _digest(path: Path) -> str:
    """SHA-256 of what the file says, packed or not."""
    digest = sha256()
    with _opened(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _lines(file: BinaryIO) -> Iterator[tuple[int, str | None]]:
    """Yield each line with its number; None: it is too long, or is no UTF-8."""
    number = 0
    while raw := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        text: str | None = None
        if len(raw) <= LINE_BYTES_MAX:
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                text = None
        else:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(LINE_BYTES_MAX)
        yield number, text


async def _stage(connection: Connection, request: Request, policy: Policy) -> tuple[Header, int]:
    """Read every line into the temporary tables; return the header and the number of lines."""
    staging = _Staging(connection, request, policy)
    with _opened(request.path) as file:
        for number, text in _lines(file):
            try:
                await staging.take(number, text)
            except LineError as error:
                staging.complain(number, str(error))
    return await staging.finish()


class _Staging:
    """The records of a file on their way into the temporary tables."""

    def __init__(self, connection: Connection, request: Request, policy: Policy) -> None:
        self._connection = connection
        self._request = request
        self._policy = policy
        self._rows: dict[str, list[tuple[object, ...]]] = {}
        self._staged = 0
        self._reader: Reader | None = None
        self._bad: list[tuple[int, str]] = []
        self._bad_count = 0
        self._end: int | None = None
        self._number = 0

    def complain(self, number: int, words: str) -> None:
        """Count a line that is wrong, and keep the first ones."""
        self._bad_count += 1
        if len(self._bad) < FAULTS_KEPT_MAX:
            self._bad.append((number, words))

    async def take(self, number: int, text: str | None) -> None:
        """Stage one line; raise LineError."""
        self._number = number
        if text is None:
            raise LineError(f"is longer than {LINE_BYTES_MAX} bytes, or is no UTF-8")
        if self._end is not None:
            raise LineError("stands after the end")
        if self._reader is None:
            if number > 1:
                return
            self._reader = Reader(self._checked(read_header(text)), self._policy.key_scope)
            return
        line = self._reader.read(text)
        if isinstance(line, EndLine):
            self._end = number
            if line.lines != number - 1:
                raise LineError(f"says that {line.lines} lines stand before it, not {number - 1}")
            return
        self._stage(number, line)
        if self._staged >= STAGED_AT_ONCE:
            await self._flush()
            self._request.progress("reading", number, 0)

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
        for table, rows in self._rows.items():
            await copy_rows(self._connection, table, rows)
        self._rows.clear()
        self._staged = 0

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
        author = Author(self._request.operator.noted_as, microseconds(datetime.now().astimezone()))
        terms: dict[str, Term] = {}
        for name, text in line.limits.items():
            amount = line.currency.minor(text)
            if amount is None:
                raise LineError(f"has {name} finer than the minor unit of {line.currency.code}")
            terms[name] = Term(amount, set_by=author)
        return terms


def _excluded(until: datetime | None) -> str | None:
    return None if until is None else "infinity" if until == FOREVER else until.isoformat()


# --- writing ---------------------------------------------------------------------------------


async def _write_players(
    connection: Connection, what: _Import, counted: Counts, progress: Progress
) -> None:
    players: list[Written] = []
    entries = done = 0
    async for rows in brought_in(connection):
        written = _written(what, rows)
        players.append(written)
        entries += len(written.moved.entries) + 1
        if entries >= WRITTEN_AT_ONCE:
            await write(connection, players, what.by, what.now)
            done += len(players)
            progress("writing", done, counted.players)
            players, entries = [], 0
    await write(connection, players, what.by, what.now)


def _written(what: _Import, rows: Sequence[Mapping[str, Any]]) -> Written:
    """Return everything to write of one player, from their rows."""
    first = rows[0]
    currency = currency_of(first["currency"], first["scale"])
    pockets = Pockets(_minor(currency, first["real"]), _minor(currency, first["bonus"]))
    delivery = os.urandom(DELIVERY_BYTES)
    asked = {
        "import": what.import_id,
        "line": first["line"],
        "real": currency.text(pockets.real),
        "bonus": currency.text(pockets.bonus),
        "currency": currency.code,
    }
    opening = Opening(
        first["player_id"],
        currency,
        pockets,
        first["chain"],
        delivery,
        json.dumps({"import": what.import_id}),
    )
    brought = [_brought(currency, row) for row in rows if row["kind"] is not None]
    moved = move_in(opening, brought, what.policy.key_scope, what.now)
    note = json.dumps(asked)
    return Written(
        first["player_id"], what.agent, currency, moved, delivery, note, first["outcome"]
    )


def _brought(currency: Currency, row: Mapping[str, Any]) -> Brought:
    content = None
    if row["event_type"] is not None:
        content = Content(
            EventType(row["event_type"]),
            Direction(row["direction"]),
            _minor(currency, row["amount"]),
            row["event_id"],
            row["game_id"],
        )
    refusal = None if row["refusal"] is None else Refusal[row["refusal"]]
    decided = Decided(row["source"], row["transaction_id"], content, refusal)
    if row["kind"] == "decided":
        return decided
    part = Pockets(_minor(currency, row["part_real"]), _minor(currency, row["part_bonus"]))
    if row["kind"] == "payment":
        return OpenPayment(decided, part)
    return OpenBet(row["source"], row["transaction_id"], row["event_id"], row["game_id"], part)


def _minor(currency: Currency, text: str) -> Minor:
    """Return an amount that was checked when the file was staged, which may be below zero."""
    amount = currency.minor(text.removeprefix("-"))
    if amount is None:
        raise AssertionError("a staged amount fits its currency")
    return -amount if text.startswith("-") else amount


async def _audit(connection: Connection, players: int, progress: Progress) -> None:
    done = 0
    async for looked, found in breaches(connection):
        if found:
            law, offender = found[0]
            raise LawBrokenError(f"The import breaks the law {law}: {json.dumps(offender)}")
        done += looked
        progress("auditing", done, players)


def _action(what: _Import, digest: str, name: str, counted: Counts) -> Action:
    details = {"digest": digest, "file": name, "players": counted.players, "bets": counted.bets}
    return Action(
        "import.file",
        "import",
        str(what.import_id),
        os.urandom(DELIVERY_BYTES),
        details=json.dumps(details),
    )
