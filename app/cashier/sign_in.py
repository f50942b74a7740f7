"""Signing in to the back office and at the console: password, time-based code, session.

1. Whoever was refused too often lately, by name or by address, is refused before anything is tried.
2. The password is verified, which takes as long if there is no such person.
3. In one transaction the code is used up, the session begins, and the sign-in is noted; or the
   refusal is noted, which slows down the next attempt.

A session ends when it was not used for its idle time, when its absolute time is over, at logout,
and when its person is disabled or gets a new password. Only the hash of its token is stored.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from hashlib import sha256
from typing import Final, NamedTuple

from app.cashier.passwords import hash_password, is_password, step_of_code
from app.ledger.money.book import Book
from app.ledger.operator_actions import Action, note_action, refusals_within
from app.ledger.operators import (
    Session,
    User,
    end_session,
    end_sessions,
    find_session,
    find_user,
    set_secrets,
    start_session,
    touch_session,
    use_code,
)
from app.ledger.transaction import Ledger
from app.wallet.operators import Operator, Via, password_fault

TOKEN_BYTES: Final = 32
DELIVERY_BYTES: Final = 16

IDLE: Final = {Via.PAGE: timedelta(minutes=30), Via.CONSOLE: timedelta(hours=8)}
"""How long a session may be unused; a terminal is locked by its own means."""

SESSION_LIFE: Final = timedelta(hours=12)
"""How long a session lasts at most: a working day."""

TOUCHED_EVERY: Final = timedelta(minutes=1)
"""How often it is written that a session was used."""

REFUSALS_WITHIN: Final = timedelta(minutes=15)
REFUSALS_OF_NAME_MAX: Final = 5
REFUSALS_FROM_SOURCE_MAX: Final = 30
"""More than one person may sit behind an address."""


class SignInRefusal(Enum):
    """Why somebody may not sign in; what is said does not tell whether the name exists."""

    WRONG = "The name, the password or the code is wrong."
    TOO_OFTEN = "This was tried too often: wait a quarter of an hour."
    NO_SECOND_FACTOR = "Signing in takes a code, and no key for one was ever given out."


class SignedIn(NamedTuple):
    """A session that began."""

    token: str
    operator: Operator
    password_is_temporary: bool
    """they must choose a password of their own before anything else"""


class CurrentSession(NamedTuple):
    """The session of a request."""

    operator: Operator
    password_is_temporary: bool


@dataclass(frozen=True, slots=True)
class SignIn:
    """An attempt to sign in."""

    name: str
    password: str
    code: str
    via: Via
    source: str
    takes_code: bool = True
    """False: the demo, whose people have no second factor"""


def session_hash(token: str) -> bytes:
    """Return the SHA-256 of a session's token, which is all that is stored of it."""
    return sha256(token.encode()).digest()


async def sign_in(ledger: Ledger, attempt: SignIn) -> SignedIn | SignInRefusal:
    """Begin a session, or say why not; either is noted, unless it was tried too often."""
    user = await _allowed_to_try(ledger, attempt)
    if isinstance(user, SignInRefusal):
        return user
    known_hash = None if user is None or user.disabled_at is not None else user.password_hash
    is_right = await is_password(known_hash, attempt.password)
    token = secrets.token_urlsafe(TOKEN_BYTES)

    async def work(book: Book) -> SignedIn | SignInRefusal:
        found = await find_user(book, attempt.name)
        refusal = await _refusal(book, attempt, found if is_right else None, known_hash)
        if found is None or refusal is not None:
            await note_action(book, _who_tried(attempt, user), _action("login", is_done=False))
            return refusal or SignInRefusal.WRONG
        operator = _signed_in(found, attempt.via, attempt.source)
        await _start(book, token, found, operator)
        await note_action(book, operator, _action("login", found.name))
        return SignedIn(token, operator, found.password_is_temporary)

    return await ledger.serializable(work)


async def current_session(ledger: Ledger, token: str, source: str) -> CurrentSession | None:
    """Return the live session of a token; None: there is none, sign in again."""
    hashed = session_hash(token)

    async def look(book: Book) -> Session | None:
        return await find_session(book, hashed)

    session = await ledger.read_only(look)
    if session is None or not _is_live(session):
        return None
    now = session.user.now
    if now - session.used_at >= TOUCHED_EVERY:

        async def touch(book: Book) -> None:
            await touch_session(book, hashed, now)

        await ledger.serializable(touch)
    user = session.user
    operator = _signed_in(user, session.via, source)
    return CurrentSession(operator, user.password_is_temporary)


