"""The operator's people and their sessions: statements about who may sign in, and who has.

1. `add_user`, `find_user`, `list_users`            who there is
2. `set_roles`, `set_disabled`, `set_secrets`       changes of them
3. `use_code`                                       a time-based code holds once
4. `start_session`, `find_session`, `touch_session` sessions, by the hash of their token
5. `end_session`, `end_sessions`                    logout, and the end of all of a person's
"""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from app.ledger.money.book import Book
from app.wallet.operators import Role, Via

if TYPE_CHECKING:
    import asyncpg


class User(NamedTuple):
    """One of the operator's people, with what they sign in with."""

    name: str
    roles: frozenset[Role]
    password_hash: str
    password_is_temporary: bool
    totp_key: str | None
    """base32; None: they sign in with their password alone, which only the demo allows"""
    totp_step: int
    """the last time step whose code was used"""
    created_at: datetime
    disabled_at: datetime | None
    last_sign_in_at: datetime | None
    now: datetime


class Session(NamedTuple):
    """A session that was found by its token."""

    user: User
    via: Via
    source: str
    started_at: datetime
    used_at: datetime
    idle_seconds: int
    ends_at: datetime
    ended_at: datetime | None


_USER: Final = """
SELECT o.name, o.roles, o.password_hash, o.password_is_temporary, o.totp_key, o.totp_step,
       o.created_at, o.disabled_at,
       (SELECT max(l.started_at) FROM operator_sessions l WHERE l.name = o.name)
           AS last_sign_in_at,
       coalesce($1::timestamptz, now()) AS ledger_now
"""
_FIND: Final = f"{_USER} FROM operators o WHERE o.name = $2"
_LIST: Final = f"{_USER} FROM operators o ORDER BY o.name"
_SESSION: Final = f"""{_USER},
       s.via, s.source, s.started_at, s.used_at, s.idle_seconds, s.ends_at, s.ended_at
FROM operator_sessions s JOIN operators o ON o.name = s.name WHERE s.token_hash = $2
"""

_ADD: Final = """
INSERT INTO operators (name, roles, password_hash, password_is_temporary, totp_key, created_at)
VALUES ($1, $2, $3, $4, $5, coalesce($6::timestamptz, now()))
ON CONFLICT DO NOTHING RETURNING true
"""

_ROLES: Final = "UPDATE operators SET roles = $2 WHERE name = $1"
_DISABLED: Final = "UPDATE operators SET disabled_at = $2 WHERE name = $1"
_SECRETS: Final = """
UPDATE operators SET password_hash = $2, password_is_temporary = $3, totp_key = $4
WHERE name = $1
"""
_USE_CODE: Final = """
UPDATE operators SET totp_step = $2 WHERE name = $1 AND totp_step < $2 RETURNING true
"""

_START: Final = """
INSERT INTO operator_sessions (token_hash, name, via, source, started_at, used_at, idle_seconds,
                               ends_at)
VALUES ($1, $2, $3, $4, $5, $5, $6, $7)
"""
_TOUCH: Final = "UPDATE operator_sessions SET used_at = $2 WHERE token_hash = $1 AND used_at < $2"
_END: Final = "UPDATE operator_sessions SET ended_at = $2 WHERE token_hash = $1"
_END_ALL: Final = """
UPDATE operator_sessions SET ended_at = $2 WHERE name = $1 AND ended_at IS NULL AND ends_at > $2
"""


async def add_user(
    book: Book,
    name: str,
    roles: Collection[Role],
    password_hash: str,
    totp_key: str | None,
    *,
    password_is_temporary: bool,
) -> bool:
    """Add a person; False: the name is taken, and nothing changes."""
    done = await book.connection.fetchval(
        _ADD,
        name,
        _texts(roles),
        password_hash,
        password_is_temporary,
        totp_key,
        book.now_given(),
    )
    return bool(done)


async def find_user(book: Book, name: str) -> User | None:
    """Return the person of this name."""
    row = await book.connection.fetchrow(_FIND, book.now_given(), name)
    return None if row is None else _user_of(row)


async def list_users(book: Book) -> list[User]:
    """Return everybody, by name."""
    return [_user_of(row) for row in await book.connection.fetch(_LIST, book.now_given())]


async def set_roles(book: Book, name: str, roles: Collection[Role]) -> None:
    """Give a person these roles, and no others."""
    await book.connection.execute(_ROLES, name, _texts(roles))


async def set_disabled(book: Book, name: str, disabled_at: datetime | None) -> None:
    """Let a person not sign in from a moment on; None: let them."""
    await book.connection.execute(_DISABLED, name, disabled_at)


async def set_secrets(
    book: Book, name: str, password_hash: str, totp_key: str | None, *, password_is_temporary: bool
) -> None:
    """Replace what a person signs in with."""
    await book.connection.execute(_SECRETS, name, password_hash, password_is_temporary, totp_key)


async def use_code(book: Book, name: str, step: int) -> bool:
    """Use up the code of a time step; False: it, or a later one, was used before."""
    return bool(await book.connection.fetchval(_USE_CODE, name, step))


async def start_session(
    book: Book,
    token_hash: bytes,
    name: str,
    via: Via,
    source: str,
    started_at: datetime,
    idle_seconds: int,
    ends_at: datetime,
) -> None:
    """Keep a new session by its token's hash."""
    await book.connection.execute(
        _START, token_hash, name, via.value, source, started_at, idle_seconds, ends_at
    )


async def find_session(book: Book, token_hash: bytes) -> Session | None:
    """Return the session of a token, whether or not it has ended."""
    row = await book.connection.fetchrow(_SESSION, book.now_given(), token_hash)
    if row is None:
        return None
    return Session(
        user=_user_of(row),
        via=Via(row["via"]),
        source=row["source"],
        started_at=row["started_at"],
        used_at=row["used_at"],
        idle_seconds=row["idle_seconds"],
        ends_at=row["ends_at"],
        ended_at=row["ended_at"],
    )


async def touch_session(book: Book, token_hash: bytes, used_at: datetime) -> None:
    """Note that a session was used."""
    await book.connection.execute(_TOUCH, token_hash, used_at)


async def end_session(book: Book, token_hash: bytes, ended_at: datetime) -> None:
    """End a session."""
    await book.connection.execute(_END, token_hash, ended_at)


async def end_sessions(book: Book, name: str, ended_at: datetime) -> None:
    """End all sessions of a person."""
    await book.connection.execute(_END_ALL, name, ended_at)


def _texts(roles: Collection[Role]) -> list[str]:
    return sorted(role.value for role in roles)


def _user_of(row: "asyncpg.Record") -> User:
    return User(
        name=row["name"],
        roles=frozenset(map(Role, row["roles"])),
        password_hash=row["password_hash"],
        password_is_temporary=row["password_is_temporary"],
        totp_key=row["totp_key"],
        totp_step=row["totp_step"],
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        last_sign_in_at=row["last_sign_in_at"],
        now=row["ledger_now"],
    )
