"""The endpoints of the private port: liveness, readiness and metrics, for our own network only.

`/health/live` checks nothing else: a process that answers it should not be restarted.
`/health/ready` queries the database, at most once a second: a process that fails it should get no
requests.
`/metrics` has the metrics of this process; `/metrics/targets` lists the metrics pages of all
workers, in the format of Prometheus' HTTP service discovery.
"""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.edges.metrics.page import CONTENT_TYPE
from app.version import VERSION, build_id

READY_NANOSECONDS: Final = 10**9
"""How long a result is reused, since several systems may probe."""

BUILD: Final = {"version": VERSION, "build": build_id()}

WhyNotReady = Callable[[], Awaitable[str | None]]


class Page(Protocol):
    """What is counted in this process."""

    def page(self) -> bytes:
        """Return it in Prometheus' text format."""


class Readiness:
    """Whether this process can serve, with a cached check of the database."""

    def __init__(
        self, why_not: WhyNotReady, warning: Callable[[], str | None] = lambda: None
    ) -> None:
        """`warning` says what is wrong and no reason not to serve, by the last check."""
        self._why_not = why_not
        self.warning = warning
        self._asked_at: int | None = None
        self._answer: str | None = "the database was not asked yet"
        self.is_stopping = False

    async def why_not(self) -> str | None:
        """Return why this process cannot serve, or None if it can."""
        if self.is_stopping:
            return "the service is stopping"
        now = time.monotonic_ns()
        if self._asked_at is None or now - self._asked_at >= READY_NANOSECONDS:
            self._asked_at = now
            self._answer = await self._why_not()
        return self._answer


def probes_app(readiness: Readiness, numbers: Page, ports: Sequence[int] = ()) -> Starlette:
    """Return the application of the private port; `ports` are those of all workers."""

    async def live(_: Request) -> Response:
        return _told(200, {"status": "live", **BUILD})

    async def ready(_: Request) -> Response:
        reason = await readiness.why_not()
        if reason is None:
            warning = readiness.warning()
            said = {"warning": warning} if warning is not None else {}
            return _told(200, {"status": "ready", **said, **BUILD})
        return _told(503, {"status": "not ready", "reason": reason, **BUILD})

    async def metrics(_: Request) -> Response:
        return Response(numbers.page(), media_type=CONTENT_TYPE)

    async def targets(request: Request) -> Response:
        # The host name of this request reaches the other ports as well.
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
