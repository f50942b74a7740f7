"""What comes in, written: accounts, journal, keys, rounds, notes, wallets, tokens; and audited.

Rows are added to the tables of the bucket that the search path leads to, one bucket's players after
the other's.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from app.ledger.audit import CHECKS_OF_PLAYERS
from app.ledger.audit.offenders import offenders
from app.ledger.audit.places import AuditedPlace
from app.ledger.audit.scope import Check
from app.ledger.imports.on_nodes import OPEN, Nodes
from app.ledger.imports.session import Connection, copy_into
from app.ledger.imports.staging import Counts
from app.ledger.money.book import Book
from app.ledger.money.rows import decision_of
from app.ledger.operator_actions import Action, note_action
from app.ledger.snapshot import read_by_key
from app.wallet.imports import OPERATION, MovedIn
from app.wallet.journal import JournalEntry
from app.wallet.money import Currency
from app.wallet.movement import Key
from app.wallet.operators import Operator

if TYPE_CHECKING:
    import asyncpg

    Record: TypeAlias = asyncpg.Record
else:
    Record: TypeAlias = object

AUDITED: Final = 2_000
"""Players whose laws are checked at once."""

_NOTE: Final = """
INSERT INTO imports (import_id, digest, file_name, format_version, agent, imported_at, by, lines,
    players, bets, payments, decided, tokens, totals)
SELECT coalesce(max(import_id), 0) + 1, $1, $2, $3, $4, now(), $5, $6, $7, $8, $9, $10, $11,
       $12::text::jsonb
FROM imports
RETURNING import_id, imported_at
"""

_OPEN: Final = (
    """
    WITH opened AS (
        INSERT INTO players (user_id, agent, currency, scale, nickname, language, email,
                             first_name, last_name, created_at)
        SELECT user_id, $1, currency, scale, nickname, language, email, first_name, last_name, now()
        FROM import_players WHERE schema_name = $2 ORDER BY line
        RETURNING player_id, user_id
    )
    INSERT INTO import_ids (user_id, player_id, schema_name)
    SELECT user_id, player_id, $2 FROM opened
    """,
    """
    INSERT INTO wallets (player_id, chain, agent, currency, scale, blocked, excluded_until, limits)
    SELECT i.player_id, p.chain, $1, p.currency, p.scale, p.blocked, p.excluded_until, p.limits
    FROM import_players p JOIN import_ids i ON i.user_id = p.user_id
    WHERE i.schema_name = $2 ORDER BY i.player_id
    """,
)

_SCHEMAS: Final = "SELECT DISTINCT schema_name FROM import_players ORDER BY schema_name"
_ABOVE: Final = "public"

_BROUGHT: Final = """
SELECT i.player_id, p.line, p.user_id, p.currency, p.scale, p.real::text, p.bonus::text, p.outcome,
       p.chain, m.kind, m.source, m.transaction_id, m.event_type, m.direction, m.amount::text,
       m.event_id, m.game_id, m.real::text AS part_real, m.bonus::text AS part_bonus, m.refusal,
       i.schema_name
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
)

_TOKENS: Final = """
INSERT INTO sessions (player_id, token_hash, issued_at, expires_at, life_seconds, origin)
SELECT i.player_id, t.token_hash, now(), t.expires_at, t.life_seconds, 'platform'
FROM import_tokens t JOIN import_ids i ON i.user_id = t.user_id
WHERE i.schema_name = $1
"""

_NEXT_PLAYERS: Final = """
SELECT array_agg(player_id) FROM (
    SELECT player_id FROM import_ids
    WHERE player_id > $1 AND schema_name = coalesce($3::text, schema_name)
    ORDER BY player_id LIMIT $2) p
"""


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
    user_id: str
    agent: str
    currency: Currency
    moved: MovedIn
    delivery: bytes
    asked: str
    outcome: str
    schema: str
    """where their bucket's tables are"""


async def open_accounts(
    connection: Connection, source: Source, counted: Counts, nodes: Nodes | None
) -> Noted:
    """Note the import, and open every account with an empty wallet."""
    row = await connection.fetchrow(_NOTE, *source, *counted)
    open_players, open_wallets = _OPEN
    if nodes is not None:
        await nodes.number_players()
        open_players = OPEN
    async for schema in _each_bucket(connection):
        for statement in (open_players, open_wallets):
            await connection.execute(statement, source.agent, schema)
    return Noted(*row)  # type: ignore[misc]  # it was inserted


