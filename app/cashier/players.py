"""Players and their tokens: open an account, check a session, issue, revoke or register a token.

A token's life is fixed, or it is renewed by use: then `check_session` and the money transaction
lengthen it. Only the hash of a token is ever stored.
"""

import json
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

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
from app.wallet.identifiers import may_name_account
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
    """A new session token; only its SHA-256 is stored."""

    token: str
    expires_at: datetime
    player: Player


def token_hash(token: str) -> bytes:
    """Return the SHA-256 of a token, which is all that is stored of it."""
    return sha256(token.encode()).digest()


UNFIT_NAME: Final = "must have no blanks at its ends and no invisible characters, and be NFC"


async def may_have_account(ledger: Ledger, user_id: str) -> bool:
    """Whether an account has this id, or a new one may have it.

    Earlier releases opened accounts under ids that none is given any more; they stay.
    """
    return may_name_account(user_id) or isinstance(await find_account(ledger, user_id), Player)


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
    """Open an account with an empty wallet, or return the existing one unchanged.

    The profile given for an existing account is ignored (transfer contract, account/init). `note`
    is recorded if the account is one of this agent's.
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

    return await ledger.serializable(work, of=user_id)


async def find_account(ledger: Ledger, user_id: str) -> Player | Refusal:
    """Return the player and their balance, or PLAYER_UNKNOWN."""

    async def work(book: Book) -> Player | Refusal:
        return await find_player(book, user_id) or Refusal.PLAYER_UNKNOWN

    return await ledger.read_only(work, of=user_id)


async def check_session(ledger: Ledger, user_id: str, token: bytes) -> Player | Refusal:
    """Return the player if this token (its SHA-256) of theirs is live, and renew it if sliding.

    Refusals, in this order: PLAYER_UNKNOWN, TOKEN_UNKNOWN, TOKEN_EXPIRED. Whether a blocked player
    is refused is decided by the caller (callback contract, section 1).
    """

    async def work(book: Book) -> Player | Refusal:
        player = await find_player(book, user_id, token)
        if player is None:
            return Refusal.PLAYER_UNKNOWN
        refusal = token_refusal(player.token_expires_at, player.now, must_be_live=True)
        return refusal or player

    player = await ledger.read_only(work, of=user_id)
    return player if isinstance(player, Refusal) else await _used(ledger, player, token)


async def _used(ledger: Ledger, player: Player, token: bytes) -> Player:
    """Renew a sliding token's life, at most once in a 24th of it."""
    if player.token_expires_at is None or player.token_life_seconds is None:
        return player
    life = timedelta(seconds=player.token_life_seconds)
    expires_at = renewed(player.token_expires_at, life, player.now)
    if expires_at is None:
        return player

    async def work(book: Book) -> None:
        await book.renew_session(player.player_id, token, expires_at)

    # The token is valid even if the renewal cannot be written; the next use tries again.
    with suppress(LedgerError):
        await ledger.serializable(work, of=player.user_id)
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
    """Issue a token that lives for `life` (whole seconds), renewed by use if it is sliding.

    Refusals: PLAYER_UNKNOWN; with an `agent`, which launches a game with the token, also
    ACCOUNT_OF_ANOTHER_AGENT and PLAYER_BLOCKED. A player who is blocked later keeps their tokens.
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

    return await run_once(ledger, work, request, of=user_id)


async def revoke_tokens(
    ledger: Ledger,
    user_id: str,
    token: bytes | None = None,
    *,
    agent: str | None = None,
    note: ChangeNote | None = None,
    request: OneTimeRequest[int | Refusal] | None = None,
) -> int | Refusal:
    """Expire a player's token (its SHA-256; None: every token) now; return how many expired.

    Payments and returned stakes are still accepted under a revoked token. Refusals: PLAYER_UNKNOWN;
    with an `agent`, ACCOUNT_OF_ANOTHER_AGENT.
    With a `request`, at most once under its id: see `run_once`.
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

    return await run_once(ledger, work, request, of=user_id)


async def register_external_token(
    ledger: Ledger, user_id: str, token: str, expires_at: datetime, *, deadline: timedelta
) -> bool:
    """Store the hash of a token that the operator's own platform signed, at its first use.

    A win that comes late under it is then never refused for an unknown token. A token that is
    stored already is left as it is. Returns False if there is no such player.
    """

    async def work(book: Book) -> bool:
        return await register_external_session(book, user_id, token_hash(token), expires_at)

    return await ledger.serializable(work, of=user_id, deadline=deadline)