async def sign_out(ledger: Ledger, token: str, source: str) -> None:
    """End a session; one that has ended already is left as it is."""
    hashed = session_hash(token)

    async def work(book: Book) -> None:
        session = await find_session(book, hashed)
        if session is not None and session.ended_at is None:
            user = session.user
            await end_session(book, hashed, user.now)
            operator = _signed_in(user, session.via, source)
            await note_action(book, operator, _action("logout", user.name))

    await ledger.serializable(work)


async def choose_password(
    ledger: Ledger, operator: Operator, old: str, new: str
) -> SignedIn | SignInRefusal | str:
    """Replace a person's own password, end their sessions, and begin a new one.

    A text says what is wrong with the new password, in words that go after "it".
    """
    attempt = SignIn(operator.name, old, "", operator.via, operator.source)
    user = await _allowed_to_try(ledger, attempt)
    if isinstance(user, SignInRefusal):
        return user
    is_right = await is_password(None if user is None else user.password_hash, old)
    fault = "must differ from the old one" if old == new else password_fault(operator.name, new)
    if is_right and fault is not None:
        return fault
    hashed = await hash_password(new)
    token = secrets.token_urlsafe(TOKEN_BYTES)

    async def work(book: Book) -> SignedIn | SignInRefusal:
        found = await find_user(book, operator.name)
        if (
            found is None
            or user is None
            or not is_right
            or found.password_hash != user.password_hash
        ):
            await note_action(book, operator, _action("login", is_done=False))
            return SignInRefusal.WRONG
        await set_secrets(book, found.name, hashed, found.totp_key, password_is_temporary=False)
        await end_sessions(book, found.name, found.now)
        await _start(book, token, found, operator)
        await note_action(book, operator, _action("user.password", found.name))
        return SignedIn(token, operator, password_is_temporary=False)

    return await ledger.serializable(work)


async def _allowed_to_try(ledger: Ledger, attempt: SignIn) -> User | SignInRefusal | None:
    """Return the person, or TOO_OFTEN."""

    async def work(book: Book) -> User | SignInRefusal | None:
        user = await find_user(book, attempt.name)
        refused = await refusals_within(book, attempt.name, attempt.source, REFUSALS_WITHIN)
        if (
            refused.of_name >= REFUSALS_OF_NAME_MAX
            or refused.from_source >= REFUSALS_FROM_SOURCE_MAX
        ):
            return SignInRefusal.TOO_OFTEN
        return user

    return await ledger.read_only(work)


async def _refusal(
    book: Book, attempt: SignIn, user: User | None, verified_hash: str | None
) -> SignInRefusal | None:
    """Return why the attempt fails; None: everything holds, and the code is used up."""
    if user is None or user.disabled_at is not None or user.password_hash != verified_hash:
        return SignInRefusal.WRONG
    if user.totp_key is None:
        return SignInRefusal.NO_SECOND_FACTOR if attempt.takes_code else None
    step = step_of_code(user.totp_key, attempt.code, user.now)
    if step is None or not await use_code(book, user.name, step):
        return SignInRefusal.WRONG
    return None


async def _start(book: Book, token: str, user: User, operator: Operator) -> None:
    await start_session(
        book,
        session_hash(token),
        user.name,
        operator.via,
        operator.source,
        user.now,
        IDLE[operator.via] // timedelta(seconds=1),
        user.now + SESSION_LIFE,
    )


def _is_live(session: Session) -> bool:
    now = session.user.now
    return (
        session.ended_at is None
        and session.user.disabled_at is None
        and now < session.ends_at
        and now < session.used_at + timedelta(seconds=session.idle_seconds)
    )


def _signed_in(user: User, via: Via, source: str) -> Operator:
    return Operator(user.name, is_verified=True, roles=user.roles, via=via, source=source)


def _who_tried(attempt: SignIn, user: User | None) -> Operator:
    """Name who tried; a name that nobody has may be a password in the wrong field."""
    name = "" if user is None else user.name
    return Operator(
        name, is_verified=False, roles=frozenset(), via=attempt.via, source=attempt.source
    )


def _action(name: str, subject: str = "", *, is_done: bool = True) -> Action:
    delivery = secrets.token_bytes(DELIVERY_BYTES)
    return Action(name, "user", subject, delivery, is_done=is_done)
