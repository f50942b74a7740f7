import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from typing_extensions import override

from app.telemetry.traces import App, Receive, Scope, Send, Traces, traces_wanted

ROOT = Path(__file__).parents[2]
QUERY = "/sessionCheck?token=a-secret-token&userId=anna"


def answering(status: int) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"]
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    return app


async def spans_of(
    traces: Traces, exporter: InMemorySpanExporter, app: App, path: str, **headers: str
) -> tuple[ReadableSpan, ...]:
    transport = httpx2.ASGITransport(traces.around(app))
    async with httpx2.AsyncClient(transport=transport, base_url="http://wallet") as client:
        await client.get(path, headers=headers)
    traces.end()
    return exporter.get_finished_spans()


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exporter: InMemorySpanExporter) -> Traces:
    return Traces.begin(exporter)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_traces_are_wanted_when_an_endpoint_is_named(
    environment: dict[str, str],
    wanted: object,
) -> None:
    assert traces_wanted(environment) is wanted


async def test_a_request_is_a_span_without_its_query(
    traces: Traces, exporter: InMemorySpanExporter
) -> None:
    (span,) = await spans_of(traces, exporter, answering(200), QUERY)
    assert span.name == "GET /sessionCheck"
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "url.path": "/sessionCheck",
        "http.response.status_code": 200,
    }
    assert "a-secret-token" not in span.to_json()


async def test_a_span_continues_its_callers_trace(
    traces: Traces, exporter: InMemorySpanExporter
) -> None:
    caller = f"00-{'a' * 32}-{'b' * 16}-01"
    (span,) = await spans_of(traces, exporter, answering(200), "/getBalance", traceparent=caller)
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == "a" * 32
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b" * 16


async def test_an_unknown_path_is_not_kept(traces: Traces, exporter: InMemorySpanExporter) -> None:
    (span,) = await spans_of(traces, exporter, answering(404), "/whatever")
    assert "whatever" not in span.to_json()


async def test_an_answer_that_nobody_knows_is_an_error(
    traces: Traces, exporter: InMemorySpanExporter
) -> None:
    (span,) = await spans_of(traces, exporter, answering(503), "/moveFunds")
    assert not span.status.is_ok


class Collector(BaseHTTPRequestHandler):
    """Keeps the bodies it is sent."""

    bodies: list[bytes]

    def do_POST(self) -> None:
        self.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    @override
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    bodies: list[bytes] = []
    handler = type("Keeping", (Collector,), {"bodies": bodies})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", bodies
        finally:
            server.shutdown()
            thread.join()


def test_spans_reach_a_collector_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as (address, bodies):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        traces = Traces.begin()
        with traces.span("batching.move", **{"wallet.transaction_id": "b-1"}):
            pass
        traces.end()
    sent = ExportTraceServiceRequest.FromString(b"".join(bodies))
    (resource,) = sent.resource_spans
    assert resource.scope_spans[0].spans[0].name == "batching.move"
    assert [
        a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
    ] == ["wallet"]


def test_nothing_of_opentelemetrys_sdk_is_loaded_unless_wanted() -> None:
    code = (
        "import sys, app.composition.service; "
        "print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == "[]"
