"""The composition of the service: settings → ledger, batching, contracts → one ASGI application."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from app.cashier.batching import Batcher
from app.cashier.games import name_games_by_setting
from app.cashier.policy import LedgerUnfitError, PolicyInForce
from app.cashier.readiness import sync_warning, why_not_ready
from app.cashier.restored import look_at_seals
from app.cashier.sealing import Sealer, SealingError, read_seals, seal_every_day
from app.cashier.startup_checks import check_startup, find_currencies
from app.cashier.traced_batching import TracedBatcher
from app.cashier.watch import Watch
from app.composition.betby import betby_endpoint, check_upgrade, launch_tokens
from app.composition.callback import callback_endpoint, in_the_contracts_shape, request_archive
from app.composition.deliverer import deliver_beside
from app.composition.description import description
from app.composition.policy import policy_of
from app.composition.projector import project_beside
from app.composition.tasks import cancelled
from app.composition.transfer import transfer_endpoint
from app.edges.betby.endpoint import Endpoint as BetbyEndpoint
from app.edges.betby.endpoint import betby_router
from app.edges.callback.endpoint import CallbackApp, Endpoint, MoveFunds, callback_router
from app.edges.metrics.page import Metrics
from app.edges.pages.routes import DemoKeys, pages
from app.edges.probes import Readiness, probes_app
from app.edges.transfer.endpoint import Endpoint as TransferEndpoint
from app.edges.transfer.endpoint import transfer_router
from app.ledger.citus.ledger import PlacedLedger
from app.ledger.errors import LedgerRestoredError
from app.ledger.transaction import Ledger
from app.proof.keys import private_key
from app.proof.seal import SignedSeal
from app.server.errors import AddressTakenError
from app.server.port import Served
from app.server.private_port import private_server
from app.settings import DEMO_AGENT_ID, DEMO_AGENT_KEY, DEMO_CALLBACK_KEY, Settings
from app.telemetry.logs import configure_logs
from app.telemetry.traces import Traces, TracesUnavailableError, traces_wanted
from app.version import VERSION, build_id

logger: Final = structlog.get_logger("main")

Clock = Callable[[], datetime]

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
    policy = policy_of(settings)
    ledger = PlacedLedger(
        database_url,
        pool_size=settings.pool_size,
        read_connections=settings.lanes,
        deadline=settings.deadline,
        clock=clock,
        serves=True,
        buckets=settings.buckets,
    )
    # A batch is of one bucket's players.
    in_buckets = settings.buckets > 1
    lanes = settings.buckets if in_buckets else settings.lanes
    traces = _traces_if_wanted()
    gathers = settings.workers > 1
    batcher = (
        TracedBatcher(ledger, policy, traces, lanes=lanes, take_turns=in_buckets, gathers=gathers)
        if traces
        else Batcher(ledger, policy, lanes=lanes, take_turns=in_buckets, gathers=gathers)
    )
    archive = request_archive(settings, ledger)
    endpoint = callback_endpoint(settings, ledger, batcher, clock or _now, archive)
    launches = launch_tokens(settings)
    transfer = transfer_endpoint(settings, ledger, batcher, clock or _now, launches)
    betby = betby_endpoint(settings, ledger, batcher, clock or _now)
    expects_sync = settings.expect_sync == "on"
    sealer = _sealer(settings)
    watch = Watch(ledger, seals=sealer is not None)
    numbers = Metrics(
        ledger,
        batcher,
        {
            "callback": endpoint.requests,
            "transfer": transfer.requests,
            **({"betby": betby.requests} if betby else {}),
        },
        watch,
        archive=archive,
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
                seals = await _seals_outside(sealer)
                for warning in await _opened(
                    ledger, policy, settings, seals, require_durability=require_durability
                ):
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
                if archive is not None:
                    archive.begin()
                if sealer is not None:
                    sealing = asyncio.create_task(seal_every_day(database_url, sealer))
                    beside.push_async_callback(cancelled, sealing)
                if settings.demo and settings.webhooks:
                    delivering = asyncio.create_task(deliver_beside(settings, database_url))
                    beside.push_async_callback(cancelled, delivering)
                if settings.demo:
                    projecting = asyncio.create_task(project_beside(settings, database_url))
                    beside.push_async_callback(cancelled, projecting)
                # Objects built so far live as long as the process, so the collector skips them.
                gc.collect()
                gc.freeze()
                gc.set_threshold(GARBAGE_THRESHOLD)
                yield
            finally:
                readiness.is_stopping = True
                await watch.close()
                await batcher.close()
                if archive is not None:
                    await archive.close()
                await ledger.close()
                if traces is not None:
                    await asyncio.to_thread(traces.end)

    keys = DemoKeys(DEMO_CALLBACK_KEY, DEMO_AGENT_ID, DEMO_AGENT_KEY)
    app = _framework(endpoint, transfer, betby, lifespan, keys if settings.demo else None)
    served = CallbackApp(app, endpoint)
    if traces:
        # A request is traced on its way through the framework.
        return Served(traces.around(served))
    return Served(served, MoveFunds(endpoint) if settings.fast_path == "on" else None)


def build_serving_app(settings: Settings, database_url: str) -> Served:
    """Compose the application of a process of `wallet serve`, with its private port."""
    return build_app(settings, database_url, private_port=True)


def _framework(
    endpoint: Endpoint,
    transfer: TransferEndpoint,
    betby: BetbyEndpoint | None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    demo: DemoKeys | None,
) -> FastAPI:
    """Return what serves the contracts and their pages."""
    app = FastAPI(
        lifespan=lifespan,
        redirect_slashes=False,
        # What is described stands with each contract; the framework's own pages load their
        # scripts from other hosts.
        openapi_url=None,
        # The framework's own traces would carry the query, and with it the players' tokens.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.include_router(callback_router(endpoint))
    app.include_router(transfer_router(transfer))
    if betby is not None:
        app.include_router(betby_router(betby))
    app.router.routes.extend(pages(description(has_betby=betby is not None), demo))
    app.add_exception_handler(HTTPException, in_the_contracts_shape)
    return app


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


def _sealer(settings: Settings) -> Sealer | None:
    """Return who seals the ledger; the key was read before the server started."""
    if settings.seal_key is None or settings.seal_to is None:
        return None
    return Sealer(private_key(settings.seal_key), settings.seal_to)


async def _seals_outside(sealer: Sealer | None) -> Sequence[SignedSeal]:
    """Read the file of seals; what is wrong with it is said when the ledger is sealed."""
    if sealer is None:
        return ()
    with suppress(SealingError):
        return await asyncio.to_thread(read_seals, sealer.file)
    return ()


async def _opened(
    ledger: Ledger,
    policy: PolicyInForce,
    settings: Settings,
    seals: Sequence[SignedSeal],
    *,
    require_durability: bool,
) -> tuple[str, ...]:
    try:
        with suppress(LedgerRestoredError):
            await look_at_seals(ledger, seals)
        warnings = await check_startup(ledger, policy, require_durability=require_durability)
        check_upgrade(settings, policy)
        return tuple(warnings)
    except LedgerUnfitError as error:
        logger.critical("not served", reason=str(error))
        raise


def _now() -> datetime:
    return datetime.now(UTC)
