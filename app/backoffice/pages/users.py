"""The operator's people, for who may change them: added, given roles, disabled, given new secrets.

A new password and key are on the answer of the form that made them, once, and nowhere else.
"""

from typing import Final, TypeVar

from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.backoffice.call import Call, MistakeError
from app.backoffice.rendering import address
from app.cashier.operators import (
    NewSecrets,
    UserRefusal,
    change_roles,
    create_user,
    disable_user,
    reset_user,
)
from app.cashier.passwords import totp_address
from app.ledger.backoffice.actions import ActionFilter, actions
from app.ledger.backoffice.people import people, person
from app.wallet.operators import MAY, NAME, Role

T = TypeVar("T")

ACTIONS: Final = 20


async def show(call: Call) -> Response:
    """Show everybody, with their roles."""
    return call.page(
        "users.html",
        people=await people(call.office.views),
        roles=list(Role),
        allowed={role: sorted(MAY[role]) for role in Role},
    )


async def show_one(call: Call) -> Response:
    """Show one person: roles, sessions, and what was done to them."""
    found = await person(call.office.views, call.asked("name"))
    if found is None:
        raise HTTPException(404)
    changes = ActionFilter(action="user", subject=found["name"])
    return call.page(
        "user.html",
        person=found,
        roles=list(Role),
        is_own=found["name"] == call.operator.name,
        changes=await actions(call.office.views, changes, ACTIONS),
    )


async def add(call: Call) -> Response:
    """Add a person, and show what they sign in with."""
    name, roles, reason = call.sent("name"), _roles(call), call.reason()
    if not NAME.fullmatch(name):
        raise MistakeError(
            "A name has 2 to 64 of the characters a-z 0-9 . _ - and begins with a letter."
        )
    if not roles:
        raise MistakeError("Choose at least one role.")
    made = await create_user(
        call.office.ledger,
        call.operator,
        name,
        roles,
        has_code=not call.office.is_demo,
        reason=reason,
    )
    return _secrets(call, await _granted(call, "user.add", name, reason, made))


async def reset(call: Call) -> Response:
    """Give a person new secrets, and show them."""
    name, reason = call.sent("name"), call.reason()
    made = await reset_user(
        call.office.ledger, call.operator, name, has_code=not call.office.is_demo, reason=reason
    )
    return _secrets(call, await _granted(call, "user.reset", name, reason, made))


async def roles(call: Call) -> Response:
    """Give a person the roles that are ticked, and no others."""
    name, wanted, reason = call.sent("name"), _roles(call), call.reason()
    done = await change_roles(call.office.ledger, call.operator, name, wanted, reason=reason)
    await _granted(call, "user.roles", name, reason, done)
    return _back(call, name)


async def disable(call: Call) -> Response:
    """Let a person sign in no more; their sessions end now."""
    return await _set_disabled(call, "user.disable", is_disabled=True)


async def enable(call: Call) -> Response:
    """Let a disabled person sign in again."""
    return await _set_disabled(call, "user.enable", is_disabled=False)


async def _set_disabled(call: Call, action: str, *, is_disabled: bool) -> Response:
    name, reason = call.sent("name"), call.reason()
    done = await disable_user(
        call.office.ledger, call.operator, name, is_disabled=is_disabled, reason=reason
    )
    await _granted(call, action, name, reason, done)
    return _back(call, name)


async def _granted(call: Call, action: str, name: str, reason: str, done: T | UserRefusal) -> T:
    """Return what was done; what was refused is noted, and said."""
    if not isinstance(done, UserRefusal):
        return done
    if done is UserRefusal.UNKNOWN:
        raise HTTPException(404)
    why = done.value
    await call.note(action, "user", name, reason=reason, is_done=False, why=why)
    raise MistakeError(f"{why[0].upper()}{why[1:]}.")


def _secrets(call: Call, made: NewSecrets) -> Response:
    name, key = made.user.name, made.totp_key
    return call.page(
        "secrets.html",
        name=name,
        password=made.password,
        key=key,
        otp_address=None if key is None else totp_address(name, key),
    )


def _roles(call: Call) -> set[Role]:
    sent = {str(value) for value in call.form.getlist("role")}
    if not sent <= set(Role):
        raise MistakeError(f"There is no such role; there are {', '.join(Role)}.")
    return {Role(text) for text in sent}


def _back(call: Call, name: str) -> Response:
    return call.see(address("/user", name=name))
