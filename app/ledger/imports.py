"""A file of another wallet in temporary tables, checked as a whole, and written as one transaction.

1. `make`, `copy_rows`   the tables of this transaction, and the file's records, through COPY
2. `faults`              what is wrong with the file as a whole, or against the ledger, by line
3. `open_accounts`       players, their empty wallets, and the row of the import
4. `brought_in`          the records again, player by player, as they are to be written
5. `write`               journal, keys, rounds and notes, through COPY
6. `finish`              the wallets as they stand, and the tokens
7. `breaches`            the audit's laws of these players, before anything is committed

The transaction is READ COMMITTED, and needs no more: nobody can read or change a player before it
commits, and the uniqueness of user ids and transaction ids is their indexes'. At SERIALIZABLE its
locks would cover whole tables, and movements of others would be run again because of it.

Rows are written without the number of the transaction: the platform knows what it moved, and no
event tells of it (see `event_log`).
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import asyncpg

from app.database_url import connect_arguments
from app.ledger.audit import CHECKS_OF_PLAYERS
from app.ledger.audit.offenders import offenders
from app.ledger.connecting import connect
from app.ledger.errors import LedgerError
from app.ledger.money.book import Book
from app.ledger.money.rows import decision_of
from app.ledger.operator_actions import Action, note_action
from app.ledger.snapshot import read_by_key
from app.wallet.imports import OPERATION, MovedIn
from app.wallet.journal import JournalEntry
from app.wallet.money import Currency
from app.wallet.operators import Operator

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    Connection: TypeAlias = object

SETTINGS: Final = {
    "application_name": "wallet-import",
    "timezone": "UTC",
    "work_mem": "64MB",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "synchronous_commit": "on",
    "search_path": "public, pg_temp",
    # The longest statement sorts the whole file.
    "statement_timeout": "30min",
    "lock_timeout": "60s",
    # Read by the trigger that notes an account's opening: no event tells of it.
    "wallet.is_import": "on",
}

LOCK_KEY: Final = 0x696D706F7274
"""The advisory lock of who imports: `import` in ASCII."""

FAULTS_MAX: Final = 1000
FETCHED: Final = 5_000
AUDITED: Final = 2_000
"""Players whose laws are checked at once."""

TABLES: Final = {
    "import_players": """
        line bigint NOT NULL, user_id text NOT NULL, currency text NOT NULL,
        scale smallint NOT NULL, maximum numeric NOT NULL, real numeric NOT NULL,
        bonus numeric NOT NULL, nickname text NOT NULL, language text NOT NULL, email text,
        first_name text, last_name text, blocked boolean NOT NULL, excluded_until timestamptz,
        limits jsonb, outcome text NOT NULL, chain bytea NOT NULL
    """,
    "import_moves": """
        line bigint NOT NULL, user_id text NOT NULL, kind text NOT NULL, source text NOT NULL,
        transaction_id text NOT NULL, facet text NOT NULL, event_type text, direction text,
        amount numeric, event_id text, game_id bigint, real numeric, bonus numeric, refusal text
    """,
    "import_tokens": """
        line bigint NOT NULL, user_id text NOT NULL, token_hash bytea NOT NULL,
        expires_at timestamptz NOT NULL, life_seconds bigint
    """,
}
"""What stands in a file, by what the records are of; amounts in major units."""

_OTHERS: Final = (
    """
    CREATE TEMPORARY TABLE import_ids (
        user_id text PRIMARY KEY, player_id bigint NOT NULL
    ) ON COMMIT DROP
    """,
    """
    CREATE TEMPORARY TABLE import_wallets (
        player_id bigint NOT NULL, version bigint NOT NULL, position bigint NOT NULL,
        real numeric NOT NULL, bonus numeric NOT NULL, chain bytea NOT NULL
    ) ON COMMIT DROP
    """,
)

_COLUMNS: Final = {
    name: tuple(column.split()[0] for column in columns.split(","))
    for name, columns in TABLES.items()
}

_INDEXES: Final = (
    "CREATE INDEX ON import_players (user_id)",
    "CREATE INDEX ON import_moves (user_id, line)",
    "CREATE INDEX ON import_moves (source, transaction_id)",
    *(f"ANALYZE {name}" for name in TABLES),
)

_FAULTS: Final = (
    """
    SELECT line, 'repeats the player of line ' || first_line FROM (
        SELECT line, min(line) OVER (PARTITION BY user_id) AS first_line FROM import_players
    ) d WHERE line > first_line
    """,
    """
    SELECT m.line, 'is of a player who is not in the file'
    FROM (SELECT line, user_id FROM import_moves
          UNION ALL SELECT line, user_id FROM import_tokens) m
    WHERE NOT EXISTS (SELECT FROM import_players p WHERE p.user_id = m.user_id)
    """,
    """
    SELECT i.line, 'opens an account that this ledger has already'
    FROM import_players i JOIN players p ON p.user_id = i.user_id
    """,
    """
    SELECT line, 'repeats the transaction id of line ' || first_line FROM (
        SELECT line, facet, event_type,
               min(line) OVER alike AS first_line,
               min(line) OVER (PARTITION BY source, transaction_id, facet) AS same_facet,
               bool_or(event_type IS NULL) OVER alike AS is_id_alone
        FROM import_moves WINDOW alike AS (PARTITION BY source, transaction_id)
    ) d WHERE line > first_line AND (is_id_alone OR line > same_facet)
    """,
    """
    SELECT m.line, 'has a transaction id that this ledger has decided already'
    FROM import_moves m
    WHERE EXISTS (SELECT FROM transaction_keys k
                  WHERE k.source = m.source AND k.transaction_id = m.transaction_id OFFSET 0)
    """,
    """
    SELECT line, 'repeats the token of line ' || first_line FROM (
        SELECT line, min(line) OVER (PARTITION BY user_id, token_hash) AS first_line
        FROM import_tokens
    ) d WHERE line > first_line
    """,
    """
    SELECT m.line, 'has an amount that is finer than the minor unit of ' || p.currency
    FROM import_moves m JOIN import_players p ON p.user_id = m.user_id
    WHERE (m.amount, coalesce(m.real, 0), coalesce(m.bonus, 0))
          IS DISTINCT FROM (trunc(m.amount, p.scale), trunc(coalesce(m.real, 0), p.scale),
                            trunc(coalesce(m.bonus, 0), p.scale))
    """,
    """
    SELECT line, 'has a balance that is finer than the minor unit of ' || currency
    FROM import_players
    WHERE (real, bonus) <> (trunc(real, scale), trunc(bonus, scale))
    """,
    """
    SELECT p.line, 'has balances and open bets that do not fit the digits of ' || p.currency
    FROM import_players p
    LEFT JOIN (SELECT user_id, max(amount) AS largest,
                      coalesce(sum(real) FILTER (WHERE kind = 'bet'), 0) AS real,
                      coalesce(sum(bonus) FILTER (WHERE kind = 'bet'), 0) AS bonus,
                      coalesce(sum(real + bonus) FILTER (WHERE kind = 'payment'), 0) AS paid
               FROM import_moves GROUP BY user_id) m ON m.user_id = p.user_id
    WHERE greatest(abs(p.real) + p.bonus + coalesce(m.real + m.bonus + m.paid, 0),
                   coalesce(m.largest, 0)) > p.maximum
    """,
)
"""What is wrong with a line, in words that go after its number."""

_COUNTS: Final = """
SELECT (SELECT count(*) FROM import_players) AS players,
       count(*) FILTER (WHERE kind = 'bet') AS bets,
       count(*) FILTER (WHERE kind = 'payment') AS payments,
       count(*) FILTER (WHERE kind = 'decided') AS decided,
       (SELECT count(*) FROM import_tokens) AS tokens,
       (SELECT coalesce(jsonb_object_agg(t.currency, jsonb_build_object(
                   'real', round(t.real, t.scale)::text, 'bonus', round(t.bonus, t.scale)::text,
                   'open_stakes', round(t.stakes, t.scale)::text)), '{}')::text
        FROM (SELECT p.currency, max(p.scale) AS scale, sum(p.real) AS real, sum(p.bonus) AS bonus,
                     coalesce(sum(b.stakes), 0) AS stakes
              FROM import_players p
              LEFT JOIN (SELECT user_id, sum(amount) AS stakes FROM import_moves
                         WHERE kind = 'bet' GROUP BY user_id) b ON b.user_id = p.user_id
              GROUP BY p.currency) t) AS totals
