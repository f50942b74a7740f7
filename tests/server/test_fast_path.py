"""The hatch answers what is its own, in one write; all the rest is uvicorn's, as if never held.

The application stands at both doors, and notes who came to which.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from starlette.types import Receive, Scope, Send

from app.server import fast_path as hatch
from app.server.fast_path import HatchProtocol, Headers
from app.server.one_write import OneWriteProtocol
from tests.server.wire_ends import CALLER, Wire, connected, some_turns

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
    b"content-length: 9\r\n"
    b"\r\n"
    b"hatch a=b"
)
LAST_ANSWER = ANSWER.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")


class LostError(Exception):
    """Nobody knows what became of the request."""


@dataclass(frozen=True)
class Said:
    status: int
    body: bytes
    is_last: bool


class Counter:
    """A hatch that may be busy for as long as a test wants it."""

    targets = (b"/moveFunds", b"/move")
    headers = ((b"content-type", b"text/plain"),)

    def __init__(self) -> None:
        self.heard: list[tuple[Headers, bytes, str | None]] = []
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.status = 200
        self.is_last = False
        self.is_lost = False

    async def answer(self, headers: Headers, body: bytes, peer: str | None) -> Said:
        self.heard.append((headers, body, peer))
        await self.is_free.wait()
        if self.is_lost:
            raise LostError
        return Said(self.status, b"hatch " + body, self.is_last)


class House:
    """An ASGI application with a hatch; it answers once it has the whole body."""

    def __init__(self) -> None:
        self.hatch = Counter()
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


def opened() -> tuple[House, HatchProtocol, Wire]:
    house = House()
    protocol, wire = connected(HatchProtocol, house)
    protocol.server_state.default_headers = [DATE]
    return house, protocol, wire


async def told(protocol: HatchProtocol, *reads: bytes) -> None:
    for read in reads:
        protocol.data_received(read)
        await some_turns()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is no slow caller."""
    monkeypatch.setattr(hatch, "PATIENCE_SECONDS", 60)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every caller who does not send all at once is slow."""
    monkeypatch.setattr(hatch, "PATIENCE_SECONDS", 0.001)


# --- at the hatch ----------------------------------------------------------------------------


async def test_a_request_for_the_hatch_is_answered_in_one_write() -> None:
    house, protocol, wire = opened()
    await told(protocol, REQUEST)
    assert wire.heard == [ANSWER]
    assert not wire.is_closed
    assert not house.scopes


async def test_the_hatch_hears_the_headers_the_body_and_who_asks() -> None:
    house, protocol, _ = opened()
    await told(protocol, REQUEST)
    headers = [(b"host", b"wallet"), (b"content-length", b"3")]
    assert house.hatch.heard == [(headers, b"a=b", CALLER[0])]


async def test_the_hatch_has_more_than_one_target_and_more_than_one_status() -> None:
    house, protocol, wire = opened()
    house.hatch.status = 403
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
async def test_however_it_comes_it_is_answered_at_the_hatch(
    reads: Sequence[bytes],
) -> None:
    house, protocol, wire = opened()
    await told(protocol, *reads)
    assert wire.heard == [ANSWER]
    assert not house.scopes
    assert protocol._patience is None


async def test_a_request_without_a_body_is_answered_at_the_hatch() -> None:
    house, protocol, wire = opened()
    await told(protocol, HEAD.replace(b"content-length: 3", b"content-length: 0"))
    assert wire.heard == [ANSWER.replace(b"9", b"6").removesuffix(b"a=b")]
    assert not house.scopes


async def test_a_connection_serves_one_request_after_another() -> None:
    house, protocol, wire = opened()
    await told(protocol, REQUEST, HEAD, b"a=b", REQUEST)
    assert wire.heard == [ANSWER] * 3
    assert not house.scopes
    assert protocol.server_state.total_requests == 3
    assert not protocol.tasks


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
    "an upgrade": REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"),
}


@pytest.mark.parametrize("request_bytes", OTHERS.values(), ids=OTHERS.keys())
async def test_what_is_not_for_the_hatch_is_uvicorns_to_the_last_byte(request_bytes: bytes) -> None:
    house, protocol, wire = opened()
    plain_house = House()
    plain, plain_wire = connected(OneWriteProtocol, plain_house)
    plain.server_state.default_headers = [DATE]
    await told(protocol, request_bytes)
    plain.data_received(request_bytes)
    await some_turns()
    assert house.scopes == plain_house.scopes
    assert house.bodies == plain_house.bodies
    assert len(house.bodies) == 1
    assert wire.heard == plain_wire.heard
    assert wire.is_closed == plain_wire.is_closed
    assert not house.hatch.heard


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


async def test_an_application_without_a_hatch_is_served_as_ever() -> None:
    house = House()

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await house(scope, receive, send)

    protocol, wire = connected(HatchProtocol, plain)
    await told(protocol, HEAD, b"a=b")
    assert house.bodies == [b"a=b"]
    assert b"".join(wire.heard).endswith(b"asgi a=b")


@pytest.mark.parametrize("target", [b"/moveFunds", b"/other"])
async def test_what_is_named_after_the_body_is_no_header(target: bytes) -> None:
    house, protocol, _ = opened()
    head = CHUNKED.replace(b"/moveFunds", target)
    trailer = b"x-forwarded-for: 10.0.0.1\r\n\r\n"
    await told(protocol, head, CHUNKS[:-2] + trailer)
    heard = [headers for headers, _, _ in house.hatch.heard]
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
    assert not house.hatch.heard


async def test_patience_is_counted_from_the_first_read() -> None:
    _, protocol, _ = opened()
    await told(protocol, HEAD)
    patience = protocol._patience
    await told(protocol, b"a", b"=")
    assert patience is not None
    assert protocol._patience is patience


@pytest.mark.usefixtures("impatient")
async def test_after_a_slow_request_the_hatch_is_open_again() -> None:
    house, protocol, wire = opened()
    await told(protocol, HEAD)
    await asyncio.wait_for(house.is_called.wait(), 10)
    await told(protocol, b"a=b", REQUEST)
    assert house.bodies == [b"a=b"]
    assert wire.heard[-1] == ANSWER


async def test_a_long_body_in_pieces_takes_the_long_way_and_arrives_whole() -> None:
    house, protocol, _ = opened()
    body = bytes(range(256)) * (hatch.HELD_BYTES_MAX // 256) + b"the end"
    head = HEAD.replace(b": 3", b": %d" % len(body))
    await told(protocol, head + body[:1000], body[1000:-7])
    assert not house.scopes
    await told(protocol, body[-7:-6])
    assert len(house.scopes) == 1
    await told(protocol, body[-6:])
    assert house.bodies == [body]
    assert not house.hatch.heard
    assert protocol._patience is None


# --- several requests on one connection ------------------------------------------------------


async def test_a_long_body_takes_the_long_way_even_in_one_read() -> None:
    house, protocol, wire = opened()
    body = b"x" * (hatch.HELD_BYTES_MAX + 1)
    await told(protocol, HEAD.replace(b": 3", b": %d" % len(body)) + body)
    assert (house.bodies, house.hatch.heard) == ([body], [])
    assert wire.heard[0].endswith(b"asgi " + body)


async def test_who_does_not_read_his_answers_gets_no_more_of_them() -> None:
    house, protocol, wire = opened()
    protocol.pause_writing()
    await told(protocol, REQUEST)
    assert len(house.hatch.heard) == 1
    assert wire.heard == []
    protocol.resume_writing()
    await some_turns()
    assert wire.heard == [ANSWER]


async def test_requests_sent_without_waiting_are_answered_in_their_order() -> None:
    house, protocol, wire = opened()
    house.hatch.is_free.clear()
    await told(protocol, REQUEST + REQUEST.replace(b"a=b", b"c=d") + REQUEST)
    assert not wire.heard
    assert wire.is_paused
    house.hatch.is_free.set()
    await some_turns()
    first, *rest = wire.heard
    assert first == ANSWER
    bodies = [part.rpartition(b"\r\n")[2] for part in b"".join(rest).split(b"HTTP/1.1 200 OK")]
    assert bodies == [b"", b"asgi c=d", b"asgi a=b"]
    assert len(house.hatch.heard) == 1
    assert protocol.timeout_keep_alive_task is not None
    assert not wire.is_paused


async def test_a_request_behind_one_of_the_applications_does_not_overtake_it() -> None:
    house, protocol, wire = opened()
    await told(protocol, OTHERS["a GET"] + REQUEST)
    assert b"".join(wire.heard).index(b"asgi ") < b"".join(wire.heard).index(b"asgi a=b")
    assert not house.hatch.heard


async def test_after_an_answer_the_connection_may_idle_but_not_for_ever() -> None:
    _, protocol, wire = opened()
    await told(protocol, REQUEST)
    idling = protocol.timeout_keep_alive_task
    assert idling is not None
    await told(protocol, HEAD)
    assert idling.cancelled()
    assert protocol.timeout_keep_alive_task is None
    await told(protocol, b"a=b")
    protocol.timeout_keep_alive_handler()
    assert wire.is_closed


async def test_a_caller_who_wants_no_more_is_told_goodbye() -> None:
    house, protocol, wire = opened()
    await told(protocol, LAST)
    assert wire.heard == [LAST_ANSWER]
    assert wire.is_closed
    assert not house.scopes
    assert protocol.timeout_keep_alive_task is None


async def test_an_answer_may_be_the_last() -> None:
    house, protocol, wire = opened()
    house.hatch.is_last = True
    await told(protocol, REQUEST + REQUEST)
    assert wire.heard == [LAST_ANSWER]
    assert wire.is_closed
    assert not house.scopes


# --- the end of a connection -----------------------------------------------------------------


@pytest.mark.parametrize("reason", [None, ConnectionResetError()])
async def test_a_caller_who_hangs_up_while_the_hatch_is_busy_is_not_answered(
    reason: Exception | None,
) -> None:
    house, protocol, wire = opened()
    house.hatch.is_free.clear()
    await told(protocol, REQUEST)
    (task,) = protocol.tasks
    protocol.connection_lost(reason)
    house.hatch.is_free.set()
    await task
    await some_turns()
    assert not wire.heard
    assert not protocol.tasks
    assert protocol.timeout_keep_alive_task is None


async def test_who_hangs_up_with_more_than_one_request_is_not_answered_either() -> None:
    house, protocol, wire = opened()
    house.hatch.is_free.clear()
    await told(protocol, REQUEST + REQUEST)
    (task,) = protocol.tasks
    protocol.connection_lost(None)
    house.hatch.is_free.set()
    await task
    assert not wire.heard
    assert not house.scopes
    assert not protocol.tasks


async def test_who_hangs_up_before_the_end_was_never_here() -> None:
    house, protocol, wire = opened()
    await told(protocol, HEAD)
    patience = protocol._patience
    assert patience is not None
    protocol.connection_lost(None)
    await some_turns()
    assert patience.cancelled()
    assert not house.hatch.heard
    assert not house.scopes
    assert not wire.heard


async def test_a_busy_hatch_answers_before_the_server_goes() -> None:
    house, protocol, wire = opened()
    house.hatch.is_free.clear()
    await told(protocol, REQUEST)
    protocol.shutdown()
    assert not wire.is_closed
    house.hatch.is_free.set()
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


async def test_a_hatch_that_fails_says_nothing_and_hides_nothing() -> None:
    house, protocol, wire = opened()
    house.hatch.is_lost = True
    protocol.data_received(REQUEST)
    (task,) = protocol.tasks
    with pytest.raises(LostError):
        await task
    await some_turns()
    assert not wire.heard
    assert wire.is_closed
    assert not house.scopes
    assert not protocol.tasks


async def test_a_hatch_that_is_given_up_says_nothing() -> None:
    house, protocol, wire = opened()
    house.hatch.is_free.clear()
    await told(protocol, REQUEST)
    (task,) = protocol.tasks
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not wire.heard
    assert wire.is_closed


@pytest.mark.parametrize("reads", [(CHUNKED, b"no length\r\n"), (CHUNKED + b"no length\r\n",)])
async def test_what_cannot_be_read_to_its_end_never_comes_to_the_hatch(
    reads: Sequence[bytes],
) -> None:
    house, protocol, wire = opened()
    await told(protocol, *reads)
    assert b"".join(wire.heard).startswith(b"HTTP/1.1 400 ")
    assert wire.is_closed
    assert protocol._held is None
    assert protocol._patience is None
    assert not house.hatch.heard
    assert not house.scopes


async def test_behind_what_cannot_be_read_nothing_is_said() -> None:
    house, protocol, wire = opened()
    protocol.data_received(REQUEST + b"no HTTP at all\r\n\r\n")
    (task,) = protocol.tasks
    await task
    assert len(house.hatch.heard) == 1
    (said,) = wire.heard
    assert said.startswith(b"HTTP/1.1 400 ")
    assert wire.is_closed