async def brought_in(connection: Connection, count: int) -> AsyncIterator[list[list[Record]]]:
    """Yield the records of some players, one list for each, in the order of the file.

    `count`: how many records are read at once; a player's are never divided.
    """
    cursor = await connection.cursor(_BROUGHT)
    players: list[list[Record]] = []
    while rows := await cursor.fetch(count):
        for row in rows:
            if not players or row["player_id"] != players[-1][0]["player_id"]:
                players.append([])
            players[-1].append(row)
        # The last one may have more.
        if len(players) > 1:
            yield players[:-1]
            players = players[-1:]
    if players:
        yield players


def keys_of(players: Sequence[Written]) -> list[tuple[Key, str]]:
    """Return the keys that these players' entries take, each with its player."""
    return [(entry.key, player.user_id) for player in players for entry in player.moved.entries]


async def write(connection: Connection, players: Sequence[Written], by: str, now: datetime) -> None:
    """Write players' entries, keys and rounds, and a note in the list of each one's changes."""
    for schema, some in groupby(players, key=lambda player: player.schema):
        await _lead_to(connection, schema)
        await _write_in_bucket(connection, list(some), by, now)
    await _lead_to(connection, _ABOVE)


async def _write_in_bucket(
    connection: Connection, players: Sequence[Written], by: str, now: datetime
) -> None:
    entries = [entry for player in players for entry in player.moved.entries]
    await copy_into(connection, "movements", _MOVEMENTS, map(_movement, entries))
    await copy_into(connection, "transaction_keys", _KEYS, map(_key, entries))
    rounds = [row for player in players for row in _rounds(player, now)]
    await copy_into(connection, "rounds", _ROUNDS, rounds)
    await copy_into(connection, "account_changes", _CHANGES, [_change(p, by, now) for p in players])
    stand = [_wallet(player) for player in players if player.moved.entries]
    await copy_into(connection, "import_wallets", _WALLETS, stand)


async def finish(connection: Connection, nodes: Nodes | None) -> None:
    """Bring the wallets to where their journals stand, and keep the tokens."""
    *prepare, settle = _FINISH
    for statement in prepare:
        await connection.execute(statement)
    if nodes is None:
        await connection.execute(settle)
    async for schema in _each_bucket(connection):
        if nodes is not None:
            await connection.execute(settle)
        await connection.execute(_TOKENS, schema)


async def _each_bucket(connection: Connection) -> AsyncIterator[str]:
    """Yield the schema of each bucket that the file has players of, with the search path to it."""
    for row in await connection.fetch(_SCHEMAS):
        await _lead_to(connection, row["schema_name"])
        yield row["schema_name"]
    await _lead_to(connection, _ABOVE)


async def _lead_to(connection: Connection, schema: str) -> None:
    await connection.execute(f"SET LOCAL search_path = {schema}, public, pg_temp")


async def note_import(connection: Connection, operator: Operator, action: Action) -> None:
    """Append who brought it in to the list of what people did, which nobody else can meanwhile."""
    await note_action(Book(connection, None), operator, action)


async def breaches(
    connection: Connection, nodes: Nodes | None
) -> AsyncIterator[tuple[int, list[tuple[str, Any]]]]:
    """Yield how many players were looked at, and who of them breaks a law of the ledger."""
    await read_by_key(connection)
    if nodes is None:
        async for one in _breaches(connection, None, CHECKS_OF_PLAYERS):
            yield one
        return
    async for schema in _each_bucket(connection):
        place = AuditedPlace({"search_path": schema}, is_of_player=True)
        async for one in _breaches(connection, schema, place.checks(CHECKS_OF_PLAYERS)):
            yield one


async def _breaches(
    connection: Connection, schema: str | None, checks: Sequence[Check]
) -> AsyncIterator[tuple[int, list[tuple[str, Any]]]]:
    after = 0
    while ids := await connection.fetchval(_NEXT_PLAYERS, after, AUDITED, schema):
        found: list[tuple[str, Any]] = []
        for check in checks:
            found += await offenders(connection, check, ids)
        after = ids[-1]
        yield len(ids), found


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
