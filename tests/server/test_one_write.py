"""An answer is one write, whatever the server above it thinks, and nothing of it is lost."""

import asyncio

from app.server.one_write import OneWriteProtocol
from tests.server.wire_ends import connected, some_turns

BODY = b'{"status":true}'
REQUEST = b"POST /moveFunds HTTP/1.1\r\nhost: wallet\r\ncontent-length: 3\r\n\r\na=b"
LAST = REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")


async def application(_scope: object, _receive: object, send: object) -> None:
    assert callable(send)
    headers = [(b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


async def test_head_and_body_leave_together() -> None:
    protocol, wire = connected(OneWriteProtocol, application)
    protocol.data_received(REQUEST)
    await some_turns()
    (answer,) = wire.heard
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == BODY


async def test_each_answer_is_a_write_of_its_own() -> None:
    protocol, wire = connected(OneWriteProtocol, application)
    for _ in range(3):
        protocol.data_received(REQUEST)
        await some_turns()
    assert len(wire.heard) == 3


async def test_the_last_answer_is_written_before_the_connection_is_closed() -> None:
    protocol, wire = connected(OneWriteProtocol, application)
    protocol.data_received(LAST)
    await some_turns()
    assert b"".join(wire.heard).endswith(BODY)
    assert wire.is_closed


async def test_what_cannot_be_read_is_answered_before_the_connection_is_closed() -> None:
    protocol, wire = connected(OneWriteProtocol, application)
    protocol.data_received(b"no HTTP at all\r\n\r\n")
    await some_turns()
    assert b"".join(wire.heard).startswith(b"HTTP/1.1 400 ")
    assert wire.is_closed


async def test_nothing_is_written_to_a_line_that_is_gone() -> None:
    protocol, wire = connected(OneWriteProtocol, application)
    protocol.data_received(REQUEST)
    await asyncio.sleep(0)
    wire.close()
    protocol.connection_lost(None)
    await some_turns()
    assert len(wire.heard) <= 1
