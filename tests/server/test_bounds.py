"""The bounds of a connection, by raw sockets: on memory, on requests and on time."""

import contextlib
import socket
import struct
import time

import pytest

from app.server.caller_connection import LINGER_BYTES_MAX
from tests.server.conftest import WAYS
from tests.server.stub import Station, bodies, is_closed, read_all, station, until

BOTH = pytest.mark.parametrize("path", [b"/moveFunds", b"/other"])


def post(path: bytes, body: bytes = b"a=b", *headers: bytes, version: bytes = b"1.1") -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    head = b"POST %b HTTP/%b\r\nHost: wallet\r\n%bContent-Length: %d\r\n\r\n"
    return head % (path, version, lines, len(body)) + body


def words(said: bytes) -> list[bytes]:
    """What the application was asked, as it said it back."""
    return [body.partition(b" ")[2] for body in bodies(said)]


# --- an Upgrade that nobody speaks -----------------------------------------------------------


UPGRADES = {
    "curl --http2": (
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    ),
    "Java": (
        b"Connection: Upgrade, HTTP2-Settings",
        b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
        b"Upgrade: h2c",
    ),
    "foo": (b"Connection: Upgrade", b"Upgrade: foo"),
    "a WebSocket": (b"Connection: upgrade", b"Upgrade: websocket"),
}


@BOTH
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("headers", UPGRADES.values(), ids=UPGRADES)
def test_an_upgrade_we_do_not_speak_is_ignored_and_the_request_answered_with_its_body(
    served: Station, path: bytes, headers: tuple[bytes, ...], *, apart: bool
) -> None:
    request = post(path, b"a=b", *headers)
    parts = (request[:-3], request[-3:]) if apart else (request,)
    said = served.ask(*parts, post(path, b"c=d", b"Connection: close"), answers=2)
    assert words(said) == [b"a=b", b"c=d"]
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    names = {name for asked in served.stub.asked for name, _ in asked.headers}
    assert served.way == "fast path" or b"upgrade" not in names


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_body_behind_an_upgrade_is_never_a_request_of_its_own(
    served: Station, method: bytes
) -> None:
    forged = post(b"/moveFunds", b"forged", b"X-Forwarded-For: 203.0.113.5")
    request = post(b"/other", forged, b"Connection: Upgrade", b"Upgrade: foo")
    request = request.replace(b"POST", method, 1)
    head, body = request[: -len(forged)], request[-len(forged) :]
    said = served.ask(head, body)
    assert [asked.body for asked in served.stub.asked] == [forged]
    assert said.count(b"HTTP/1.1 200 OK\r\ndate") == 1


