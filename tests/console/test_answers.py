"""The transfer client's report when the answer is no wallet's: done, not done, or unknown."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typing_extensions import override

from tests.console.conftest import Console

BALANCE = ("transfer", "account/balance", "user_id=alice")


class Front(BaseHTTPRequestHandler):
    """A server, or what stands before one, that answers as the test says."""

    status = 502
    kind = "text/html"
    said = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.status == 0:
            # Hang up: the request has arrived, and the answer never does.
            self.close_connection = True
            return
        self.send_response(self.status)
        self.send_header("Content-Type", self.kind)
        self.end_headers()
        self.wfile.write(self.said)

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.said)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def front(monkeypatch: pytest.MonkeyPatch, **answer: object) -> Iterator[str]:
    for name, value in answer.items():
        monkeypatch.setattr(Front, name, value)
    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("text/html", b"<html><h1>502 Bad Gateway</h1></html>"),
        ("text/html", b""),
        ("application/json", b"\xff\xfe"),
        ("application/json", b"[" * 200_000),
        ("application/json", b'{"code": "Infinity"}'),
        ("application/json", b'{"code": Infinity}'),
        ("application/json", b"[1]"),
        ("application/jose", b"a.b.c.d.e"),
        ("application/jose", b"\xff"),
        ("application/jose", b""),
    ],
)
def test_an_answer_that_is_no_wallets_leaves_the_outcome_unknown(
    in_process: Console, monkeypatch: pytest.MonkeyPatch, kind: str, said: bytes
) -> None:
    with front(monkeypatch, kind=kind, said=said) as url:
        done = in_process(*BALANCE, "--url", url)
        assert done.code == 1
        assert "Whether it was done is not known" in done.complaint
        played = in_process("simulate", "--url", url)
    assert played.code == 1
    assert "is no wallet" in played.complaint


def test_a_connection_that_ends_without_an_answer_leaves_the_outcome_unknown(
    in_process: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    with front(monkeypatch, status=0) as url:
        done = in_process(*BALANCE, "--url", url)
    assert done.code == 1
    assert "Whether it was done is not known" in done.complaint


def test_where_nobody_listens_nothing_was_done(in_process: Console) -> None:
    done = in_process(*BALANCE, "--url", "http://127.0.0.1:1")
    assert done.code == 1
    assert "nothing was done" in done.complaint
    assert "not known" not in done.complaint


def test_a_foreign_answer_is_shown_without_its_controls(
    in_process: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = '{"code": 7, "message": "\x9b2J\u202egnp"}'.encode()
    with front(monkeypatch, status=200, kind="application/json", said=said) as url:
        done = in_process(*BALANCE, "--url", url)
    assert done.code == 1
    assert done.out.replace("\n", "").isprintable()
    assert done.document["message"] == "\x9b2J\u202egnp"


@pytest.mark.parametrize(
    "url",
    [
        *("http://a..b", "http://", "a", "ftp://a", "http://[::1", "http://a:99999", "http://a b"),
        *("http://" + "a" * 64, "http://a?x=1", "http://\udcff", "http://ä", "http://a\n.b"),
    ],
)
def test_an_address_that_cannot_be_is_a_mistake_in_the_command_line(
    in_process: Console, url: str
) -> None:
    for command in (BALANCE, ("simulate",)):
        done = in_process(*command, "--url", url)
        assert done.code == 2
        assert "'--url'" in done.complaint


@pytest.mark.parametrize("words", ["x:=[[[", "x:=" + "[" * 100_000, "x", "=1", "\udcff=1"])
def test_a_field_that_cannot_be_is_a_mistake_in_the_command_line(
    in_process: Console, words: str
) -> None:
    done = in_process("transfer", "account/balance", words)
    assert done.code == 2
    assert done.complaint
