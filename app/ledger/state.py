"""What another wallet must know of an agent's players, read from one snapshot, player by player."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.limits import limits_in_force
from app.ledger.money.rows import currency_of, entry_of, minor
from app.ledger.money.statements import ENTRY_COLUMNS
from app.wallet.balance import Pockets
from app.wallet.barring import exclusion_end
from app.wallet.journal import JournalEntry, microseconds
from app.wallet.limits import NO_LIMITS, Limits
from app.wallet.money import Currency
from app.wallet.named import ROUND_PREFIX

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

PLAYERS_AT_ONCE: Final = 200
FETCHED: Final = 5_000

_PLAYERS: Final = """
SELECT p.player_id, p.user_id, p.currency, p.scale, p.nickname, p.language, p.email, p.first_name,
       p.last_name, w.real::text, w.bonus::text, w.blocked, w.excluded_until, w.limits::text,
       now() AS ledger_now
FROM players p JOIN wallets w ON w.player_id = p.player_id
WHERE p.agent = $1 AND p.player_id > $2 ORDER BY p.player_id LIMIT $3
"""

_ENTRIES: Final = f"""
SELECT {ENTRY_COLUMNS} FROM movements m
WHERE m.player_id = ANY($1::bigint[]) ORDER BY m.player_id, m.position
"""  # noqa: S608 - composed of constants

_TOKENS: Final = """
SELECT player_id, token_hash, expires_at, life_seconds FROM sessions
WHERE player_id = ANY($1::bigint[]) ORDER BY player_id, issued_at, token_hash
"""

_CURRENCIES: Final = "SELECT DISTINCT currency, scale FROM wallets WHERE agent = $1 ORDER BY 1"

_UNDER_WAY: Final = """
SELECT count(*) FROM holds h JOIN players p ON p.player_id = h.player_id
WHERE h.state = 'pending' AND p.agent = $1
"""


_NAMED_BETS: Final = """
SELECT count(*) FROM rounds
WHERE agent = $1 AND starts_with(event_id, $2) AND NOT settled AND bets_standing > 0
"""


class Token(NamedTuple):
    """A session's token, by its hash."""

    token_hash: bytes
    expires_at: datetime
    life_seconds: int | None


class State(NamedTuple):
    """A player, and everything that was decided about them."""

    user_id: str
    currency: Currency
    pockets: Pockets
    nickname: str
    language: str
    email: str | None
    first_name: str | None
    last_name: str | None
    is_blocked: bool
    excluded_until: datetime | None
    limits: Limits
    further_limits: int
    """limits of deposits and of products, which are not told"""
    entries: Sequence[JournalEntry]
    tokens: Sequence[Token]


async def currencies_of(connection: "Connection", agent: str) -> dict[str, int]:
    """Return the currencies that an agent's players have, each with its decimals."""
    rows = await connection.fetch(_CURRENCIES, agent)
    return {row["currency"]: row["scale"] for row in rows}


async def withdrawals_under_way(connection: "Connection", agent: str) -> int:
    """Count the holds of an agent's players that wait to be settled or released."""
    waiting: int = await connection.fetchval(_UNDER_WAY, agent)
    return waiting


async def open_named_bets(connection: "Connection", agent: str) -> int:
    """Count the rounds of Betby's own contract whose bets wait for their result."""
    waiting: int = await connection.fetchval(_NAMED_BETS, agent, ROUND_PREFIX)
    return waiting


async def states(connection: "Connection", agent: str) -> AsyncIterator[State]:
    """Yield every player of an agent, in the order of their accounts."""
    after = 0
    while players := await connection.fetch(_PLAYERS, agent, after, PLAYERS_AT_ONCE):
        ids = [row["player_id"] for row in players]
        tokens: dict[int, list[Token]] = {}
        for row in await connection.fetch(_TOKENS, ids):
            tokens.setdefault(row[0], []).append(Token(*tuple(row)[1:]))
        entries = _by_player(connection, ids)
        pending = await anext(entries, None)
        for row in players:
            own: list[JournalEntry] = []
            if pending is not None and pending[0].player_id == row["player_id"]:
                own = pending
                pending = await anext(entries, None)
            yield _state(row, own, tokens.get(row["player_id"], []))
        after = ids[-1]


async def _by_player(
    connection: "Connection", ids: Sequence[int]
) -> AsyncIterator[list[JournalEntry]]:
    cursor = await connection.cursor(_ENTRIES, ids)
    own: list[JournalEntry] = []
    while rows := await cursor.fetch(FETCHED):
        for row in rows:
            entry = entry_of(row)
            if own and own[0].player_id != entry.player_id:
                yield own
                own = []
            own.append(entry)
    if own:
        yield own


def _state(row: "asyncpg.Record", entries: list[JournalEntry], tokens: Sequence[Token]) -> State:
    currency = currency_of(row["currency"], row["scale"])
    limits, further = NO_LIMITS, None
    if row["limits"] is not None:
        limits, further = limits_in_force(row["limits"], microseconds(row["ledger_now"]))
    return State(
        row["user_id"],
        currency,
        Pockets(minor(row["real"], currency), minor(row["bonus"], currency)),
        row["nickname"],
        row["language"],
        row["email"],
        row["first_name"],
        row["last_name"],
        row["blocked"],
        exclusion_end(row["excluded_until"]),
        limits,
        len(further or {}),
        entries,
        tokens,
    )
