"""What keeps the pages safe: headers, the session's cookie, and who may send a form.

1. The content security policy allows scripts and styles that are files of ours, forms to us, and
   nothing else; no page can be framed.
2. The cookie is HttpOnly and SameSite=Strict, and outside of the demo it goes over TLS only.
3. A form is taken if its origin is our own address and it has the token of its session. The token
   is derived from the session's, so that it is as secret, and useless as a cookie.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

_DIRECTIVES: Final[Mapping[str, str]] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

POLICY: Final = "; ".join(f"{what} {whence}" for what, whence in _DIRECTIVES.items())

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # Without a referrer at all the browser would send no origin with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

COOKIE: Final = "wallet_session"
TOKEN_LENGTH_MAX: Final = 100
FORM_TOKEN: Final = "csrf"  # noqa: S105 - the field's name


def session_token(request: Request) -> str | None:
    """Return the token of the session's cookie."""
    token = request.cookies.get(COOKIE)
    return token if token and token.isascii() and len(token) <= TOKEN_LENGTH_MAX else None


def keep_token(response: Response, token: str, *, is_demo: bool) -> Response:
    """Set the session's cookie, which lasts until the browser closes."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=not is_demo)
    return response


def forget_token(response: Response) -> Response:
    """Remove the session's cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def form_token(token: str) -> str:
    """Return the token that the forms of a session carry."""
    return sha256(b"form|" + token.encode()).hexdigest()


def is_form_of(token: str, given: object) -> bool:
    """Whether a form carries the token of this session."""
    return isinstance(given, str) and hmac.compare_digest(
        form_token(token).encode(), given.encode("utf-8", "surrogatepass")
    )


def is_from_here(request: Request) -> bool:
    """Whether a form was sent from a page of our own address."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
