"""Signing in and out, and choosing a password."""

from typing import Final

import structlog
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.backoffice.call import TEXT_LENGTH_MAX, Call
from app.backoffice.guard import forget_token, keep_token
from app.backoffice.office import Office
from app.cashier.sign_in import (
    SignedIn,
    SignIn,
    SignInRefusal,
    choose_password,
    sign_in,
    sign_out,
)
from app.wallet.operators import PASSWORD_LENGTH_MIN, Via

logger: Final = structlog.get_logger("backoffice")

HOME: Final = "/"
TOO_MANY: Final = 429


def form(office: Office, request: Request) -> Response:
    """Show the sign-in form."""
    return _form(office, _own_address(request.query_params.get("next")))


async def enter(office: Office, request: Request, sent: FormData) -> Response:
    """Begin a session, and go where the person wanted to."""
    wanted = _own_address(sent.get("next"))
    attempt = SignIn(
        name=_field(sent, "name").strip().lower(),
        password=_field(sent, "password"),
        code=_field(sent, "code").replace(" ", ""),
        via=Via.PAGE,
        source=office.source_of(request),
        takes_code=not office.is_demo,
    )
    done = await sign_in(office.ledger, attempt)
    if isinstance(done, SignInRefusal):
        logger.warning("sign-in refused", why=done.name, source=attempt.source)
        status = TOO_MANY if done is SignInRefusal.TOO_OFTEN else 401
        return _form(office, wanted, status=status, mistake=done.value)
    logger.info("signed in", operator=done.operator.name, source=attempt.source)
    return _begun(office, done, "/password" if done.password_is_temporary else wanted)


async def leave(call: Call) -> Response:
    """End the session."""
    await sign_out(call.office.ledger, call.token, call.operator.source)
    return forget_token(call.see("/login"))


async def password_form(call: Call) -> Response:
    """Show the form for a new password."""
    return _password_page(call)


async def choose(call: Call) -> Response:
    """Replace the person's own password."""
    old, new = str(call.form.get("old", "")), str(call.form.get("new", ""))
    if new != call.form.get("again"):
        return _password_page(call, "The new password was typed in two ways.")
    done = await choose_password(call.office.ledger, call.operator, old, new)
    if isinstance(done, str):
        return _password_page(call, f"The new password {done}.")
    if isinstance(done, SignInRefusal):
        return _password_page(call, "The old password is wrong, or was tried too often.")
    return _begun(call.office, done, HOME)


def _begun(office: Office, done: SignedIn, address: str) -> Response:
    return keep_token(
        RedirectResponse(address, status_code=303), done.token, is_demo=office.is_demo
    )


def _password_page(call: Call, mistake: str | None = None) -> Response:
    return call.page(
        "password.html",
        status=200 if mistake is None else 400,
        mistake=mistake,
        length_min=PASSWORD_LENGTH_MIN,
    )


def _form(
    office: Office, wanted: str, *, status: int = 200, mistake: str | None = None
) -> Response:
    return office.pages.render(
        "login.html", status=status, mistake=mistake, wanted=wanted, is_demo=office.is_demo
    )


def _own_address(wanted: object) -> str:
    """Return an address of ours; anything else leads to the first page."""
    if not isinstance(wanted, str) or not wanted.startswith("/") or not wanted.isprintable():
        return HOME
    return HOME if wanted.startswith(("//", "/\\")) or "\\" in wanted else wanted


def _field(sent: FormData, name: str) -> str:
    value = sent.get(name, "")
    return value[:TEXT_LENGTH_MAX].replace("\0", "") if isinstance(value, str) else ""
