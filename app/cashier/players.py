"""Players and their tokens: open an account, check a session, issue a token, adopt one.

A token's life is fixed, or begins again when it is used: then `check_session` and the money
transaction lengthen it, and only the hash of a token is ever kept.
"""

import json
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from app.cashier.one_time import OneTimeRequest, run_once
from app.ledger.accounts import ChangeNote, note_change
from app.ledger.errors import LedgerError
from app.ledger.money.book import Book
from app.ledger.players import (
    Player,
    find_player,
    keep_session,
    open_player,
    register_external_session,
    revoke_sessions,
)
from app.ledger.transaction import Ledger
from app.wallet.money import Currency
from app.wallet.refusals import Refusal
from app.wallet.sessions import renewed, token_refusal

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
    note: ChangeNote | None = None,
) -> Opened:
    """Open an account with an empty wallet. One that exists is returned as it is.

    And nothing changes, whatever else is said. `note` is kept when the account is this agent's.
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
        if note is not None and player.agent == agent:
            outcome = json.dumps({"created": created})
            await note_change(book, player.player_id, note, outcome)
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
        refusal = token_refusal(player.token_expires_at, player.now, must_be_live=True)
        return refusal or player

    player = await ledger.read_only(work)
    return player if isinstance(player, Refusal) else await _used(ledger, player, token)


async def _used(ledger: Ledger, player: Player, token: bytes) -> Player:
    """Lengthen the token's life if use does that, about once an hour."""
    if player.token_expires_at is None or player.token_life_seconds is None:
        return player
    life = timedelta(seconds=player.token_life_seconds)
    expires_at = renewed(player.token_expires_at, life, player.now)
    if expires_at is None:
        return player

    async def work(book: Book) -> None:
        await book.renew_session(player.player_id, token, expires_at)

    # The token is good whether or not this can be written; the next use tries again.
    with suppress(LedgerError):
        await ledger.serializable(work)
    return player._replace(token_expires_at=expires_at)


async def issue_token(
    ledger: Ledger,
    user_id: str,
    life: timedelta,
    *,
    origin: str = "callback",
    is_sliding: bool = False,
    agent: str | None = None,
    note: ChangeNote | None = None,
    request: OneTimeRequest[IssuedToken | Refusal] | None = None,
) -> IssuedToken | Refusal:
    """Issue a fresh token that lives this long (whole seconds), and if sliding, so after each use.

    PLAYER_UNKNOWN if there is nobody to give it to. With an `agent`, who asks for the launch of a
    game: ACCOUNT_OF_ANOTHER_AGENT, PLAYER_BLOCKED. A player blocked later keeps his tokens.
    With a `request`, at most once under its id: see `run_once`.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)

    async def work(book: Book) -> IssuedToken | Refusal:
        player = await find_player(book, user_id)
        if player is None:
            return Refusal.PLAYER_UNKNOWN
        if agent is not None and player.agent != agent:
            return Refusal.ACCOUNT_OF_ANOTHER_AGENT
        if agent is not None and player.is_blocked:
            return Refusal.PLAYER_BLOCKED
        expires_at = player.now + life
        life_seconds = life // timedelta(seconds=1) if is_sliding else None
        await keep_session(
            book,
            player.player_id,
            token_hash(token),
            player.now,
            expires_at,
            life_seconds,
            origin,
        )
        if note is not None:
            outcome = json.dumps({"expires_at": expires_at.isoformat()})
            await note_change(book, player.player_id, note, outcome)
        return IssuedToken(token, expires_at, player)

    return await run_once(ledger, work, request)


async def revoke_tokens(
    ledger: Ledger,
    user_id: str,
    token: bytes | None = None,
    *,
    agent: str | None = None,
    note: ChangeNote | None = None,
    request: OneTimeRequest[int | Refusal] | None = None,
) -> int | Refusal:
    """Let a player's token (its SHA-256; None: every token) expire now; return how many did.

    Money still comes back under a revoked token. PLAYER_UNKNOWN; with an `agent`,
    ACCOUNT_OF_ANOTHER_AGENT. With a `request`, at most once under its id: see `run_once`.
    """

    async def work(book: Book) -> int | Refusal:
        player = await find_player(book, user_id)
        if player is None:
            return Refusal.PLAYER_UNKNOWN
        if agent is not None and player.agent != agent:
            return Refusal.ACCOUNT_OF_ANOTHER_AGENT
        count = await revoke_sessions(book, player.player_id, token)
        if note is not None:
            await note_change(book, player.player_id, note, json.dumps({"revoked": count}))
        return count

    return await run_once(ledger, work, request)


async def register_external_token(
    ledger: Ledger, user_id: str, token: str, expires_at: datetime
) -> bool:
    """Keep a token that the operator's own platform signed, with its player, from its first use.

    So that a win that comes late never meets an unknown token. Nothing happens when it is kept
    already. False: there is no such player to keep it with.
    """

    async def work(book: Book) -> bool:
        return await register_external_session(book, user_id, token_hash(token), expires_at)

    return await ledger.serializable(work)
