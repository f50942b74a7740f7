"""The simulator's traffic with a real server, decided again in the shadow: no answer differs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from tests.console.console import Serving, wallet

KEPT = ("content-type", "hash-authorization")


class Copying:
    """A front that passes requests on, one after the other, and keeps a copy of each exchange."""

    def __init__(self, demo: Serving, state: Path) -> None:
        self.demo = demo
        self.state = state
        self.lines: list[str] = []
        self.turn = threading.Lock()
        self.problem = ""

    def pass_on(
        self, method: str, path: str, headers: Message, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the server behind, and write down what was said."""
        with self.turn:
            if len(self.lines) == 1:
                self._take_state()
            at = datetime.now(UTC).isoformat()
            behind = HTTPConnection("127.0.0.1", self.demo.port, timeout=30)
            behind.request(method, path, body, dict(headers))
            answer = behind.getresponse()
            said = answer.read()
            behind.close()
            line = {
                "at": at,
                "method": method,
                "path": path,
                "headers": {n: v for n, v in headers.items() if n.lower() in KEPT},
                "body": body.decode(),
                "status": answer.status,
                "answer": said.decode(),
            }
            self.lines.append(json.dumps(line))
            return answer.status, answer.getheaders(), said

    def _take_state(self) -> None:
        """Take the state before the second request: the first asks whether it is a sandbox."""
        done = wallet(
            self.demo.folder, "export", "state", "--agent", "simulator", "--out", str(self.state),
            WALLET_PORT=str(self.demo.port),
        )  # fmt: skip
        self.problem = done.stderr


@contextmanager
def front(copying: Copying) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, headers, said = copying.pass_on(self.command, self.path, self.headers, body)
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in {"content-length", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST  # noqa: N815 - the library's names

        @override
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.mark.timeout(180)
def test_the_simulators_traffic_has_no_difference(tmp_path: Path) -> None:
    served, aside = tmp_path / "served", tmp_path / "aside"
    served.mkdir()
    aside.mkdir()
    with Serving(served, ("--demo",)) as demo:
        assert "listens on" in demo.said(), demo.said()
        copying = Copying(demo, aside / "state.jsonl")
        with front(copying) as port:
            played = wallet(
                served, "simulate", "--url", f"http://127.0.0.1:{port}", "--players", "6",
                "--events", "60", "--seed", "7", "--concurrency", "4", "--json",
                WALLET_PORT=str(demo.port),
            )  # fmt: skip
        assert played.returncode == 0, played.stdout + played.stderr + copying.problem
    traffic = aside / "traffic.jsonl"
    traffic.write_text("".join(line + "\n" for line in copying.lines), encoding="utf-8")
    # The simulator's agent is no operator's: its players come in as the demo's.
    state = copying.state.read_text(encoding="utf-8")
    as_demo = state.replace('"agent": "simulator"', '"agent": "demo"', 1)
    copying.state.write_text(as_demo, encoding="utf-8")
    # XTS and XT8 are the simulator's own, for amounts near the limit of digits.
    named = {"WALLET_CURRENCIES": "BTC:8,XTS:2,XT8:8"}
    for arguments in (("shadow", "--begin"), ("import", "state.jsonl")):
        done = wallet(aside, *arguments, **named)
        assert done.returncode == 0, done.stderr
    compared = wallet(aside, "shadow", "traffic.jsonl", "--json", **named)
    said = json.loads(compared.stdout)
    assert (said["differences"], said["listed"]) == (0, [])
    assert said["compared"] == len(copying.lines) > 150
    assert compared.returncode == 0
