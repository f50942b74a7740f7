"""Traces, sent where OpenTelemetry's own environment variables say; without them, none.

Nothing of OpenTelemetry is loaded and nothing is wrapped unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or
its `_TRACES_` form) is set. What a span says of a request is its method, path, status and route:
never a query, a body or a header, for these carry tokens.
"""

import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SERVICE_NAME: Final = "wallet"

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class TracesUnavailableError(Exception):
    """An endpoint for traces is set, and the packages of requirements/tracing.lock are missing."""


def traces_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether OpenTelemetry's variables name a place to send traces to."""
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(environment.get(name) for name in ENDPOINTS)


class Traces:
    """Spans of one process, sent in batches by a thread of their own."""

    def __init__(self, provider: "TracerProvider") -> None:
        """`provider`: where spans go."""
        self._provider = provider
        self._tracer = provider.get_tracer(SERVICE_NAME)

    @classmethod
    def begin(cls, exporter: "SpanExporter | None" = None) -> "Traces":
        """Load OpenTelemetry; its own variables say where spans go (`exporter` is for tests)."""
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - optional
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - optional
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - optional
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - optional
        except ImportError as error:
            raise TracesUnavailableError(TracesUnavailableError.__doc__) from error
        name = os.environ.get("OTEL_SERVICE_NAME", SERVICE_NAME)
        provider = TracerProvider(resource=Resource.create({"service.name": name}))
        provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        return cls(provider)

    def span(self, name: str, **facts: str | int) -> AbstractContextManager[object]:
        """Time a block, as a part of whatever span it runs in."""
        return self._tracer.start_as_current_span(name, attributes=facts)

    def end(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def around(self, app: App) -> App:
        """Wrap an ASGI application: a span for each request, continuing its caller's trace."""
        from opentelemetry.propagate import extract  # noqa: PLC0415 - only when traces are wanted
        from opentelemetry.trace import SpanKind, StatusCode  # noqa: PLC0415 - as above

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
            facts = {"http.request.method": scope["method"], "url.path": scope["path"]}
            with self._tracer.start_as_current_span(
                scope["method"], context=extract(headers), kind=SpanKind.SERVER, attributes=facts
            ) as span:

                async def noting(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        status = message["status"]
                        span.set_attribute("http.response.status_code", status)
                        if status == 404:  # noqa: PLR2004 - a path that the caller chose is no span name
                            span.set_attribute("url.path", "")
                        else:
                            span.update_name(f"{scope['method']} {scope['path']}")
                        if status >= 500:  # noqa: PLR2004 - ours, by HTTP's own numbering
                            span.set_status(StatusCode.ERROR)
                    await send(message)

                await app(scope, receive, noting)

        return traced
