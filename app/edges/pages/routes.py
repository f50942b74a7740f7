"""The API pages, `/docs` and `/redoc`: everything they load is served here, so they work offline.

They show the description of all contracts, `/openapi.json`, which is served here as well, and so is
`/llms.txt`, which says to a language model what the description cannot.
The scripts and styles of Swagger UI and Redoc are the files of an installed package, pinned by its
hash; `static` has ours. The content security policy of a page forbids the browser to load from or
send to another host, and to run a script that is not one of these files. Redoc's logo is a picture
on another host: it is not loaded, and Redoc leaves it out.
"""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

from app.edges.wire import encode

DESCRIPTION_PATH: Final = "/openapi.json"

HERE: Final = Path(__file__).parent
VENDORED: Final = ("fastapi_offline", "static")
"""A package and its folder, which Starlette finds without importing the package."""

POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}

EMPTY_STYLE: Final = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
SCROLL_BAR_STYLE: Final = "sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc="

REDOC_POLICY: Final = {
    **POLICY,
    # Its script adds two style elements: one is empty at first and filled rule by rule, the other
    # styles the scroll bar, and has this hash in the pinned release.
    "style-src": f"'self' '{EMPTY_STYLE}' '{SCROLL_BAR_STYLE}'",
    # Its search runs in a worker, whose code is a part of its script.
    "worker-src": "blob:",
}

GUARDS: Final = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


class _Assets(StaticFiles):
    """The files that the pages load; a browser asks each time, and gets them if they changed."""

    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update({**GUARDS, "cache-control": "no-cache"})
        return response


class DemoKeys(NamedTuple):
    """The demo's keys, which everybody knows: its page signs what is tried out with them."""

    callback_key: str
    agent: str
    agent_key: str


def pages(description: Mapping[str, object], demo: DemoKeys | None = None) -> list[BaseRoute]:
    """Return the routes of the pages and of the description, and a redirection from `/`.

    `demo`: the keys with which the demo's page signs and seals; nowhere else is there any signing.
    """
    document = encode(description)
    if demo is not None:
        document = document.replace(_EXAMPLE_PLAYER, _DEMO_PLAYER)
    return [
        Route("/", _to_the_pages),
        _description(document),
        _for_models(),
        _page("/docs", _docs(demo), POLICY),
        _page("/redoc", lambda _: _REDOC, REDOC_POLICY),
        Mount("/pages", _Assets(directory=HERE / "static", packages=[VENDORED])),
    ]


async def _to_the_pages(_: Request) -> Response:
    return RedirectResponse("docs")


def _description(document: bytes) -> Route:
    headers = {**GUARDS, "cache-control": "no-cache"}

    async def description(_: Request) -> Response:
        return Response(document, headers=headers, media_type="application/json")

    return Route(DESCRIPTION_PATH, description)


def _for_models() -> Route:
    """Return the route of what a language model is told of the wallet (llmstxt.org)."""
    text = (HERE / "llms.txt").read_text(encoding="utf-8")
    headers = {**GUARDS, "cache-control": "no-cache"}

    async def for_models(_: Request) -> Response:
        return PlainTextResponse(text, headers=headers)

    return Route("/llms.txt", for_models)


_EXAMPLE_PLAYER: Final = b'"4878"'
_DEMO_PLAYER: Final = b'"alice"'
"""So that what the description shows can be tried out as it is."""

_REDOC: Final = (HERE / "redoc.html").read_text(encoding="utf-8")
_DOCS: Final = (HERE / "docs.html").read_text(encoding="utf-8")
_SIGNING_PLACE: Final = "<!-- the demo's signing -->\n"
_KEYS_PLACE: Final = "<!-- the demo's keys -->\n"
_SIGNING: Final = '<script defer src="pages/signing.js"></script>\n'

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this machine. A page of another site whose name was bound to this address after it
was loaded asks under that name, and is not told the demo's keys."""


def _docs(demo: DemoKeys | None) -> Callable[[Request], str]:
    """Return the maker of the page with Swagger UI, which signs in the demo alone."""
    plain = _DOCS.replace(_SIGNING_PLACE, "").replace(_KEYS_PLACE, "")
    if demo is None:
        return lambda _: plain
    keys = " ".join(
        f'data-{name.replace("_", "-")}="{escape(value)}"' for name, value in demo._asdict().items()
    )
    signing = _DOCS.replace(_SIGNING_PLACE, _SIGNING).replace(
        _KEYS_PLACE, f'<div id="demo-keys" hidden {keys}></div>\n'
    )
    return lambda request: signing if request.url.hostname in LOOPBACK else plain


def _page(path: str, text_of: Callable[[Request], str], policy: Mapping[str, str]) -> Route:
    headers = {
        **GUARDS,
        "cache-control": "no-cache",
        "content-security-policy": "; ".join(f"{what} {whence}" for what, whence in policy.items()),
    }

    async def page(request: Request) -> Response:
        return HTMLResponse(text_of(request), headers=headers)

    return Route(path, page)