FROM import_moves
"""

_IMPORTED: Final = "SELECT imported_at, by FROM imports WHERE digest = $1"

_NOTE: Final = """
INSERT INTO imports (digest, file_name, format_version, agent, imported_at, by, lines, players,
    bets, payments, decided, tokens, totals)
VALUES ($1, $2, $3, $4, now(), $5, $6, $7, $8, $9, $10, $11, $12::text::jsonb)
RETURNING import_id, imported_at
"""

_OPEN: Final = (
    """
    WITH opened AS (
        INSERT INTO players (user_id, agent, currency, scale, nickname, language, email,
                             first_name, last_name, created_at)
        SELECT user_id, $1, currency, scale, nickname, language, email, first_name, last_name, now()
        FROM import_players ORDER BY line
        RETURNING player_id, user_id
    )
    INSERT INTO import_ids (user_id, player_id) SELECT user_id, player_id FROM opened
    """,
    """
    INSERT INTO wallets (player_id, chain, agent, currency, scale, blocked, excluded_until, limits)
    SELECT i.player_id, p.chain, $1, p.currency, p.scale, p.blocked, p.excluded_until, p.limits
    FROM import_players p JOIN import_ids i ON i.user_id = p.user_id ORDER BY i.player_id
    """,
)

_BROUGHT: Final = """
SELECT i.player_id, p.line, p.user_id, p.currency, p.scale, p.real::text, p.bonus::text, p.outcome,
       p.chain, m.kind, m.source, m.transaction_id, m.event_type, m.direction, m.amount::text,
       m.event_id, m.game_id, m.real::text AS part_real, m.bonus::text AS part_bonus, m.refusal
