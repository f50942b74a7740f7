"""The composition root: settings → ledger, batching, keys, contracts → one ASGI application."""

import asyncio
import gc
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from app.backoffice.application import backoffice_app
from app.cashier.account_changes import raise_rules
from app.cashier.batching import Batcher
from app.cashier.games import name_games_by_setting
from app.cashier.policy import LedgerUnfitError, PolicyInForce, limit_days
from app.cashier.readiness import sync_warning, why_not_ready
from app.cashier.sealing import Sealer, seal_every_day
from app.cashier.startup_checks import check_startup, find_currencies
from app.cashier.traced_batching import TracedBatcher
from app.cashier.watch import Watch
from app.edges.callback.answers import DuplicateReply, not_understood
from app.edges.callback.auth import Authenticator
from app.edges.callback.endpoint import (
    CallbackApp,
    Endpoint,
    MoveFunds,
    callback_router,
    response_of,
)
from app.edges.callback.handlers import Choices, Handlers
from app.edges.callback.openapi import INTRODUCTION
from app.edges.callback.platform_tokens import PlatformTokens
from app.edges.http import request_id_header
from app.edges.metrics import Metrics
from app.edges.networks import caller_address
from app.edges.pages.routes import pages
from app.edges.probes import Readiness, probes_app
from app.edges.transfer import endpoint as transfer
from app.edges.transfer.endpoint import transfer_router
from app.edges.transfer.envelope import Agent, Envelopes
from app.edges.transfer.handlers import Choices as TransferChoices
from app.edges.transfer.handlers import Handlers as TransferHandlers
from app.edges.transfer.one_time import OneTime
from app.edges.webhooks.deliverer import Deliverer
from app.edges.webhooks.metrics import DeliveryMetrics
from app.edges.webhooks.stream import EndpointChoice
from app.ledger.ops_views import OpsViews
from app.ledger.transaction import Ledger
from app.proof.keys import private_key
from app.server.errors import AddressTakenError
from app.server.port import Served
from app.server.private_port import private_server
from app.settings import Settings
from app.telemetry.logs import configure_logs
from app.telemetry.traces import Traces, TracesUnavailableError, traces_wanted
from app.version import VERSION, build_id
from app.wallet.balance import StakeOrder
from app.wallet.early_aborts import OvertakenBet
from app.wallet.event_log import LoggedType
from app.wallet.facts import Policy
from app.wallet.limit_terms import RaiseRules
from app.wallet.money import ISO_CURRENCIES, Currency
from app.wallet.movement import KeyScope

logger: Final = structlog.get_logger("main")

Clock = Callable[[], datetime]

BACKOFFICE_CONNECTIONS: Final = 6
"""Of each role: a page asks for some seven things at once, and waits a little for the rest."""

DELIVERY_CONNECTIONS: Final = 5
"""Database connections of a deliverer: it numbers, feeds, writes, looks, and has one to spare."""

GARBAGE_THRESHOLD: Final = 10_000
"""The threshold of the garbage collector's youngest generation.

Requests leave no cycles. The objects of a few concurrent batches (128 movements, some 20 objects
each) exceed Python's 700, and would start collections that find nothing.
"""


