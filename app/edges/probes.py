"""The private port: is the process alive, can it serve, and its numbers. For our own network only.

`/health/live` asks nothing of anybody: a process that answers it should not be restarted.
`/health/ready` asks the database, once a second at most: one that fails it should get no requests.
`/metrics` has the numbers of this process; `/metrics/targets` tells Prometheus where those of all
workers are, in the form of its HTTP service discovery.
"""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.edges.metrics import CONTENT_TYPE, Metrics

READY_NANOSECONDS: Final = 10**9
"""How long an answer of the database is good for: probes may come from many places."""

WhyNotReady = Callable[[], Awaitable[str | None]]


class Readiness:
    """Whether we can serve, asked of the database now and then."""

    def __init__(self, why_not: WhyNotReady) -> None:
        self._why_not = why_not
        self._asked_at: int | None = None
        self._answer: str | None = "the database was not asked yet"
        self.is_stopping = False

    async def why_not(self) -> str | None:
        """Why we cannot serve; None: we can."""
        if self.is_stopping:
            return "the service is stopping"
        now = time.monotonic_ns()
        if self._asked_at is None or now - self._asked_at >= READY_NANOSECONDS:
            self._asked_at = now
            self._answer = await self._why_not()
        return self._answer


def probes_app(readiness: Readiness, numbers: Metrics, ports: Sequence[int] = ()) -> Starlette:
    """Make the application of the private port; `ports`: those of all workers, ours included."""

    async def live(_: Request) -> Response:
        return _told(200, {"status": "live"})

    async def ready(_: Request) -> Response:
        reason = await readiness.why_not()
        if reason is None:
            return _told(200, {"status": "ready"})
        return _told(503, {"status": "not ready", "reason": reason})

    async def metrics(_: Request) -> Response:
        return Response(numbers.page(), media_type=CONTENT_TYPE)

    async def targets(request: Request) -> Response:
        # Under the name we were asked by, which is how the other ports are reached as well.
        host, own = request.url.hostname or "localhost", request.url.port or 80
        host = f"[{host}]" if ":" in host else host
        addresses = [f"{host}:{port}" for port in ports or (own,)]
        return Response(json.dumps([{"targets": addresses}]), media_type="application/json")

    return Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/metrics", metrics),
            Route("/metrics/targets", targets),
        ]
    )


def _told(status: int, members: dict[str, str]) -> Response:
    return Response(json.dumps(members), status, media_type="application/json")