FROM import_players p
JOIN import_ids i ON i.user_id = p.user_id
LEFT JOIN import_moves m ON m.user_id = p.user_id
ORDER BY i.player_id, m.line
"""

_MOVEMENTS: Final = (
    "player_id", "position", "version", "source", "transaction_id", "facet", "delivery",
    "event_type", "direction", "decision", "currency", "scale", "amount", "real_before",
    "bonus_before", "real_delta", "bonus_delta", "real_after", "bonus_after", "contra", "event_id",
    "game_id", "bonus_code", "extra_data", "reverses", "flags", "event_time", "ledger_time",
    "chain", "xid",
)  # fmt: skip
_KEYS: Final = ("source", "transaction_id", "facet", "player_id", "position")
_ROUNDS: Final = (
    "player_id", "event_id", "is_streamer", "agent", "currency", "scale", "game_id", "opened_at",
    "last_at", "bets_placed", "bets_standing", "stake_real", "stake_bonus", "staked", "paid",
    "taken_back", "cancels", "remainder", "settled", "refused_aborts",
)  # fmt: skip
_CHANGES: Final = (
    "player_id", "source", "operation", "asked", "outcome", "delivery", "event_time",
    "ledger_time", "xid",
)  # fmt: skip
_WALLETS: Final = ("player_id", "version", "position", "real", "bonus", "chain")

_FINISH: Final = (
    "CREATE UNIQUE INDEX ON import_wallets (player_id)",
    "ANALYZE import_wallets",
    """
    UPDATE wallets w SET real = n.real, bonus = n.bonus, version = n.version,
        position = n.position, chain = n.chain, revision = w.revision + 1
    FROM import_wallets n WHERE n.player_id = w.player_id
    """,
    """
    INSERT INTO sessions (player_id, token_hash, issued_at, expires_at, life_seconds, origin)
    SELECT i.player_id, t.token_hash, now(), t.expires_at, t.life_seconds, 'platform'
    FROM import_tokens t JOIN import_ids i ON i.user_id = t.user_id
    """,
)

_NEXT_PLAYERS: Final = """
SELECT array_agg(player_id) FROM (
    SELECT player_id FROM import_ids WHERE player_id > $1 ORDER BY player_id LIMIT $2) p
