"""Players and their session tokens: statements about people, none about money."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.money.book import Book
from app.ledger.money.rows import minor
from app.wallet.balance import Pockets
from app.wallet.barring import is_barred
from app.wallet.facts import RuleVersion
from app.wallet.journal import CHAIN_START, chain_start
from app.wallet.money import Currency

if TYPE_CHECKING:
    import asyncpg


class Player(NamedTuple):
    """A player and their balance, read in one statement. Amounts in minor units of `currency`."""

    player_id: int
    user_id: str
    agent: str
    currency: Currency
    pockets: Pockets
    nickname: str
    language: str
    email: str | None
    first_name: str | None
    last_name: str | None
    is_blocked: bool
    now: datetime
    """the ledger's clock"""
    token_expires_at: datetime | None
    """of the token asked about; None: of another player"""
    token_life_seconds: int | None = None
    """how long that token lives again when it is used; None: its life is fixed"""


_PLAYER: Final = """
SELECT p.player_id, p.user_id, w.agent, w.currency, w.scale, p.nickname, p.language, p.email,
       p.first_name, p.last_name, w.real::text, w.bonus::text, s.expires_at, s.life_seconds,
       coalesce($3::timestamptz, now()) AS ledger_now, w.blocked, w.excluded_until
FROM players p
JOIN wallets w ON w.player_id = p.player_id
LEFT JOIN sessions s ON s.player_id = p.player_id AND s.token_hash = $2
WHERE p.user_id = $1
"""

_OPEN: Final = """
WITH opened AS (
    INSERT INTO players (user_id, agent, currency, scale, nickname, language, email, first_name,
                         last_name, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($11::timestamptz, now()))
    ON CONFLICT (user_id) DO NOTHING
    RETURNING player_id
)
INSERT INTO wallets (player_id, chain, agent, currency, scale)
SELECT player_id, CASE WHEN rule_version = $13 THEN $12::bytea ELSE $10::bytea END, $2, $3, $4
FROM opened CROSS JOIN decision_settings RETURNING player_id
"""
"""While the release before may run, chains begin as it knows them to."""

_ISSUE: Final = """
INSERT INTO sessions (player_id, token_hash, issued_at, expires_at, life_seconds, origin)
VALUES ($1, $2, $3, $4, $5, $6)
"""

_REGISTER_EXTERNAL: Final = """
WITH player AS (
    SELECT player_id FROM players WHERE user_id = $1
), adopted AS (
    INSERT INTO sessions (player_id, token_hash, issued_at, expires_at, life_seconds, origin)
    SELECT player_id, $2, coalesce($4::timestamptz, now()), $3, NULL, 'platform' FROM player
    ON CONFLICT DO NOTHING
)
SELECT EXISTS (SELECT FROM player)
"""

_REVOKE: Final = """
WITH clock AS (
    SELECT coalesce($3::timestamptz, now()) AS now
), expired AS (
    UPDATE sessions SET expires_at = least(expires_at, clock.now), life_seconds = NULL
    FROM clock
    WHERE player_id = $1 AND token_hash = coalesce($2::bytea, token_hash)
      AND (expires_at > clock.now OR life_seconds IS NOT NULL)
    RETURNING 1
), raised AS (
    UPDATE wallets SET revision = revision + 1 WHERE player_id = $1
)
SELECT count(*) FROM expired
"""
"""Bets that were accepted on a live token do not find their wallet's revision any more."""

_USER_ID: Final = "SELECT user_id FROM players WHERE player_id = $1"
_USER_IDS: Final = "SELECT player_id, user_id FROM players WHERE player_id = ANY($1::bigint[])"


async def find_player(book: Book, user_id: str, token: bytes | None = None) -> Player | None:
    """The player, and when this token expires, if it is theirs."""
    row = await book.connection.fetchrow(_PLAYER, user_id, token, book.now_given())
    return None if row is None else player_of(row)


async def user_id_of(book: Book, player_id: int) -> str:
    """The operator's name for a player that the journal names."""
    user_id = await book.connection.fetchval(_USER_ID, player_id)
    if not isinstance(user_id, str):
        raise AssertionError("a movement belongs to a player")  # noqa: TRY004 - not a wrong type
    return user_id


async def user_ids_of(book: Book, player_ids: Collection[int]) -> dict[int, str]:
    """Return the operator's names for these players, by number."""
    rows = await book.connection.fetch(_USER_IDS, list(player_ids))
    return {row["player_id"]: row["user_id"] for row in rows}


async def open_player(book: Book, profile: Mapping[str, str | None], currency: Currency) -> bool:
    """Add a player with an empty wallet; False if the user id is there already.

    Then nothing changes.
    """
    user_id, agent = profile["user_id"], profile["agent"]
    if user_id is None or agent is None:
        raise AssertionError("an account is somebody's, with some agent")
    row = await book.connection.fetchrow(
        _OPEN,
        user_id,
        agent,
        currency.code,
        currency.scale,
        profile["nickname"],
        profile["language"],
        profile["email"],
        profile["first_name"],
        profile["last_name"],
        chain_start(user_id, agent, currency),
        book.now_given(),
        CHAIN_START,
        RuleVersion.LAST_RELEASE.value,
    )
    return row is not None


async def keep_session(
    book: Book,
    player_id: int,
    token_hash: bytes,
    issued_at: datetime,
    expires_at: datetime,
    life_seconds: int | None,
    origin: str,
) -> None:
    """Keep a token's hash, for as long as the ledger.

    `life_seconds`: how long it lives again whenever it is used; None: its life is fixed.
    """
    await book.connection.execute(
        _ISSUE, player_id, token_hash, issued_at, expires_at, life_seconds, origin
    )


async def register_external_session(
    book: Book, user_id: str, token_hash: bytes, expires_at: datetime
) -> bool:
    """Keep the hash of a token that the operator's own platform signed, with its player.

    Nothing changes when it is kept already. False: there is no such player.
    """
    is_kept = await book.connection.fetchval(
        _REGISTER_EXTERNAL, user_id, token_hash, expires_at, book.now_given()
    )
    return bool(is_kept)


async def revoke_sessions(book: Book, player_id: int, token_hash: bytes | None) -> int:
    """Let a player's token (None: every token) expire now, and return how many did.

    A revoked token is kept: money still comes back under it.
    """
    count = await book.connection.fetchval(_REVOKE, player_id, token_hash, book.now_given())
    return int(count)


def player_of(row: "asyncpg.Record") -> Player:
    """A row of one of the statements about players, as the cashier knows it."""
    currency = Currency(row["currency"], row["scale"])
    return Player(
        player_id=row["player_id"],
        user_id=row["user_id"],
        agent=row["agent"],
        currency=currency,
        pockets=Pockets(minor(row["real"], currency), minor(row["bonus"], currency)),
        nickname=row["nickname"],
        language=row["language"],
        email=row["email"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        is_blocked=is_barred(
            is_blocked=row["blocked"], excluded_until=row["excluded_until"], now=row["ledger_now"]
        ),
        now=row["ledger_now"],
        token_expires_at=row["expires_at"],
        token_life_seconds=row["life_seconds"],
    )
