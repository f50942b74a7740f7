"""The composition of the callback contract: the game side's keys, networks and players' tokens."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.cashier.batching import Batcher
from app.cashier.request_archive import RequestArchive
from app.edges.callback.answers import DuplicateReply, not_understood
from app.edges.callback.auth import Authenticator
from app.edges.callback.endpoint import Endpoint, response_of
from app.edges.callback.handlers import Choices, Handlers
from app.edges.callback.platform_tokens import PlatformTokens
from app.edges.http import request_id_header
from app.ledger.transaction import Ledger
from app.settings import Settings
from app.wallet.movement import KeyScope

logger: Final = structlog.get_logger("main")

Clock = Callable[[], datetime]


def callback_endpoint(
    settings: Settings,
    ledger: Ledger,
    batcher: Batcher,
    clock: Clock,
    archive: RequestArchive | None,
) -> Endpoint:
    """Return the endpoint of the callback contract; `archive`: where its requests are kept."""
    authenticator = Authenticator(
        [key.get_secret_value() for key in settings.callback_keys],
        trusted=settings.trusted_networks,
        proxies=settings.proxy_networks,
    )
    choices = Choices(
        DuplicateReply(settings.duplicate_reply),
        KeyScope(settings.key_scope),
        timedelta(seconds=settings.token_life_seconds),
        token_is_sliding=settings.token_renewal == "sliding",  # noqa: S105 - a choice
    )
    platform = _platform_tokens(settings, ledger, clock)
    handlers = Handlers(ledger, batcher, authenticator, choices, platform)
    return Endpoint(handlers, deadline=settings.deadline, clock=clock, archive=archive)


def request_archive(settings: Settings, ledger: Ledger) -> RequestArchive | None:
    """Return what keeps requests, if there is a key to seal them with."""
    keys = [key.get_secret_value() for key in settings.request_keys]
    life = timedelta(days=settings.request_days)
    return RequestArchive(ledger, keys, life=life) if keys else None


def _platform_tokens(settings: Settings, ledger: Ledger, clock: Clock) -> PlatformTokens | None:
    """Return the verifier of the operator's platform tokens, if the settings have its keys."""
    if settings.platform_issuer is None or settings.platform_audience is None:
        return None
    return PlatformTokens(
        ledger,
        issuer=settings.platform_issuer,
        audience=settings.platform_audience,
        keys=settings.platform_keys,
        clock=clock,
    )


async def in_the_contracts_shape(request: Request, error: Exception) -> Response:
    """Answer a request for an unknown path or method."""
    if not isinstance(error, HTTPException):
        raise error
    status, delivery = error.status_code, secrets.token_bytes(16)
    # The path is not logged: a caller who forgets a question mark writes a token into it.
    logger.info(
        "wrong address",
        method=request.method,
        status=status,
        peer=request.client.host if request.client else None,
        delivery=delivery.hex(),
    )
    response = response_of(not_understood(error.detail.lower(), status=status), error.headers)
    response.raw_headers.append(request_id_header(delivery))
    return response
