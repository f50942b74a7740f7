"""`wallet user …`, `wallet login` and `wallet logout`: who may sign in, and signing in here.

A new password is shown once, and is temporary: whoever signs in with it chooses their own.
"""

import sys
from typing import Annotated, Final, TypeVar

import typer
from rich.prompt import Prompt

from app.cashier.operators import (
    NewSecrets,
    UserRefusal,
    change_roles,
    create_user,
    disable_user,
    reset_user,
    users,
)
from app.cashier.passwords import totp_address
from app.cashier.sign_in import (
    SignedIn,
    SignIn,
    SignInRefusal,
    choose_password,
    sign_in,
    sign_out,
)
from app.console.data_owner import console_settings
from app.console.errors import ConsoleError
from app.console.ledger_access import ask, commands, operator
from app.console.operator_here import forget_token, here, keep_token, kept_token
from app.console.output.layout import Rows
from app.console.output.printer import AsJson, hint, outcome_stands, print_json, say, show, tell
from app.ledger.operators import User
from app.wallet.operators import NAME, Operator, Role, Via
from app.wallet.words import moment

T = TypeVar("T")

REASON_LENGTH_MAX: Final = 1000

people: Final = commands("user", "The operator's people: who may sign in, and as what.")


def _checked_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise typer.BadParameter(
            "must have 2 to 64 of the characters a-z 0-9 . _ - and begin with a letter"
        )
    return value


def _checked_reason(value: str | None) -> str | None:
    if value is not None and (not value.isprintable() or len(value) > REASON_LENGTH_MAX):
        raise typer.BadParameter(f"must be text of at most {REASON_LENGTH_MAX} characters")
    return value


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="What they sign in as.", callback=_checked_name)
]
Reason = Annotated[str | None, typer.Option(help="Why; it is kept.", callback=_checked_reason)]
Roles = Annotated[
    list[Role] | None, typer.Option("--role", help="A job of theirs; may be given several times.")
]


@people.command("add")
def add(name: Name, roles: Roles = None, reason: Reason = None, as_json: AsJson = False) -> None:
    """Add a person, with a temporary password and a key for their authenticator app."""
    if not roles:
        raise typer.BadParameter(f"name at least one: {', '.join(Role)}", param_hint="'--role'")
    by = operator()
    made = ask(
        lambda ledger: create_user(ledger, by, name, set(roles), reason=reason), changes=True
    )
    _show_secrets(_granted(made, name), as_json=as_json)


@people.command("reset")
def reset(name: Name, reason: Reason = None, as_json: AsJson = False) -> None:
    """Give a person a new temporary password and a new key; their sessions end."""
    by = operator()
    made = ask(lambda ledger: reset_user(ledger, by, name, reason=reason), changes=True)
    _show_secrets(_granted(made, name), as_json=as_json)


@people.command("roles")
def roles_of(
    name: Name, roles: Roles = None, reason: Reason = None, as_json: AsJson = False
) -> None:
    """Give a person these roles and no others; without `--role`, none at all."""
    by = operator()
    done = ask(
        lambda ledger: change_roles(ledger, by, name, set(roles or ()), reason=reason), changes=True
    )
    user = _granted(done, name)
    sentence = f"{name} has {', '.join(sorted(user.roles)) or 'no roles'}."
    tell(sentence, _record(user), as_json=as_json)


@people.command("disable")
def disable(name: Name, reason: Reason = None, as_json: AsJson = False) -> None:
    """Let a person sign in no more; their sessions end now."""
    _set_disabled(name, reason, is_disabled=True, as_json=as_json)


@people.command("enable")
def enable(name: Name, reason: Reason = None, as_json: AsJson = False) -> None:
    """Let a disabled person sign in again."""
    _set_disabled(name, reason, is_disabled=False, as_json=as_json)


