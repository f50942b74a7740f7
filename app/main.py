"""The composition root: settings → ledger, tellers, keys, routers → one ASGI application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from app.cashier.opening import LedgerUnfitError, open_for_business
from app.cashier.tellers import Tellers
from app.edges.callback.answers import DuplicateReply, not_understood
from app.edges.callback.auth import Gate
from app.edges.callback.desk import Choices, Desk
from app.edges.callback.openapi import INTRODUCTION
from app.edges.callback.routes import Door, MoveFundsApp, callback_router, response_of
from app.edges.transfer import routes as transfer
from app.edges.transfer.desk import Choices as TransferChoices
from app.edges.transfer.desk import Desk as TransferDesk
from app.edges.transfer.envelope import Agent, Envelopes
from app.edges.transfer.routes import transfer_router
from app.ledger.transaction import Ledger
from app.settings import Settings
from app.telemetry.logs import configure_logs
from app.wallet.balance import StakeOrder
from app.wallet.facts import Policy
from app.wallet.money import ISO_CURRENCIES, Currency
from app.wallet.movement import KeyScope

logger: Final = structlog.get_logger("main")

Clock = Callable[[], datetime]


def build_app(
    settings: Settings,
    database_url: str,
    *,
    clock: Clock | None = None,
    require_durability: bool = True,
) -> ASGIApp:
    """Put the house together. Nothing is sent to the database before the server starts it.

    `clock` (UTC) replaces the database's clock and ours, and `require_durability=False` serves from
    a database that may lose what it committed: both are for tests.
    """
    configure_logs()
    key_scope = KeyScope(settings.key_scope)
    policy = Policy(StakeOrder(settings.stake_order), key_scope, settings.sport_game_id)
    ledger = Ledger(
        database_url, pool_size=settings.pool_size, deadline=settings.deadline, clock=clock
    )
    tellers = Tellers(ledger, policy, lanes=settings.lanes)
    gate = Gate(
        [key.get_secret_value() for key in settings.callback_keys],
        trusted=settings.trusted_networks,
        proxies=settings.proxy_networks,
    )
    choices = Choices(
        DuplicateReply(settings.duplicate_reply),
        key_scope,
        timedelta(seconds=settings.token_life_seconds),
    )
    desk = Desk(ledger, tellers, gate, choices)
    door = Door(desk, deadline=settings.deadline, clock=clock or _now)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            for warning in await _opened(ledger, key_scope, require_durability=require_durability):
                logger.warning("database", warning=warning)
            yield
        finally:
            await tellers.close()
            await ledger.close()

    app = FastAPI(
        title="Wallet",
        summary="A betting wallet: every cent accounted for",
        description=INTRODUCTION,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.include_router(callback_router(door))
    app.include_router(transfer_router(_transfer_door(settings, ledger, tellers, clock or _now)))
    app.add_exception_handler(HTTPException, _in_the_contracts_shape)
    return MoveFundsApp(app, door)


def _transfer_door(
    settings: Settings, ledger: Ledger, tellers: Tellers, clock: Clock
) -> transfer.Door:
    """Where the operator's own platform comes in."""
    by_setting = {code: Currency(code, scale) for code, scale in settings.currencies.items()}
    choices = TransferChoices(
        currencies={**ISO_CURRENCIES, **by_setting},
        token_life=timedelta(seconds=settings.token_life_seconds),
        token_is_sliding=settings.token_renewal == "sliding",  # noqa: S105 - a choice
        limit_cooling=timedelta(seconds=settings.limit_cooling_seconds),
    )
    agents = {
        name: Agent(tuple(key.get_secret_value() for key in agent.keys), agent.networks)
        for name, agent in settings.agents.items()
    }
    return transfer.Door(
        ledger,
        TransferDesk(ledger, tellers, choices),
        Envelopes(agents, proxies=settings.proxy_networks),
        deadline=settings.deadline,
        window=timedelta(seconds=settings.clock_window_seconds),
        clock=clock,
    )


async def _opened(
    ledger: Ledger, key_scope: KeyScope, *, require_durability: bool
) -> tuple[str, ...]:
    try:
        return tuple(
            await open_for_business(ledger, key_scope, require_durability=require_durability)
        )
    except LedgerUnfitError as error:
        logger.critical("not served", reason=str(error))
        raise


async def _in_the_contracts_shape(_request: Request, error: Exception) -> Response:
    """Answer a path or a method that there is not."""
    if not isinstance(error, HTTPException):
        raise error
    words = error.detail.lower()
    return response_of(not_understood(words, status=error.status_code), error.headers)


def _now() -> datetime:
    return datetime.now(UTC)
