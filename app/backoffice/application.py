"""The application of the back office: pages, static files, and what is said when something fails.

No answer shows how it failed: the request's id leads to the line in the log.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.backoffice.call import MistakeError
from app.backoffice.figures import Figures
from app.backoffice.guard import HEADERS
from app.backoffice.office import Office
from app.backoffice.rendering import Pages
from app.backoffice.routes import routes
from app.cashier.status import standing
from app.ledger.backoffice.risk import risk_of
from app.ledger.backoffice.today import TodayFigures
from app.ledger.errors import LedgerError
from app.ledger.ops_views import OpsViews
from app.ledger.transaction import Ledger
from app.wallet.limit_terms import RaiseRules

logger: Final = structlog.get_logger("backoffice")

STATIC: Final = Path(__file__).parent / "static"

TITLES: Final = {
    400: "That did not work",
    401: "Sign in again",
    403: "Not allowed",
    404: "Not here",
    405: "Not here",
    500: "Something went wrong",
    503: "The ledger does not answer",
}
TODAY_SECONDS: Final = 5
RISK_SECONDS: Final = 30
STANDING_SECONDS: Final = 15
"""How old figures are before they are computed anew, for everybody who looks."""

INTERNAL_ERROR: Final = "It was written to the log, under this Request-Id."
LEDGER_AWAY: Final = "Whether an act was done is not known: look before you repeat it."
NOT_HERE: Final = "There is no such page."


class Guarded:
    """Adds the headers of `guard` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and the headers with the answer's first part."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)


def backoffice_app(
    ledger: Ledger,
    views: OpsViews,
    *,
    source_of: Callable[[Request], str],
    adjust_solo_max: Mapping[str, str],
    raises: RaiseRules,
    is_demo: bool,
    version: str,
) -> Starlette:
    """Return the application; nothing is sent to the database before the server starts it."""
    pages = Pages(version=version)
    office = Office(
        ledger,
        views,
        pages,
        source_of,
        Figures(TodayFigures(views).now, fresh_seconds=TODAY_SECONDS, shown_seconds=60),
        Figures(lambda: risk_of(views), fresh_seconds=RISK_SECONDS, shown_seconds=300),
        Figures(lambda: standing(ledger), fresh_seconds=STANDING_SECONDS, shown_seconds=300),
        adjust_solo_max,
        raises,
        is_demo,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            await views.check_role()
            yield
        finally:
            await views.close()
            await ledger.close()

    async def failed(request: Request, error: Exception) -> Response:
        return _said(pages, request, error)

    app = Starlette(
        routes=[
            *routes(office),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guarded)],
        exception_handlers={
            HTTPException: failed,
            MistakeError: failed,
            LedgerError: failed,
            Exception: failed,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _said(pages: Pages, request: Request, error: Exception) -> Response:
    """Return the page of an error, and log what nobody should see."""
    delivery = secrets.token_hex(16)
    match error:
        case HTTPException(status_code=404 | 405 as status):
            words = NOT_HERE
        case HTTPException(status_code=status, detail=words):
            pass
        case MistakeError():
            status, words = 400, str(error)
        case LedgerError():
            status, words = 503, LEDGER_AWAY
            logger.warning("ledger", path=request.url.path, reason=str(error), delivery=delivery)
        case _:
            status, words = 500, INTERNAL_ERROR
            logger.error("failed", path=request.url.path, delivery=delivery, exc_info=error)
    response = pages.render(
        "error.html",
        status=status,
        title=TITLES.get(status, TITLES[400]),
        words=words,
        delivery=delivery,
    )
    response.headers.update({**HEADERS, "request-id": delivery})
    return response