def test_a_tunnel_is_refused_and_nothing_behind_it_carried_out(served: Station) -> None:
    said = served.ask(b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n" + post(b"/moveFunds"))
    assert said.startswith(b"HTTP/1.1 501 ")
    assert served.stub.asked == []


# --- the pipeline ----------------------------------------------------------------------------


@BOTH
def test_requests_sent_without_waiting_are_answered_in_their_order(
    served: Station, path: bytes
) -> None:
    mixed = [path, b"/moveFunds", b"/other", path]
    sent = b"".join(post(to, b"%d" % number) for number, to in enumerate(mixed * 20))
    said = served.ask(sent, answers=80)
    assert words(said) == [b"%d" % number for number in range(80)]


@BOTH
def test_of_ten_megabytes_of_requests_little_is_kept_while_the_first_waits(
    served: Station, path: bytes
) -> None:
    served.hold()
    with served.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.settimeout(0.5)
        sent = 0
        flood = post(path) * (10_000_000 // len(post(path)))
        with contextlib.suppress(TimeoutError):
            while sent < len(flood):
                sent += connection.send(flood[sent : sent + 65536])
        # What the system itself holds, and one read of ours.
        assert sent < 8_000_000
        (one,) = served.connections()
        assert len(one._data) <= 600_000
        assert len(served.stub.asked) == 1


@BOTH
def test_a_request_that_came_in_part_while_another_waited_is_read_to_its_end(
    served: Station, path: bytes
) -> None:
    second = post(path, b"second")
    for cut in (10, len(second) - len(b"second"), len(second) - 1):
        served.hold()
        with served.connect() as connection:
            connection.sendall(post(path, b"first") + second[:cut])
            assert until(lambda: any(asked.body == b"first" for asked in served.stub.asked))
            served.go_on()
            assert connection.recv(65536).endswith(b" first")
            connection.sendall(second[cut:])
            assert words(read_all(connection)) == [b"second"]
        served.stub.forget()


def test_a_flood_of_requests_is_answered_to_its_last(served: Station) -> None:
    count = 5_000
    with served.connect() as connection:
        from_there = b""
        flood = memoryview(post(b"/moveFunds", b"x") * count)
        connection.settimeout(0)
        sent, ends = 0, time.monotonic() + 30
        while from_there.count(b"fast x") + from_there.count(b"asgi x") < count:
            assert time.monotonic() < ends
            with contextlib.suppress(BlockingIOError):
                sent += connection.send(flood[sent : sent + 65536]) if sent < len(flood) else 0
            try:
                from_there += connection.recv(1 << 20)
            except BlockingIOError:
                time.sleep(0.001)
    assert len(served.stub.asked) == count


BROKEN = {
    "no HTTP": b"no HTTP at all\r\n\r\n",
    "two lengths": b"POST /moveFunds HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    b"Content-Length: 2\r\n\r\n",
    "a length and chunks": b"POST /moveFunds HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n",
    "a signed length": b"POST /moveFunds HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
    "a folded header": b"POST /moveFunds HTTP/1.1\r\nHost: x\r\na: b\r\n c\r\n\r\n",
    "a blank before the colon": b"POST /moveFunds HTTP/1.1\r\nHost : x\r\n\r\n",
    "bare line feeds": b"POST /moveFunds HTTP/1.1\nHost: x\n\n\r\n\r\n",
    "no Host": b"POST /moveFunds HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "two Hosts": b"POST /moveFunds HTTP/1.1\r\nHost: x\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "two Hosts in HTTP/1.0": b"POST /moveFunds HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /moveFunds HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a fragment": b"POST /moveFunds#a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
}


@BOTH
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_answered_after_what_stands_before_it_and_ends_the_connection(
    served: Station, path: bytes, broken: bytes
) -> None:
    served.hold()
    with served.connect() as connection:
        connection.sendall(post(path, b"good") + broken + post(path, b"behind"))
        assert until(lambda: len(served.stub.asked) == 1)
        time.sleep(0.05)
        served.go_on()
        said = read_all(connection, answers=2)
    first, second = said.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200 ")
    assert first.endswith(b" good")
    assert second.startswith(b"400 ")
    assert b"connection: close" in second
    assert [asked.body for asked in served.stub.asked] == [b"good"]


OTHERS = {
    "another version": (b"POST /moveFunds HTTP/2.0\r\nHost: x\r\n\r\n", b"505"),
    "no version": (b"GET /moveFunds\r\n\r\n", b"505"),
    "another coding": (
        b"POST /moveFunds HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"501",
    ),
    "HTTP/2 outright": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400"),
    "TLS": (bytes.fromhex("16030100f5010000f10303") + b"\r\n\r\n", b"400"),
}


@pytest.mark.parametrize(("request_bytes", "status"), OTHERS.values(), ids=OTHERS)
def test_what_is_not_spoken_here_is_refused(
    served: Station, request_bytes: bytes, status: bytes
) -> None:
    assert served.ask(request_bytes).startswith(b"HTTP/1.1 %b " % status)
    assert served.stub.asked == []


@BOTH
@pytest.mark.parametrize(
    "broken", [b"no size\r\n", b"1\r\nab\r\n", b"-1\r\n", b"1 \x01\r\n", b"0x1\r\n"]
)
def test_a_chunk_that_cannot_be_read_is_400_and_carries_nothing_out(
    served: Station, path: bytes, broken: bytes
) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % path
    said = served.ask(head + b"2\r\na=\r\n" + broken + post(path, b"behind"))
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1
    assert served.stub.asked == []


# --- heads -----------------------------------------------------------------------------------


@BOTH
def test_a_head_of_64_kib_is_read_and_a_byte_more_is_431(served: Station, path: bytes) -> None:
    bare = len(post(path, b"a=b", b"Cookie: ")) - 3
    fits = post(path, b"a=b", b"Cookie: " + b"x" * (65536 - bare))
    assert words(served.ask(fits)) == [b"a=b"]
    too_long = fits.replace(b"xx", b"xxx", 1)
    said = served.ask(too_long)
    assert said.startswith(b"HTTP/1.1 431 ")
    assert b"connection: close" in said
    assert len(served.stub.asked) == 1


@pytest.mark.parametrize("line", [b"GET /", b"POST /moveFunds HTTP/1.1\r\nHost: x\r\nCookie: "])
def test_an_endless_head_costs_nothing_and_is_told_so(served: Station, line: bytes) -> None:
    began = time.process_time()
    with served.connect() as connection:
        connection.sendall(line + b"x" * 2_000_000)
        said = read_all(connection)
    assert said.startswith(b"HTTP/1.1 431 ")
    assert time.process_time() - began < 1
    (asked,) = words(served.ask(post(b"/moveFunds")))
    assert asked == b"a=b"


def test_after_the_last_answer_not_everything_is_thrown_away_patiently(served: Station) -> None:
    sent = 0
    with served.connect() as connection, contextlib.suppress(ConnectionError):
        while sent < 10 * LINGER_BYTES_MAX:
            sent += connection.send(b"x" * 65536)
    assert sent < 10 * LINGER_BYTES_MAX


@pytest.mark.parametrize("begun", [b"", b"\r\n\r\n", b"POST /mov", post(b"/moveFunds")[:60]])
def test_a_head_that_is_not_whole_by_the_deadline_ends_the_connection(
    hurried: Station, begun: bytes
) -> None:
    with hurried.connect() as connection:
        connection.sendall(begun)
        said = read_all(connection)
        assert is_closed(connection, 0.1)
    assert said == b"" if begun.strip() == b"" else said.startswith(b"HTTP/1.1 408 ")


def test_a_head_that_trickles_does_not_win_time(hurried: Station) -> None:
    with hurried.connect() as connection:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 5:
                connection.sendall(b"x")
                time.sleep(0.05)
        assert time.monotonic() - began < 4


def test_between_two_requests_the_deadline_does_not_count(hurried: Station) -> None:
    with hurried.connect() as connection:
        for _ in range(2):
            connection.sendall(post(b"/moveFunds"))
            assert words(connection.recv(65536)) == [b"a=b"]
            time.sleep(0.6)


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_that_is_quiet_for_long_is_closed(way: str) -> None:
    with station(way, keep_alive_seconds=1) as served, served.connect() as connection:
        connection.sendall(post(b"/moveFunds"))
        assert words(read_all(connection)) == [b"a=b"]
        began = time.monotonic()
        assert is_closed(connection, 4)
        assert time.monotonic() - began < 3


@BOTH
def test_blanks_around_a_headers_value_are_not_part_of_it(served: Station, path: bytes) -> None:
    served.ask(post(path, b"a=b", b"X-One: \t one \t ", b"X-Two:two\t", b"X-None:  "))
    (asked,) = served.stub.asked
    for header in ((b"x-one", b"one"), (b"x-two", b"two"), (b"x-none", b"")):
        assert header in asked.headers


def test_empty_lines_before_a_request_are_nothing(served: Station) -> None:
    said = served.ask(b"\r\n" + post(b"/moveFunds") + b"\r\n\r\n" + post(b"/other"), answers=2)
    assert words(said) == [b"a=b", b"a=b"]


# --- how many --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_new_caller_is_let_in_at_the_cost_of_those_that_have_been_quiet_longest(way: str) -> None:
    with station(way, connections=16) as served:
        idle = [served.connect() for _ in range(16)]
        assert until(lambda: len(served.connections()) == 16)
        for connection in idle[8:]:
            connection.sendall(post(b"/moveFunds"))
            assert connection.recv(65536)
        assert words(served.ask(post(b"/moveFunds"))) == [b"a=b"]
        assert is_closed(idle[0])
        for connection in idle[8:]:
            connection.sendall(post(b"/moveFunds"))
            assert words(connection.recv(65536)) == [b"a=b"]
        for connection in idle:
            connection.close()


@pytest.mark.parametrize("way", WAYS)
def test_where_every_connection_has_a_request_the_next_is_told_503(way: str) -> None:
    with station(way, connections=4) as served:
        served.hold()
        busy = [served.connect() for _ in range(4)]
        for connection in busy:
            connection.sendall(post(b"/moveFunds"))
        assert until(lambda: len(served.stub.asked) == 4)
        assert served.ask().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nrequest-id: " in served.ask()
        served.go_on()
        for connection in busy:
            assert words(connection.recv(65536)) == [b"a=b"]
            connection.close()


# --- callers who end their side, and callers who leave ---------------------------------------


@BOTH
@pytest.mark.parametrize("header", [b"X: y", b"Connection: close"])
def test_a_caller_who_ends_their_side_after_asking_is_answered(
    served: Station, path: bytes, header: bytes
) -> None:
    served.hold()
    with served.connect() as connection:
        connection.sendall(post(path, b"a=b", header))
        connection.shutdown(socket.SHUT_WR)
        assert until(lambda: len(served.stub.asked) == 1)
        time.sleep(0.1)
        served.go_on()
        assert words(read_all(connection)) == [b"a=b"]
        assert is_closed(connection, 2)
    assert served.stub.gone == []


@BOTH
def test_all_that_was_asked_before_the_end_is_answered(served: Station, path: bytes) -> None:
    sent = b"".join(post(path, b"%d" % number) for number in range(5))
    said = served.ask(sent, half_closes=True, answers=5)
    assert words(said) == [b"0", b"1", b"2", b"3", b"4"]


@BOTH
@pytest.mark.parametrize("header", [b"X: y", b"Connection: close"])
def test_a_caller_who_hangs_up_while_waiting_is_noticed_when_the_answer_does_not_arrive(
    served: Station, path: bytes, header: bytes
) -> None:
    served.hold()
    with served.connect() as connection:
        connection.sendall(post(path, b"a=b", header))
        assert until(lambda: len(served.stub.asked) == 1)
    time.sleep(0.1)
    served.go_on()
    assert until(lambda: served.stub.gone == ["after"])
    assert until(lambda: not served.connections())


@BOTH
def test_a_caller_whose_connection_breaks_is_noticed_at_once(served: Station, path: bytes) -> None:
    served.hold()
    connection = served.connect()
    connection.sendall(post(path))
    assert until(lambda: len(served.stub.asked) == 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    assert until(lambda: served.stub.gone == ["before"])
    assert not served.server.server_state.tasks or until(
        lambda: not served.server.server_state.tasks
    )


@BOTH
def test_a_caller_who_leaves_in_the_middle_of_their_body_was_never_here(
    served: Station, path: bytes
) -> None:
    with served.connect() as connection:
        connection.sendall(post(path)[:-1])
        time.sleep(0.15)
    assert until(lambda: not served.connections())
    assert served.stub.asked == []


@BOTH
def test_a_caller_who_does_not_read_is_not_waited_for_beyond_the_deadline(
    hurried: Station, path: bytes
) -> None:
    hurried.stub.answer_bytes = 20_000_000
    with hurried.connect() as connection:
        connection.sendall(post(path) + post(path))
        assert until(lambda: not hurried.connections(), 5)


# --- bodies, and the rest of HTTP ------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("size", [0, 1, 65_536, 262_144, 262_145, 2_000_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_of_any_length_arrives_whole(
    served: Station, path: bytes, size: int, *, is_chunked: bool
) -> None:
    body = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    request = post(path, body)
    if is_chunked:
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n" % path
        step = max(1, size // 7)
        chunks = [body[at : at + step] for at in range(0, size, step)]
        lines = b"".join(b"%X;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        request = head + lines + b"0\r\nx-trailer: no header\r\n\r\n"
    said = served.ask(request + post(path, b"next"), answers=2)
    assert [asked.body for asked in served.stub.asked] == [body, b"next"]
    assert words(said) == [body, b"next"]
    names = [name for asked in served.stub.asked for name, _ in asked.headers]
    assert b"x-trailer" not in names


@BOTH
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_may_come_byte_by_byte(served: Station, path: bytes, *, is_chunked: bool) -> None:
    request = post(path, b"a=b")
    if is_chunked:
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % path
        request = head + b"1\r\na\r\n2\r\n=b\r\n0\r\n\r\n"
    parts = [bytes([byte]) for byte in request]
    assert words(served.ask(*parts, pause=0.001)) == [b"a=b"]


@BOTH
def test_who_expects_to_be_told_to_go_on_is_told_so(served: Station, path: bytes) -> None:
    request = post(path, b"a=b", b"Expect: 100-Continue")
    said = served.ask(request[:-3], request[-3:])
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert served.stub.asked[0].body == b"a=b"


@BOTH
def test_http_1_0_is_answered_and_the_connection_ends(served: Station, path: bytes) -> None:
    request = post(path, b"a=b", b"Expect: 100-continue", version=b"1.0")
    said = served.ask(request.replace(b"Host: wallet\r\n", b"") + post(path, b"behind"))
    assert words(said) == [b"a=b"]
    assert b"connection: close" in said
    assert len(served.stub.asked) == 1


@BOTH
def test_an_answer_may_be_the_last(served: Station, path: bytes) -> None:
    served.stub.is_last = True
    said = served.ask(post(path) + post(path, b"behind"))
    assert words(said) == [b"a=b"]
    assert b"connection: close" in said
    assert len(served.stub.asked) == 1


@BOTH
def test_what_is_under_way_is_answered_before_the_server_goes(way: str, path: bytes) -> None:
    with station(way) as served, served.connect() as busy, served.connect() as idle:
        served.hold()
        busy.sendall(post(path))
        assert until(lambda: len(served.stub.asked) == 1)
        served.server.should_exit = True
        assert is_closed(idle, 3)
        served.go_on()
        said = read_all(busy)
        assert words(said) == [b"a=b"]
        assert b"connection: close" in said


def test_one_connection_serves_both_ways_in_turn(served: Station) -> None:
    with served.connect() as connection:
        for number in range(20):
            path = b"/moveFunds" if number % 2 else b"/other"
            connection.sendall(post(path, b"%d" % number))
            assert words(connection.recv(65536)) == [b"%d" % number]
    assert until(lambda: not served.server.server_state.connections)
