"""Players and their tokens: open an account, check a session, issue a token."""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from app.ledger.book import Book
from app.ledger.people import Player, find_player, keep_session, open_player
from app.ledger.transaction import Ledger
from app.wallet.money import Currency
from app.wallet.refusals import Refusal

TOKEN_BYTES = 32
"""256 random bits: 43 URL-safe characters of the contract's 250."""


class Opened(NamedTuple):
    """An account, and whether this call opened it."""

    player: Player
    created: bool


class IssuedToken(NamedTuple):
    """A fresh session token; only its SHA-256 is kept."""

    token: str
    expires_at: datetime
    player: Player


def token_hash(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()


async def open_account(
    ledger: Ledger,
    *,
    user_id: str,
    agent: str,
    currency: Currency,
    nickname: str,
    language: str,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
) -> Opened:
    """Open an account with an empty wallet. One that exists is returned as it is.

    And nothing changes.
    """
    profile = {
        "user_id": user_id,
        "agent": agent,
        "nickname": nickname,
        "language": language,
        "email": email,
        "first_name": first_name,
        "last_name": last_name,
    }

    async def work(book: Book) -> Opened:
        created = await open_player(book, profile, currency)
        player = await find_player(book, user_id)
        if player is None:
            raise AssertionError("an account just opened or found is there")
        return Opened(player, created)

    return await ledger.serializable(work)


async def find_account(ledger: Ledger, user_id: str) -> Player | Refusal:
    """The player and his balance."""

    async def work(book: Book) -> Player | Refusal:
        return await find_player(book, user_id) or Refusal.PLAYER_UNKNOWN

    return await ledger.read_only(work)


async def check_session(ledger: Ledger, user_id: str, token: bytes) -> Player | Refusal:
    """Find the player whose live token this is.

    Else PLAYER_UNKNOWN, TOKEN_UNKNOWN or TOKEN_EXPIRED, in this order. Whether a block matters is
    for the caller to say (callback contract, section 1).
    """

    async def work(book: Book) -> Player | Refusal:
        player = await find_player(book, user_id, token)
        if player is None:
            return Refusal.PLAYER_UNKNOWN
        if player.token_expires_at is None:
            return Refusal.TOKEN_UNKNOWN
        return Refusal.TOKEN_EXPIRED if player.token_expires_at <= player.now else player

    return await ledger.read_only(work)


async def issue_token(
    ledger: Ledger, user_id: str, life: timedelta, *, origin: str = "callback"
) -> IssuedToken | Refusal:
    """Issue a fresh token that lives this long; PLAYER_UNKNOWN if there is nobody to give it to."""
    token = secrets.token_urlsafe(TOKEN_BYTES)

    async def work(book: Book) -> IssuedToken | Refusal:
        player = await find_player(book, user_id)
        if player is None:
            return Refusal.PLAYER_UNKNOWN
        expires_at = player.now + life
        await keep_session(
            book, player.player_id, token_hash(token), player.now, expires_at, None, origin
        )
        return IssuedToken(token, expires_at, player)

    return await ledger.serializable(work)
