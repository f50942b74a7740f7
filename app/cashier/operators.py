"""The operator's people: added, given roles, disabled, and given new secrets.

Each change and its note are one transaction. A note carries roles and state as they are from then
on, which the audit holds against the table.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, Collection
from enum import Enum
from typing import Final, NamedTuple

from app.cashier.passwords import hash_password, new_password, new_totp_key
from app.ledger.money.book import Book
from app.ledger.operator_actions import Action, note_action
from app.ledger.operators import (
    User,
    add_user,
    end_sessions,
    find_user,
    list_users,
    set_disabled,
    set_roles,
    set_secrets,
)
from app.ledger.transaction import Ledger
from app.wallet.operators import Operator, Permission, Role

DELIVERY_BYTES: Final = 16


class UserRefusal(Enum):
    """Why a user was not added or changed."""

    TAKEN = "there is a user of this name"
    UNKNOWN = "there is no user of this name"
    OWN = "nobody changes their own roles, nor disables themselves"
    NOT_ALLOWED = "none of your roles may change users"


class NewSecrets(NamedTuple):
    """What a person signs in with for the first time; shown once, and not stored as it is."""

    user: User
    password: str
    totp_key: str | None


async def create_user(
    ledger: Ledger,
    by: Operator,
    name: str,
    roles: Collection[Role],
    *,
    password: str | None = None,
    has_code: bool = True,
    reason: str | None = None,
) -> NewSecrets | UserRefusal:
    """Add a person with a temporary password, and a key for their codes; TAKEN, NOT_ALLOWED.

    The demo gives a `password` that everybody knows, and no code (`has_code`).
    """
    if not _may_change_users(by):
        return UserRefusal.NOT_ALLOWED
    first = password or new_password()
    totp_key = new_totp_key() if has_code else None
    hashed = await hash_password(first)

    async def work(book: Book) -> NewSecrets | UserRefusal:
        is_new = await add_user(
            book, name, roles, hashed, totp_key, password_is_temporary=password is None
        )
        if not is_new:
            return UserRefusal.TAKEN
        return NewSecrets(await _noted(book, by, "user.add", name, reason), first, totp_key)

    return await ledger.serializable(work)


async def change_roles(
    ledger: Ledger, by: Operator, name: str, roles: Collection[Role], *, reason: str | None = None
) -> User | UserRefusal:
    """Give a person these roles, and no others; UNKNOWN, OWN, NOT_ALLOWED."""

    async def change(book: Book, _user: User) -> None:
        await set_roles(book, name, roles)

    return await _changed(ledger, by, name, "user.roles", change, reason)


async def disable_user(
    ledger: Ledger,
    by: Operator,
    name: str,
    *,
    is_disabled: bool = True,
    reason: str | None = None,
) -> User | UserRefusal:
    """Let a person sign in no more, and end their sessions; or let them again.

    Refusals: UNKNOWN, OWN, NOT_ALLOWED.
    """

    async def change(book: Book, user: User) -> None:
        await set_disabled(book, name, user.now if is_disabled else None)
        await end_sessions(book, name, user.now)

    action = "user.disable" if is_disabled else "user.enable"
    return await _changed(ledger, by, name, action, change, reason)


async def reset_user(
    ledger: Ledger, by: Operator, name: str, *, has_code: bool = True, reason: str | None = None
) -> NewSecrets | UserRefusal:
    """Give a person a new temporary password and a new key, and end their sessions.

    Refusals: UNKNOWN, NOT_ALLOWED.
    """
    if not _may_change_users(by):
        return UserRefusal.NOT_ALLOWED
    password, totp_key = new_password(), new_totp_key() if has_code else None
    hashed = await hash_password(password)

    async def work(book: Book) -> NewSecrets | UserRefusal:
        user = await find_user(book, name)
        if user is None:
            return UserRefusal.UNKNOWN
        await set_secrets(book, name, hashed, totp_key, password_is_temporary=True)
        await end_sessions(book, name, user.now)
        return NewSecrets(await _noted(book, by, "user.reset", name, reason), password, totp_key)

    return await ledger.serializable(work)


async def users(ledger: Ledger) -> list[User]:
    """Return everybody, by name."""

    async def work(book: Book) -> list[User]:
        return await list_users(book)

    return await ledger.read_only(work)


async def record_action(ledger: Ledger, operator: Operator, action: Action) -> None:
    """Note an action that changes nothing else, such as a look at a player."""

    async def work(book: Book) -> None:
        await note_action(book, operator, action)

    await ledger.serializable(work)


async def _changed(
    ledger: Ledger,
    by: Operator,
    name: str,
    action: str,
    change: Callable[[Book, User], Awaitable[None]],
    reason: str | None,
) -> User | UserRefusal:
    if not _may_change_users(by):
        return UserRefusal.NOT_ALLOWED
    if by.is_verified and by.name == name:
        return UserRefusal.OWN

    async def work(book: Book) -> User | UserRefusal:
        user = await find_user(book, name)
        if user is None:
            return UserRefusal.UNKNOWN
        await change(book, user)
        return await _noted(book, by, action, name, reason)

    return await ledger.serializable(work)


def _may_change_users(by: Operator) -> bool:
    """Whether a person's roles allow it; whom the operating system alone named has none to ask."""
    return not by.is_verified or by.may(Permission.USERS)


async def _noted(book: Book, by: Operator, action: str, name: str, reason: str | None) -> User:
    """Note a change of a person as they are now, and return them."""
    user = await find_user(book, name)
    if user is None:
        raise AssertionError("a person who was just changed is there")
    details = json.dumps({"roles": sorted(user.roles), "is_disabled": user.disabled_at is not None})
    delivery = secrets.token_bytes(DELIVERY_BYTES)
    done = Action(action, "user", name, delivery, reason=reason, details=details)
    await note_action(book, by, done)
    return user