@people.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List everybody, with their roles and when they signed in last."""
    everybody = ask(users)
    if as_json:
        print_json({"users": [_record(user) for user in everybody]})
        return
    rows = (
        (
            user.name,
            ", ".join(sorted(user.roles)) or "none",
            "disabled" if user.disabled_at else "may sign in",
            "never" if user.last_sign_in_at is None else moment(user.last_sign_in_at),
        )
        for user in everybody
    )
    show(Rows("The operator's people", ("name", "roles", "state", "last sign-in"), rows))


def login(name: Name, as_json: AsJson = False) -> None:
    """Sign in at this console; from then on your name stands with what you do here."""
    if not sys.stdin.isatty():
        raise ConsoleError("Sign in at a terminal: a password is typed there, and read nowhere.")
    takes_code = not console_settings().demo
    password = Prompt.ask("Password", password=True)
    code = Prompt.ask("Code of your authenticator app") if takes_code else ""
    attempt = SignIn(
        name, password, code.replace(" ", ""), Via.CONSOLE, here().source, takes_code=takes_code
    )
    done = ask(lambda ledger: sign_in(ledger, attempt), changes=True)
    if isinstance(done, SignInRefusal):
        raise ConsoleError(done.value)
    if done.password_is_temporary:
        done = _own_password(done.operator, password)
    keep_token(done.token)
    roles = sorted(done.operator.roles)
    sentence = f"Signed in as {name} ({', '.join(roles) or 'no roles'})."
    tell(sentence, {"name": name, "roles": roles}, as_json=as_json)


def logout(as_json: AsJson = False) -> None:
    """End the session that was begun at this console."""
    token = kept_token()
    if token is None:
        tell("Nobody is signed in here.", {"signed_out": False}, as_json=as_json)
        return
    forget_token()
    source = here().source
    ask(lambda ledger: sign_out(ledger, token, source))
    tell("Signed out.", {"signed_out": True}, as_json=as_json)


def _own_password(by: Operator, old: str) -> SignedIn:
    hint("This password is temporary: choose one of your own.")
    new = Prompt.ask("New password", password=True)
    if new != Prompt.ask("New password again", password=True):
        raise ConsoleError("The new password was typed in two ways: sign in again.")
    done = ask(lambda ledger: choose_password(ledger, by, old, new), changes=True)
    if isinstance(done, str):
        raise ConsoleError(f"The new password {done}: sign in again.")
    if isinstance(done, SignInRefusal):
        raise ConsoleError(done.value)
    return done


def _set_disabled(name: str, reason: str | None, *, is_disabled: bool, as_json: bool) -> None:
    by = operator()
    done = ask(
        lambda ledger: disable_user(ledger, by, name, is_disabled=is_disabled, reason=reason),
        changes=True,
    )
    _granted(done, name)
    sentence = f"{name} may {'not sign in any more' if is_disabled else 'sign in again'}."
    tell(sentence, {"name": name, "is_disabled": is_disabled}, as_json=as_json)


def _granted(done: T | UserRefusal, name: str) -> T:
    if isinstance(done, UserRefusal):
        raise ConsoleError(f"{name}: {done.value}.")
    return done


def _show_secrets(made: NewSecrets, *, as_json: bool) -> None:
    name, key = made.user.name, made.totp_key
    address = None if key is None else totp_address(name, key)
    with outcome_stands():
        if as_json:
            print_json(
                {**_record(made.user), "password": made.password, "totp_key": key, "totp": address}
            )
            return
        say(f"{name} ({', '.join(sorted(made.user.roles))})")
        say(f"  temporary password   {made.password}")
        if address is not None:
            say(f"  key for their app    {key}")
            say(f"  the same as address  {address}")
    hint("These are shown once, and kept nowhere as they are: hand them over in person.")


def _record(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "roles": sorted(user.roles),
        "is_disabled": user.disabled_at is not None,
        "last_sign_in_at": user.last_sign_in_at and moment(user.last_sign_in_at),
    }
