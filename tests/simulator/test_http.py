"""The client reads HTTP/1.1 answers, keeps connections, and bounds every wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.simulator.encoder import EncodedRequest
from app.simulator.http import Address, BrokenReplyError, Client, Reply
from tests.tcp_server import tcp_server

REQUEST = EncodedRequest("POST", "/moveFunds?a=1", (("X-Test", "1"),), b"body")


@asynccontextmanager
async def saying(*answers: bytes, path: str = "") -> AsyncIterator[tuple[Client, list[bytes]]]:
    """A server that says these things, one to each request, and what it heard."""
    heard: list[bytes] = []
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left:
            heard.append(await reader.readuntil(b"body"))
            answer = left.pop(0)
            writer.write(answer)
            await writer.drain()
            if answer == b"" or b"close" in answer:
                break

    async with (
        tcp_server(serve) as port,
        Client(Address.of(f"http://127.0.0.1:{port}{path}"), 1, 2) as client,
    ):
        yield client, heard


async def test_a_request_is_printed_as_http() -> None:
    async with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", path="/base/") as (
        client,
        heard,
    ):
        assert await client.send(REQUEST) == Reply(200, b"ok")
    head = heard[0].decode().split("\r\n")
    assert head[0] == "POST /base/moveFunds?a=1 HTTP/1.1"
    assert head[1].startswith("Host: 127.0.0.1:")
    assert head[2:] == ["X-Test: 1", "Content-Length: 4", "", "body"]


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nok", Reply(200, b"ok")),
        (b"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", Reply(503, b"")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Reply(204, b"")),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Reply(200, b"ok"),
        ),
        (
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n"
            ),
            Reply(200, b"ok"),
        ),
    ],
)
async def test_answers_are_read_in_all_their_forms(answer: bytes, reply: Reply) -> None:
    async with saying(answer) as (client, _):
        assert await client.send(REQUEST) == reply


@pytest.mark.parametrize(
    "answer",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nno length",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 200_000,
    ],
)
async def test_what_is_no_answer_is_named_so(answer: bytes) -> None:
    async with saying(answer) as (client, _):
        with pytest.raises(BrokenReplyError):
            await client.send(REQUEST)


async def test_a_connection_that_ends_is_an_error_and_the_next_request_opens_another() -> None:
    async with saying(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (client, _):
        with pytest.raises((EOFError, OSError)):
            await client.send(REQUEST)
        assert await client.send(REQUEST) == Reply(200, b"ok")


async def test_a_connection_is_kept_unless_the_server_closes_it() -> None:
    closing = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    keeping = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with saying(keeping, closing, keeping) as (client, _):
        for _ in range(3):
            assert await client.send(REQUEST) == Reply(200, b"ok")


async def test_no_answer_is_waited_for_beyond_the_timeout() -> None:
    async with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") as (client, _):
        with pytest.raises((TimeoutError, EOFError)):
            await client.send(REQUEST)


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://host", "http://", ""])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        Address.of(url)


def test_an_address_fills_in_what_the_url_leaves_out() -> None:
    assert Address.of("https://wallet.example/x/") == Address(
        "wallet.example", 443, tls=True, path="/x"
    )
    assert Address.of("http://[::1]:81").host_header == "[::1]:81"
