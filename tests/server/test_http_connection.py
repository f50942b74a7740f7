"""The fast path answers its requests in one write; all others reach uvicorn unchanged.

The application stands at the end of both ways, and notes what came by which.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from starlette.types import Receive, Scope, Send

from app.edges.http import BODY_BYTES_MAX
from app.server import http_connection
from app.server.caller_connection import Stage
from app.server.connections import NANOSECONDS, NEVER
from app.server.heads import Headers
from app.server.http_connection import HttpConnection
from tests.server.wire_ends import CALLER, Wire, by_uvicorn_alone, connected, some_turns

DATE = (b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")
LATER = (b"date", b"Thu, 01 Jan 2026 00:00:01 GMT")

HEAD = b"POST /moveFunds HTTP/1.1\r\nHost: wallet\r\ncontent-length: 3\r\n\r\n"
REQUEST = HEAD + b"a=b"
LAST = REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
CHUNKED = HEAD.replace(b"content-length: 3", b"transfer-encoding: chunked")
CHUNKS = b"1\r\na\r\n2\r\n=b\r\n0\r\n\r\n"

ANSWER = (
    b"HTTP/1.1 200 OK\r\n"
    b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"content-type: text/plain\r\n"
    b"request-id: 3136206279746573206f66206e616d65\r\n"
    b"content-length: 9\r\n"
    b"\r\n"
    b"quick a=b"
)
LAST_ANSWER = ANSWER.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")


class LostError(Exception):
    """Nobody knows what became of the request."""


@dataclass(frozen=True)
class Said:
    status: int
    body: bytes
    is_last: bool
    delivery: bytes = b"16 bytes of name"


class Counter:
    """A handler of the fast path that may be busy for as long as a test wants it."""

    targets = (b"/moveFunds", b"/move")
    headers = ((b"content-type", b"text/plain"),)
    body_bytes_max = BODY_BYTES_MAX

    def __init__(self) -> None:
        self.heard: list[tuple[Headers, bytes, str | None]] = []
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.status = 200
        self.is_last = False
        self.is_lost = False
        self.gone: list[Said | None] = []

    def unheard(self, answer: Said | None) -> None:
        self.gone.append(answer)

    async def answer(self, headers: Headers, body: bytes, peer: str | None) -> Said:
        self.heard.append((headers, body, peer))
        await self.is_free.wait()
        if self.is_lost:
            raise LostError
        return Said(self.status, b"quick " + body, self.is_last)


class House:
    """An ASGI application, and a handler beside it; it answers once it has the whole body."""

    def __init__(self) -> None:
        self.counter = Counter()
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.is_called = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.is_called.set()
        body, is_whole = b"", False
        while not is_whole:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            body += event["body"]
            is_whole = not event["more_body"]
        self.bodies.append(body)
        text = b"asgi " + body
        length = (b"content-length", b"%d" % len(text))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": text})


def opened() -> tuple[House, HttpConnection, Wire]:
    house = House()
    protocol, wire = connected(house, house.counter)
    protocol.server_state.default_headers = [DATE]
    return house, protocol, wire


async def told(protocol: HttpConnection, *reads: bytes) -> None:
    for read in reads:
        protocol.data_received(read)
        await some_turns()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is no slow caller."""
    monkeypatch.setattr(http_connection, "PATIENCE_SECONDS", 60)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every caller who does not send all at once is slow."""
    monkeypatch.setattr(http_connection, "PATIENCE_SECONDS", 0.001)


# --- on the fast path ------------------------------------------------------------------------


async def test_a_request_that_takes_the_fast_path_is_answered_in_one_write() -> None:
    house, protocol, wire = opened()
    await told(protocol, REQUEST)
    assert wire.heard == [ANSWER]
    assert not wire.is_closed
    assert not house.scopes


async def test_the_handler_hears_the_headers_the_body_and_who_asks() -> None:
    house, protocol, _ = opened()
    await told(protocol, REQUEST)
    headers = [(b"host", b"wallet"), (b"content-length", b"3")]
    assert house.counter.heard == [(headers, b"a=b", CALLER[0])]


async def test_the_fast_path_has_more_than_one_target_and_more_than_one_status() -> None:
    house, protocol, wire = opened()
    house.counter.status = 403
    await told(protocol, REQUEST.replace(b"/moveFunds", b"/move"))
    assert wire.heard == [ANSWER.replace(b"200 OK", b"403 Forbidden")]


@pytest.mark.parametrize(
    "reads",
    [
        pytest.param((HEAD, b"a=b"), id="head, body"),
        pytest.param((HEAD[:30], HEAD[30:] + b"a", b"=b"), id="anywhere"),
        pytest.param(tuple(bytes([byte]) for byte in REQUEST), id="byte by byte"),
        pytest.param((CHUNKED + CHUNKS,), id="chunks at once"),
        pytest.param((CHUNKED, CHUNKS), id="head, chunks"),
        pytest.param((CHUNKED + CHUNKS[:6], CHUNKS[6:9], CHUNKS[9:]), id="chunks apart"),
    ],
)
async def test_however_it_comes_it_is_answered_on_the_fast_path(
    reads: Sequence[bytes],
) -> None:
    house, protocol, wire = opened()
    await told(protocol, *reads)
    assert wire.heard == [ANSWER]
    assert not house.scopes
    assert protocol._patience is None


async def test_a_request_without_a_body_is_answered_on_the_fast_path() -> None:
    house, protocol, wire = opened()
    await told(protocol, HEAD.replace(b"content-length: 3", b"content-length: 0"))
    assert wire.heard == [ANSWER.replace(b": 9", b": 6").removesuffix(b"a=b")]
    assert not house.scopes


async def test_a_connection_serves_one_request_after_another() -> None:
    house, protocol, wire = opened()
    await told(protocol, REQUEST, HEAD, b"a=b", REQUEST)
    assert wire.heard == [ANSWER] * 3
    assert not house.scopes
    assert protocol.server_state.total_requests == 3
    assert not protocol.server_state.tasks


async def test_the_date_is_the_one_that_the_server_has_now() -> None:
    _, protocol, wire = opened()
    await told(protocol, REQUEST)
    protocol.server_state.default_headers = [LATER]
    await told(protocol, REQUEST)
    assert wire.heard == [ANSWER, ANSWER.replace(DATE[1], LATER[1])]


# --- the long way ----------------------------------------------------------------------------


OTHERS = {
    "a GET": b"GET /moveFunds HTTP/1.1\r\nHost: wallet\r\n\r\n",
    "a PUT": REQUEST.replace(b"POST", b"PUT"),
    "another path": REQUEST.replace(b"/moveFunds", b"/moveFunds/"),
    "an escaped path": REQUEST.replace(b"/moveFunds", b"/move%46unds"),
    "a query": REQUEST.replace(b"/moveFunds", b"/moveFunds?a=b"),
    "a whole address": REQUEST.replace(b"/moveFunds", b"http://wallet/moveFunds"),
    "HTTP/1.0": REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "100-continue": REQUEST.replace(b"\r\n\r\n", b"\r\nExpect: 100-Continue\r\n\r\n"),
}


@pytest.mark.parametrize("request_bytes", OTHERS.values(), ids=OTHERS.keys())
async def test_what_does_not_take_the_fast_path_is_uvicorns_to_the_last_byte(
    request_bytes: bytes,
) -> None:
    house, protocol, wire = opened()
    plain_house = House()
    plain, plain_wire = by_uvicorn_alone(plain_house)
    plain.server_state.default_headers = [DATE]
    await told(protocol, request_bytes)
    plain.data_received(request_bytes)
    await some_turns()
    assert house.scopes == plain_house.scopes
    assert house.bodies == plain_house.bodies
    assert len(house.bodies) == 1
    heard, named = re.subn(rb"request-id: [0-9a-f]{32}\r\n", b"", b"".join(wire.heard))
    assert (heard, named) == (b"".join(plain_wire.heard), 1)
    assert len(wire.heard) == 1
    assert wire.is_ended == plain_wire.is_closed
    assert not house.counter.heard


async def test_the_application_is_told_what_was_asked() -> None:
    house, protocol, _ = opened()
    await told(protocol, REQUEST.replace(b"/moveFunds", b"/move%46unds?c=d"))
    (scope,) = house.scopes
    assert scope["method"] == "POST"
    assert scope["http_version"] == "1.1"
    assert scope["path"] == "/moveFunds"
    assert scope["raw_path"] == b"/move%46unds"
    assert scope["query_string"] == b"c=d"
    assert scope["headers"] == [(b"host", b"wallet"), (b"content-length", b"3")]
    assert scope["client"] == CALLER
    assert house.bodies == [b"a=b"]


async def test_who_expects_to_be_told_to_go_on_is_told_so() -> None:
    _, protocol, wire = opened()
    await told(protocol, OTHERS["100-continue"].removesuffix(b"a=b"), b"a=b")
    assert b"".join(wire.heard).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_an_application_without_a_fast_path_is_served_as_ever() -> None:
    house = House()

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await house(scope, receive, send)

    protocol, wire = connected(plain, None)
    await told(protocol, HEAD, b"a=b")
    assert house.bodies == [b"a=b"]
    assert b"".join(wire.heard).endswith(b"asgi a=b")


@pytest.mark.parametrize("target", [b"/moveFunds", b"/other"])
async def test_what_is_named_after_the_body_is_no_header(target: bytes) -> None:
    house, protocol, _ = opened()
    head = CHUNKED.replace(b"/moveFunds", target)
    trailer = b"x-forwarded-for: 10.0.0.1\r\n\r\n"
    await told(protocol, head, CHUNKS[:-2] + trailer)
    heard = [headers for headers, _, _ in house.counter.heard]
    heard += [scope["headers"] for scope in house.scopes]
    assert [[name for name, _ in headers] for headers in heard] == [[b"host", b"transfer-encoding"]]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("first", [HEAD, HEAD + b"a", CHUNKED, CHUNKED + CHUNKS[:6]])
async def test_a_slow_request_takes_the_long_way_and_arrives_whole(
    first: bytes,
) -> None:
    house, protocol, wire = opened()
    await told(protocol, first)
    await asyncio.wait_for(house.is_called.wait(), 10)
    (scope,) = house.scopes
    rest = (HEAD + b"a=b" if first.startswith(HEAD) else CHUNKED + CHUNKS).removeprefix(first)
    await told(protocol, rest)
    assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/moveFunds", b"")
    assert scope["headers"][0] == (b"host", b"wallet")
    assert house.bodies == [b"a=b"]
    assert b"".join(wire.heard).endswith(b"asgi a=b")
    assert not house.counter.heard


async def test_patience_is_counted_from_the_first_read() -> None:
    _, protocol, _ = opened()
    await told(protocol, HEAD)
    patience = protocol._patience
    await told(protocol, b"a", b"=")
    assert patience is not None
    assert protocol._patience is patience


@pytest.mark.usefixtures("impatient")
async def test_after_a_slow_request_the_fast_path_is_open_again() -> None:
    house, protocol, wire = opened()
    await told(protocol, HEAD)
    await asyncio.wait_for(house.is_called.wait(), 10)
    await told(protocol, b"a=b", REQUEST)
    assert house.bodies == [b"a=b"]
    assert wire.heard[-1] == ANSWER


async def test_a_long_body_in_pieces_takes_the_long_way_and_arrives_whole() -> None:
    house, protocol, _ = opened()
    body = bytes(range(256)) * (BODY_BYTES_MAX // 256) + b"the end"
    head = HEAD.replace(b": 3", b": %d" % len(body))
    await told(protocol, head + body[:1000])
    assert len(house.scopes) == 1
    await told(protocol, body[1000:-7], body[-7:-6], body[-6:])
    assert house.bodies == [body]
    assert not house.counter.heard
    assert protocol._patience is None


# --- several requests on one connection ------------------------------------------------------


async def test_a_long_body_takes_the_long_way_even_in_one_read() -> None:
    house, protocol, wire = opened()
    body = b"x" * (BODY_BYTES_MAX + 1)
    await told(protocol, HEAD.replace(b": 3", b": %d" % len(body)) + body)
    assert (house.bodies, house.counter.heard) == ([body], [])
    assert wire.heard[0].endswith(b"asgi " + body)


async def test_who_does_not_read_his_answers_gets_no_more_of_them() -> None:
    house, protocol, wire = opened()
    protocol.pause_writing()
    await told(protocol, REQUEST)
    assert len(house.counter.heard) == 1
    assert wire.heard == []
    protocol.resume_writing()
    await some_turns()
    assert wire.heard == [ANSWER]


async def test_requests_sent_without_waiting_are_answered_in_their_order() -> None:
    house, protocol, wire = opened()
    house.counter.is_free.clear()
    await told(protocol, REQUEST + REQUEST.replace(b"a=b", b"c=d") + REQUEST)
    assert not wire.heard
    assert wire.is_paused
    house.counter.is_free.set()
    await some_turns()
    await some_turns()
    assert wire.heard == [ANSWER, ANSWER.replace(b"a=b", b"c=d"), ANSWER]
    assert not house.scopes
    assert not wire.is_paused


async def test_a_request_behind_one_of_the_applications_does_not_overtake_it() -> None:
    _, protocol, wire = opened()
    await told(protocol, OTHERS["a GET"] + REQUEST)
    await some_turns()
    first, second = wire.heard
    assert first.endswith(b"asgi ")
    assert second == ANSWER


async def test_after_an_answer_the_connection_may_idle_but_not_for_ever() -> None:
    _, protocol, wire = opened()
    await told(protocol, REQUEST)
    now = time.monotonic_ns()
    assert now + 70 * NANOSECONDS < protocol.expires_at < now + 80 * NANOSECONDS
    await told(protocol, HEAD)
    assert protocol.expires_at == NEVER
    await told(protocol, b"a=b")
    protocol.expire()
    assert wire.is_closed


async def test_a_caller_who_wants_no_more_is_told_goodbye() -> None:
    house, protocol, wire = opened()
    await told(protocol, LAST)
    assert wire.heard == [LAST_ANSWER]
    assert wire.is_closed
    assert not house.scopes


async def test_an_answer_may_be_the_last() -> None:
    house, protocol, wire = opened()
    house.counter.is_last = True
    await told(protocol, REQUEST + REQUEST)
    assert wire.heard == [LAST_ANSWER]
    assert wire.is_ended
    assert len(house.counter.heard) == 1
    assert not house.scopes


# --- the end of a connection -----------------------------------------------------------------


@pytest.mark.parametrize("reason", [None, ConnectionResetError()])
async def test_a_caller_who_hangs_up_while_their_request_is_worked_on_is_not_answered(
    reason: Exception | None,
) -> None:
    house, protocol, wire = opened()
    house.counter.is_free.clear()
    await told(protocol, REQUEST)
    (task,) = protocol.server_state.tasks
    protocol.connection_lost(reason)
    with pytest.raises(asyncio.CancelledError):
        await task
    await some_turns()
    assert not wire.heard
    assert not protocol.server_state.tasks
    assert house.counter.gone == [None]


async def test_who_hangs_up_with_more_than_one_request_is_not_answered_either() -> None:
    house, protocol, wire = opened()
    house.counter.is_free.clear()
    await told(protocol, REQUEST + REQUEST)
    (task,) = protocol.server_state.tasks
    protocol.connection_lost(None)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not wire.heard
    assert len(house.counter.heard) == 1
    assert house.counter.gone == [None]
    assert not house.scopes
    assert not protocol.server_state.tasks


async def test_who_hangs_up_before_the_end_was_never_here() -> None:
    house, protocol, wire = opened()
    await told(protocol, HEAD)
    patience = protocol._patience
    assert patience is not None
    protocol.connection_lost(None)
    await some_turns()
    assert patience.cancelled()
    assert not house.counter.heard
    assert not house.scopes
    assert not wire.heard


async def test_what_is_worked_on_is_answered_before_the_server_goes() -> None:
    house, protocol, wire = opened()
    house.counter.is_free.clear()
    await told(protocol, REQUEST)
    protocol.shutdown()
    assert not wire.is_closed
    house.counter.is_free.set()
    await some_turns()
    assert wire.heard == [LAST_ANSWER]
    assert wire.is_closed


@pytest.mark.parametrize("before", [(), (REQUEST,), (HEAD, b"a=b")])
async def test_an_idle_connection_ends_when_the_server_goes(before: Sequence[bytes]) -> None:
    _, protocol, wire = opened()
    await told(protocol, *before)
    assert not wire.is_closed
    protocol.shutdown()
    assert wire.is_closed


async def test_what_is_not_yet_whole_is_answered_before_the_server_goes() -> None:
    house, protocol, wire = opened()
    await told(protocol, HEAD)
    patience = protocol._patience
    assert patience is not None
    protocol.shutdown()
    assert not wire.is_closed
    assert patience.cancelled()
    await told(protocol, b"a=b")
    assert house.bodies == [b"a=b"]
    answer = b"".join(wire.heard)
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"asgi a=b")
    assert wire.is_closed


async def test_a_handler_that_fails_says_nothing_and_hides_nothing() -> None:
    house, protocol, wire = opened()
    house.counter.is_lost = True
    protocol.data_received(REQUEST)
    (task,) = protocol.server_state.tasks
    with pytest.raises(LostError):
        await task
    await some_turns()
    assert not wire.heard
    assert wire.is_closed
    assert not house.scopes
    assert not protocol.server_state.tasks


async def test_a_handler_that_is_given_up_says_nothing() -> None:
    house, protocol, wire = opened()
    house.counter.is_free.clear()
    await told(protocol, REQUEST)
    (task,) = protocol.server_state.tasks
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not wire.heard
    assert wire.is_closed
    assert not house.counter.gone


@pytest.mark.parametrize("reads", [(CHUNKED, b"no length\r\n"), (CHUNKED + b"no length\r\n",)])
async def test_what_cannot_be_read_to_its_end_is_never_carried_out(
    reads: Sequence[bytes],
) -> None:
    house, protocol, wire = opened()
    await told(protocol, *reads)
    assert b"".join(wire.heard).startswith(b"HTTP/1.1 400 ")
    assert wire.is_ended
    assert protocol._stage is Stage.ENDING
    assert protocol._patience is None
    assert not house.counter.heard
    assert not house.scopes


async def test_what_cannot_be_read_waits_for_the_answer_to_what_stands_before_it() -> None:
    house, protocol, wire = opened()
    await told(protocol, REQUEST + b"no HTTP at all\r\n\r\n" + REQUEST)
    assert len(house.counter.heard) == 1
    first, second = wire.heard
    assert first == ANSWER
    assert second.startswith(b"HTTP/1.1 400 ")
    assert wire.is_ended


async def test_an_upgrade_does_not_keep_a_request_from_the_fast_path() -> None:
    house, protocol, wire = opened()
    offered = b"\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    await told(protocol, REQUEST.replace(b"\r\n\r\n", offered))
    assert wire.heard == [ANSWER]
    assert not house.scopes
