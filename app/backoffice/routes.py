"""The table of pages: address, method, what one must be allowed, and what answers.

Every row goes the same way:

1. Without a live session a look leads to the sign-in page, and a form is refused (401).
2. A form from another origin, or without its session's token, is refused (403).
3. A person whom none of their roles allows it is refused (403), and that is noted.
4. Whoever has a temporary password chooses one of their own before anything else.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias

import structlog
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from app.backoffice.call import Call, MistakeError
from app.backoffice.guard import FORM_TOKEN, is_form_of, is_from_here, session_token
from app.backoffice.office import Office
from app.backoffice.pages import (
    actions,
    adjustments,
    books,
    inbox,
    movement,
    player,
    player_acts,
    risk,
    round_,
    search,
    sign_in,
    today,
    users,
)
from app.backoffice.rendering import address
from app.cashier.sign_in import current_session
from app.wallet.operators import Operator, Permission

logger: Final = structlog.get_logger("backoffice")

Handler: TypeAlias = Callable[[Call], Awaitable[Response]]

FIELDS_MAX: Final = 50
FIELD_BYTES_MAX: Final = 8192


class Page(NamedTuple):
    """One row of the table."""

    method: str
    path: str
    permission: Permission | None
    """None: everybody who has signed in"""
    handler: Handler


PAGES: Final = (
    Page("GET", "/", None, search.home),
    Page("GET", "/search", Permission.LOOK, search.search),
    Page("GET", "/player", Permission.LOOK, player.show),
    Page("GET", "/player/statement", Permission.LOOK, player.statement),
    Page("GET", "/player/statement.csv", Permission.LOOK, player.statement_csv),
    Page("GET", "/player/sessions", Permission.LOOK, player.sessions),
    Page("POST", "/player/note", Permission.NOTE, player_acts.note),
    Page("POST", "/player/block", Permission.BLOCK, player_acts.block),
    Page("POST", "/player/exclude", Permission.BLOCK, player_acts.exclude),
    Page("POST", "/player/unblock", Permission.UNBLOCK, player_acts.unblock),
    Page("POST", "/player/limit", Permission.LIMIT, player_acts.lower_limit),
    Page("POST", "/player/revoke", Permission.REVOKE, player_acts.revoke),
    Page("GET", "/movement", Permission.LOOK, movement.show),
    Page("GET", "/round", Permission.LOOK, round_.show),
    Page("GET", "/inbox", Permission.LOOK, inbox.show),
    Page("GET", "/inbox/case", Permission.LOOK, inbox.show_one),
    Page("POST", "/inbox/take", Permission.RESOLVE, inbox.take_one),
    Page("POST", "/inbox/release", Permission.RESOLVE, inbox.release_one),
    Page("POST", "/inbox/resolve", Permission.RESOLVE, inbox.resolve_one),
    Page("GET", "/adjustments", Permission.LOOK, adjustments.show),
    Page("GET", "/adjustments/new", Permission.ADJUST, adjustments.form),
    Page("POST", "/adjustments/propose", Permission.ADJUST, adjustments.ask),
    Page("GET", "/adjustment", Permission.LOOK, adjustments.show_one),
    Page("POST", "/adjustment/approve", Permission.APPROVE, adjustments.approve_one),
    Page("POST", "/adjustment/reject", Permission.LOOK, adjustments.reject_one),
    Page("GET", "/reconciliation", Permission.REPORT, books.show),
    Page("GET", "/reconciliation/run", Permission.REPORT, books.show_one),
    Page("GET", "/today", Permission.REPORT, today.show),
    Page("GET", "/risk", Permission.RISK, risk.show),
    Page("GET", "/actions", Permission.ACTIONS, actions.show),
    Page("GET", "/actions.csv", Permission.ACTIONS, actions.as_csv),
    Page("GET", "/users", Permission.USERS, users.show),
    Page("GET", "/user", Permission.USERS, users.show_one),
    Page("POST", "/users/add", Permission.USERS, users.add),
    Page("POST", "/users/roles", Permission.USERS, users.roles),
    Page("POST", "/users/reset", Permission.USERS, users.reset),
    Page("POST", "/users/disable", Permission.USERS, users.disable),
    Page("POST", "/users/enable", Permission.USERS, users.enable),
    Page("GET", "/password", None, sign_in.password_form),
    Page("POST", "/password", None, sign_in.choose),
    Page("POST", "/logout", None, sign_in.leave),
)

OPEN_TO_TEMPORARY_PASSWORDS: Final = frozenset({"/password", "/logout"})


def routes(office: Office) -> list[BaseRoute]:
    """Return the routes of all pages, and those of the sign-in."""

    async def sign_in_form(request: Request) -> Response:
        return sign_in.form(office, request)

    async def enter(request: Request) -> Response:
        if not is_from_here(request):
            raise HTTPException(403, "This form was not sent from our sign-in page.")
        return await sign_in.enter(office, request, await _form(request))

    return [
        Route("/login", sign_in_form, methods=["GET"]),
        Route("/login", enter, methods=["POST"]),
        *(Route(page.path, _guarded(office, page), methods=[page.method]) for page in PAGES),
    ]


def _guarded(office: Office, page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        token = session_token(request)
        source = office.source_of(request)
        session = None if token is None else await current_session(office.ledger, token, source)
        if session is None or token is None:
            return _sign_in_first(request)
        if session.password_is_temporary and page.path not in OPEN_TO_TEMPORARY_PASSWORDS:
            return RedirectResponse("/password", status_code=303)
        form = FormData() if page.method == "GET" else await _form(request)
        call = Call(office, request, session.operator, token, form)
        if page.method != "GET" and not (
            is_from_here(request) and is_form_of(token, form.get(FORM_TOKEN))
        ):
            await _refuse(call, page, "This form was not sent from a page of this session.")
        if page.permission is not None and not session.operator.may(page.permission):
            await _refuse(call, page, f"Your roles do not allow you to {page.permission}.")
        response = await page.handler(call)
        response.headers["request-id"] = call.delivery.hex()
        logger.info(
            "page",
            operator=session.operator.name,
            method=page.method,
            path=page.path,
            status=response.status_code,
            delivery=call.delivery.hex(),
        )
        return response

    return answer


def _sign_in_first(request: Request) -> Response:
    if request.method != "GET" or request.headers.get("hx-request"):
        raise HTTPException(401, "Your session has ended: sign in again.")
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(address("/login", next=asked if asked != "/" else ""), status_code=303)


async def _refuse(call: Call, page: Page, why: str) -> None:
    """Note and log that somebody may not, and refuse it."""
    operator: Operator = call.operator
    await call.note("page.refused", "page", page.path, is_done=False, method=page.method)
    logger.warning("refused", operator=operator.name, method=page.method, path=page.path, why=why)
    raise HTTPException(403, why)


async def _form(request: Request) -> FormData:
    """Read a form within bounds; nothing is uploaded here."""
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > FIELDS_MAX * FIELD_BYTES_MAX:
        raise MistakeError("That was too much text for one form.")
    return await request.form(max_files=0, max_fields=FIELDS_MAX, max_part_size=FIELD_BYTES_MAX)