"""


class ImportedBeforeError(LedgerError):
    """The same file was imported already."""

    def __init__(self, imported_at: datetime, by: str) -> None:
        super().__init__()
        self.imported_at = imported_at
        self.by = by


class TakenMeanwhileError(LedgerError):
    """Another process opened an account or took an id of this file meanwhile; run it again."""


class ImportRunsError(LedgerError):
    """Another import is under way; run this one when it has ended."""


class Fault(NamedTuple):
    """What is wrong with a line."""

    line: int
    words: str


class Counts(NamedTuple):
    """What a file brings in."""

    players: int
    bets: int
    payments: int
    decided: int
    tokens: int
    totals: str
    """JSON: both pockets and the open stakes, by currency"""


class Noted(NamedTuple):
    """An import as the ledger has noted it."""

    import_id: int
    imported_at: datetime


class Source(NamedTuple):
    """Which file it is, and who brings it in."""

    digest: str
    file_name: str
    format_version: int
    agent: str
    by: str
    lines: int


class Written(NamedTuple):
    """Everything to write of one player, and the note of it."""

    player_id: int
    agent: str
    currency: Currency
    moved: MovedIn
    delivery: bytes
    asked: str
    outcome: str


@asynccontextmanager
async def importing(url: str, *, commits: bool) -> AsyncIterator[Connection]:
    """Open the one transaction of an import; it is rolled back unless it `commits`."""
    connection = await connect(connect_arguments(url), settings=SETTINGS)
    try:
        transaction = connection.transaction(isolation="read_committed")
        await transaction.start()
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK_KEY):
            raise ImportRunsError(ImportRunsError.__doc__)
        yield connection
        await (transaction.commit() if commits else transaction.rollback())
    except asyncpg.UniqueViolationError as error:
        raise TakenMeanwhileError(TakenMeanwhileError.__doc__) from error
    finally:
        # What was not committed ends with the connection.
        await connection.close()


async def make(connection: Connection, digest: str) -> None:
    """Make the tables of this transaction; raise ImportedBeforeError if the file is known."""
    known = await connection.fetchrow(_IMPORTED, digest)
    if known is not None:
        raise ImportedBeforeError(*known)
    for name, columns in TABLES.items():
        await connection.execute(f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP")
    for statement in _OTHERS:
        await connection.execute(statement)


async def copy_rows(connection: Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
    """Copy records in; each has the values of the table's columns."""
    await _copy(connection, table, _COLUMNS[table], rows)


async def faults(connection: Connection) -> list[Fault]:
    """Return the first of what is wrong with the file as a whole, by line."""
    for statement in _INDEXES:
        await connection.execute(statement)
    found: list[Fault] = []
    for query in _FAULTS:
        rows = await connection.fetch(f"{query} ORDER BY 1 LIMIT {FAULTS_MAX}")
        found += [Fault(*row) for row in rows]
    return sorted(found)[:FAULTS_MAX]


async def counts(connection: Connection) -> Counts:
    """Count what the file brings in."""
    row = await connection.fetchrow(_COUNTS)
    return Counts(*row)  # type: ignore[misc]  # an aggregate without groups is one row


async def open_accounts(connection: Connection, source: Source, counted: Counts) -> Noted:
    """Note the import, and open every account with an empty wallet."""
    row = await connection.fetchrow(_NOTE, *source, *counted)
    for statement in _OPEN:
        await connection.execute(statement, source.agent)
    return Noted(*row)  # type: ignore[misc]  # it was inserted


async def brought_in(connection: Connection) -> AsyncIterator[list[Mapping[str, Any]]]:
    """Yield the records of each player, one list for each, in the order of the file."""
    cursor = await connection.cursor(_BROUGHT)
    of_one: list[Mapping[str, Any]] = []
    while rows := await cursor.fetch(FETCHED):
        for row in rows:
            if of_one and row["player_id"] != of_one[0]["player_id"]:
                yield of_one
                of_one = []
            of_one.append(row)
    if of_one:
        yield of_one