def build_app(
    settings: Settings,
    database_url: str,
    *,
    clock: Clock | None = None,
    require_durability: bool = True,
    private_port: bool = False,
) -> Served:
    """Compose the application; nothing is sent to the database before the server starts it.

    `private_port`: serve probes and metrics beside it, as every process of `wallet serve` does.
    `clock` (UTC) replaces the database's clock and ours, and `require_durability=False` serves from
    a database that may lose what it committed: both are for tests.
    """
    # In the demo each movement's line would push the banner off a newcomer's screen.
    configure_logs(only_warnings=settings.demo)
    key_scope = KeyScope(settings.key_scope)
    policy = PolicyInForce(
        Policy(
            StakeOrder(settings.stake_order),
            key_scope,
            settings.sport_game_id,
            OvertakenBet(settings.overtaken_bet),
            timedelta(seconds=settings.overtaken_seconds),
            limit_days=limit_days(settings.limit_zone),
        )
    )
    ledger = Ledger(
        database_url,
        pool_size=settings.pool_size,
        read_connections=settings.lanes,
        deadline=settings.deadline,
        clock=clock,
    )
    traces = _traces_if_wanted()
    batcher = (
        TracedBatcher(ledger, policy, traces, lanes=settings.lanes)
        if traces
        else Batcher(ledger, policy, lanes=settings.lanes)
    )
    authenticator = Authenticator(
        [key.get_secret_value() for key in settings.callback_keys],
        trusted=settings.trusted_networks,
        proxies=settings.proxy_networks,
    )
    choices = Choices(
        DuplicateReply(settings.duplicate_reply),
        key_scope,
        timedelta(seconds=settings.token_life_seconds),
        token_is_sliding=settings.token_renewal == "sliding",  # noqa: S105 - a choice
    )
    platform = _platform_tokens(settings, ledger, clock or _now)
    handlers = Handlers(ledger, batcher, authenticator, choices, platform)
    endpoint = Endpoint(handlers, deadline=settings.deadline, clock=clock or _now)

    transfer_endpoint = _transfer_endpoint(settings, ledger, batcher, clock or _now)
    expects_sync = settings.expect_sync == "on"
    sealer = _sealer(settings)
    watch = Watch(ledger, seals=sealer is not None)
    numbers = Metrics(
        ledger,
        batcher,
        {"callback": endpoint.requests, "transfer": transfer_endpoint.requests},
        watch,
        expects_sync=expects_sync,
    )
    readiness = Readiness(
        lambda: why_not_ready(ledger),
        lambda: sync_warning(ledger, is_expected=expects_sync),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as beside:
            try:
                for warning in await _opened(ledger, policy, require_durability=require_durability):
                    logger.warning("database", warning=warning)
                if (missing := sync_warning(ledger, is_expected=expects_sync)) is not None:
                    logger.warning("database", warning=missing)
                # A series that is born with its first value hides it from `increase()`.
                batcher.batch_stats.scales.update(await find_currencies(ledger))
                for game_id in await name_games_by_setting(ledger, settings.games):
                    logger.warning("the ledger names a game otherwise", game_id=game_id)
                logger.info("start", version=VERSION, build=build_id())
                if private_port:
                    watch.begin()
                    probes = probes_app(readiness, numbers, _private_ports(settings))
                    await _open_private_port(beside, settings, probes)
                if sealer is not None:
                    sealing = asyncio.create_task(seal_every_day(database_url, sealer))
                    beside.push_async_callback(_cancelled, sealing)
                if settings.demo and settings.webhooks:
                    delivering = asyncio.create_task(_deliver_beside(settings, database_url))
                    beside.push_async_callback(_cancelled, delivering)
                # Objects built so far live as long as the process, so the collector skips them.
                gc.collect()
                gc.freeze()
                gc.set_threshold(GARBAGE_THRESHOLD)
                yield
            finally:
                readiness.is_stopping = True
                await watch.close()
                await batcher.close()
                await ledger.close()
                if traces is not None:
                    await asyncio.to_thread(traces.end)

    app = FastAPI(
        title="Wallet",
        summary="A betting wallet: every cent accounted for",
        description=INTRODUCTION,
        version=VERSION,
        lifespan=lifespan,
        redirect_slashes=False,
        # The framework's own pages load their scripts from other hosts.
        docs_url=None,
        redoc_url=None,
        # The framework's own traces would carry the query, and with it the players' tokens.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(callback_router(endpoint))
    app.include_router(transfer_router(transfer_endpoint))
    app.router.routes.extend(pages())
    app.add_exception_handler(HTTPException, _in_the_contracts_shape)
    served = CallbackApp(app, endpoint)
    if traces:
        # A request is traced on its way through the framework.
        return Served(traces.around(served))
    return Served(served, MoveFunds(endpoint) if settings.fast_path == "on" else None)


def build_serving_app(settings: Settings, database_url: str) -> Served:
    """Compose the application of a process of `wallet serve`, with its private port."""
    return build_app(settings, database_url, private_port=True)


def build_backoffice(settings: Settings, database_url: str, ops_url: str) -> Served:
    """Compose the back office: pages that act through the cashier and read the views."""
    configure_logs(only_warnings=settings.demo)
    proxies = settings.proxy_networks

    def source_of(request: Request) -> str:
        peer = request.client.host if request.client else None
        forwarded = request.headers.get("x-forwarded-for", "").encode()
        return str(caller_address(peer, forwarded, proxies) or "unknown")

    return Served(
        backoffice_app(
            Ledger(
                database_url,
                pool_size=BACKOFFICE_CONNECTIONS,
                deadline=settings.deadline,
            ),
            OpsViews(ops_url, pool_size=BACKOFFICE_CONNECTIONS),
            source_of=source_of,
            adjust_solo_max=settings.adjust_solo_max,
            raises=_raise_rules(settings),
            is_demo=settings.demo,
            version=VERSION,
        )
    )


async def deliver(settings: Settings, database_url: str, announce: Callable[[], None]) -> None:
    """Deliver webhooks until a signal, with health and metrics on a port of its own."""
    configure_logs()
    ledger = Ledger(database_url, pool_size=DELIVERY_CONNECTIONS, deadline=settings.deadline)
    deliverer = Deliverer(ledger, _endpoints(settings))
    readiness = Readiness(lambda: why_not_ready(ledger))
    probes = probes_app(readiness, DeliveryMetrics(deliverer))
    serving = private_server(
        probes, settings.private_host, settings.deliver_port, 1, deadline=settings.deadline
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with serving:
            logger.info("start", version=VERSION, build=build_id())
            announce()
            running = asyncio.create_task(deliverer.run())
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if running.done():
                running.result()
            await _cancelled(running)
    finally:
        await ledger.close()


def _endpoints(settings: Settings) -> list[EndpointChoice]:
    """Return where webhooks go."""
    return [
        EndpointChoice(
            agent,
            webhook.url,
            [secret.get_secret_value() for secret in webhook.secret],
            frozenset(map(LoggedType, webhook.types)),
            webhook.networks,
            may_be_loopback=settings.demo,
        )
        for agent, webhook in settings.webhooks.items()
    ]


async def _deliver_beside(settings: Settings, database_url: str) -> None:
    """Deliver webhooks in a serving process, as the demo does."""
    ledger = Ledger(database_url, pool_size=DELIVERY_CONNECTIONS, deadline=settings.deadline)
    try:
        await Deliverer(ledger, _endpoints(settings)).run()
    finally:
        await ledger.close()


def _traces_if_wanted() -> Traces | None:
    """Return the traces if OpenTelemetry's variables are set and its packages are installed."""
    if not traces_wanted():
        return None
    try:
        return Traces.begin()
    except TracesUnavailableError as error:
        logger.warning("traces", warning=str(error))
        return None


async def _open_private_port(beside: AsyncExitStack, settings: Settings, probes: ASGIApp) -> None:
    serving = private_server(
        probes,
        settings.private_host,
        settings.private_port,
        settings.workers,
        deadline=settings.deadline,
    )
    try:
        await beside.enter_async_context(serving)
    except AddressTakenError as error:
        logger.critical("not served", reason=str(error))
        raise


def _private_ports(settings: Settings) -> Sequence[int]:
    """Return the workers' private ports; unknown in advance if the kernel chooses them."""
    first = settings.private_port
    return range(first, first + settings.workers) if first else ()


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


def _sealer(settings: Settings) -> Sealer | None:
    """Return who seals the ledger; the key was read before the server started."""
    if settings.seal_key is None or settings.seal_to is None:
        return None
    return Sealer(private_key(settings.seal_key), settings.seal_to)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _raise_rules(settings: Settings) -> RaiseRules:
    return raise_rules(
        settings.limit_cooling_seconds, settings.limit_raise, settings.limit_cooling_by
    )


def _transfer_endpoint(
    settings: Settings, ledger: Ledger, batcher: Batcher, clock: Clock
) -> transfer.Endpoint:
    """Return the endpoint of the transfer contract."""
    by_setting = {code: Currency(code, scale) for code, scale in settings.currencies.items()}
    choices = TransferChoices(
        currencies={**ISO_CURRENCIES, **by_setting},
        token_life=timedelta(seconds=settings.token_life_seconds),
        token_is_sliding=settings.token_renewal == "sliding",  # noqa: S105 - a choice
        raises=_raise_rules(settings),
        deposit_check_is_required=settings.deposit_check == "required",
    )
    agents = {
        name: Agent(tuple(key.get_secret_value() for key in agent.keys), agent.networks)
        for name, agent in settings.agents.items()
    }
    envelopes = Envelopes(agents, proxies=settings.proxy_networks)
    return transfer.Endpoint(
        ledger,
        TransferHandlers(ledger, batcher, choices, OneTime(ledger, envelopes)),
        envelopes,
        deadline=settings.deadline,
        window=timedelta(seconds=settings.clock_window_seconds),
        clock=clock,
        requires_operation=settings.transfer_op == "required",
    )


async def _opened(
    ledger: Ledger, policy: PolicyInForce, *, require_durability: bool
) -> tuple[str, ...]:
    try:
        return tuple(await check_startup(ledger, policy, require_durability=require_durability))
    except LedgerUnfitError as error:
        logger.critical("not served", reason=str(error))
        raise


async def _in_the_contracts_shape(request: Request, error: Exception) -> Response:
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


def _now() -> datetime:
    return datetime.now(UTC)
