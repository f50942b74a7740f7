"""The composition of a shadow: the callback contract on a ledger of its own, called in process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message

from app.cashier.batching import Batcher
from app.cashier.players import register_external_token, revoke_tokens, token_hash
from app.cashier.startup_checks import check_startup
from app.composition.callback import callback_endpoint, in_the_contracts_shape
from app.composition.policy import policy_of
from app.edges.callback.endpoint import CallbackApp, callback_router
from app.ledger.citus.ledger import PlacedLedger
from app.settings import Settings
from app.takeover.shadow import Answered, Deciding, TrafficClock
from app.takeover.traffic import Exchange
from app.telemetry.logs import configure_logs

SESSION_LIFE: Final = timedelta(days=30)
"""Of a session that the traffic shows; the other wallet says when it ends."""

LOOPBACK: Final = ("127.0.0.1", 1)


@asynccontextmanager
async def shadowing(settings: Settings, url: str, clock: TrafficClock) -> AsyncIterator[Deciding]:
    """Yield what decides a request as `wallet serve` with these settings would."""
    configure_logs(only_warnings=True)
    policy = policy_of(settings)
    ledger = PlacedLedger(url, pool_size=3, deadline=settings.deadline, clock=clock.now)
    batcher = Batcher(ledger, policy, lanes=1)
    # Where a request came from is not in the copy, and was the other wallet's to check.
    anywhere = settings.model_copy(update={"trusted_networks": (), "proxy_networks": ()})
    endpoint = callback_endpoint(anywhere, ledger, batcher, clock.now, None)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.include_router(callback_router(endpoint))
    app.add_exception_handler(HTTPException, in_the_contracts_shape)
    served = CallbackApp(app, endpoint)

    async def decide(exchange: Exchange) -> Answered:
        return await _call(served, exchange)

    async def learn(user_id: str, token: str, lives: bool) -> None:  # noqa: FBT001 - called by one
        if lives:
            expires_at = clock.now() + SESSION_LIFE
            await register_external_token(
                ledger, user_id, token, expires_at, deadline=ledger.deadline
            )
        else:
            await revoke_tokens(ledger, user_id, token_hash(token))

    try:
        await check_startup(ledger, policy, require_durability=False, is_shadow=True)
        yield Deciding(decide, learn)
    finally:
        await batcher.close()
        await ledger.close()


async def _call(app: ASGIApp, exchange: Exchange) -> Answered:
    """Call the application with a request that has arrived whole."""
    path, _, query = exchange.path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": exchange.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode(), text.encode()) for name, text in exchange.headers.items()
        ],
        "client": LOOPBACK,
        "server": LOOPBACK,
    }
    arriving: list[Message] = [
        {"type": "http.request", "body": exchange.body.encode(), "more_body": False}
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        if arriving:
            return arriving.pop()
        # The caller never hangs up; whoever waits for that is cancelled with the answer.
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Answered(sent[0]["status"], body.decode())