async def write(connection: Connection, players: Sequence[Written], by: str, now: datetime) -> None:
    """Write players' entries, keys and rounds, and a note in the list of each one's changes."""
    entries = [entry for player in players for entry in player.moved.entries]
    await _copy(connection, "movements", _MOVEMENTS, map(_movement, entries))
    await _copy(connection, "transaction_keys", _KEYS, map(_key, entries))
    rounds = [row for player in players for row in _rounds(player, now)]
    await _copy(connection, "rounds", _ROUNDS, rounds)
    await _copy(connection, "account_changes", _CHANGES, [_change(p, by, now) for p in players])
    stand = [_wallet(player) for player in players if player.moved.entries]
    await _copy(connection, "import_wallets", _WALLETS, stand)


async def finish(connection: Connection) -> None:
    """Bring the wallets to where their journals stand, and keep the tokens."""
    for statement in _FINISH:
        await connection.execute(statement)


async def note_import(connection: Connection, operator: Operator, action: Action) -> None:
    """Append who brought it in to the list of what people did, which nobody else can meanwhile."""
    await note_action(Book(connection, None), operator, action)


async def breaches(connection: Connection) -> AsyncIterator[tuple[int, list[tuple[str, Any]]]]:
    """Yield how many players were looked at, and who of them breaks a law of the ledger."""
    await read_by_key(connection)
    after = 0
    while ids := await connection.fetchval(_NEXT_PLAYERS, after, AUDITED):
        found: list[tuple[str, Any]] = []
        for check in CHECKS_OF_PLAYERS:
            found += await offenders(connection, check, ids)
        after = ids[-1]
        yield len(ids), found


# --- rows in the text format of COPY ---------------------------------------------------------


async def _copy(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    text = "".join(["\t".join(map(_cell, row)) + "\n" for row in rows]).encode()
    if not text:
        return

    async def blocks() -> AsyncIterator[bytes]:
        yield text

    await connection.copy_to_table(table, source=blocks(), columns=columns, format="text")


def _cell(value: object) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return f"\\\\x{value.hex()}"
    text = str(value)
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        for character, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(character, escape)
    return text


def _movement(entry: JournalEntry) -> tuple[object, ...]:
    text = entry.currency.text
    amounts = [
        text(amount) for pockets in (entry.before, entry.delta, entry.after) for amount in pockets
    ]
    return (
        entry.player_id,
        entry.position,
        entry.version,
        *entry.key,
        entry.delivery.hex(),
        entry.event_type,
        entry.direction,
        decision_of(entry),
        entry.currency.code,
        entry.currency.scale,
        text(entry.amount),
        *amounts,
        entry.contra,
        entry.event_id,
        entry.game_id,
        None,
        entry.extra_data,
        "",
        "",
        entry.event_time.isoformat(),
        entry.ledger_time.isoformat(),
        entry.chain,
        None,
    )


def _key(entry: JournalEntry) -> tuple[object, ...]:
    return (*entry.key, entry.player_id, entry.position)


def _rounds(player: Written, now: datetime) -> Iterable[tuple[object, ...]]:
    text = player.currency.text
    for opened in player.moved.rounds:
        tally = opened.tally
        yield (
            player.player_id,
            opened.event_id,
            False,
            player.agent,
            player.currency.code,
            player.currency.scale,
            opened.game_id,
            now.isoformat(),
            now.isoformat(),
            tally.bets_placed,
            tally.bets_open,
            text(tally.stake_real),
            text(tally.stake_bonus),
            text(tally.staked),
            text(tally.paid),
            text(tally.taken_back),
            tally.cancels,
            text(tally.uncovered),
            opened.is_settled,
            "{}",
        )


def _change(player: Written, by: str, now: datetime) -> tuple[object, ...]:
    moment = now.isoformat()
    delivery = player.delivery.hex()
    note = (by, OPERATION, player.asked, player.outcome, delivery, moment, moment, None)
    return (player.player_id, *note)


def _wallet(player: Written) -> tuple[object, ...]:
    last, text = player.moved.entries[-1], player.currency.text
    pockets = last.after
    return (
        player.player_id,
        last.version,
        last.position,
        text(pockets.real),
        text(pockets.bonus),
        last.chain,
    )
