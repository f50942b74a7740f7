"""An answer is one write, whatever the server above it thinks, and nothing of it is lost."""

import asyncio

import uvicorn
from typing_extensions import override
from uvicorn.server import ServerState

from app.ops.one_write import OneWriteProtocol

BODY = b'{"status":true}'
REQUEST = b"POST /moveFunds HTTP/1.1\r\nhost: wallet\r\ncontent-length: 3\r\n\r\na=b"
LAST = REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")


async def application(_scope: object, _receive: object, send: object) -> None:
    assert callable(send)
    headers = [(b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


class Wire(asyncio.Transport):
    """The network: what is written to it, and whether it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[bytes] = []
        self.is_closed = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.heard.append(bytes(data))

    @override
    def close(self) -> None:
        self.is_closed = True

    @override
    def is_closing(self) -> bool:
        return self.is_closed


def connected() -> tuple[OneWriteProtocol, Wire]:
    config = uvicorn.Config(application, http=OneWriteProtocol, lifespan="off", log_config=None)
    config.load()
    protocol, wire = OneWriteProtocol(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_head_and_body_leave_together() -> None:
    protocol, wire = connected()
    protocol.data_received(REQUEST)
    await some_turns()
    (answer,) = wire.heard
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == BODY


async def test_each_answer_is_a_write_of_its_own() -> None:
    protocol, wire = connected()
    for _ in range(3):
        protocol.data_received(REQUEST)
        await some_turns()
    assert len(wire.heard) == 3


async def test_the_last_answer_is_written_before_the_connection_is_closed() -> None:
    protocol, wire = connected()
    protocol.data_received(LAST)
    await some_turns()
    assert b"".join(wire.heard).endswith(BODY)
    assert wire.is_closed


async def test_what_cannot_be_read_is_answered_before_the_connection_is_closed() -> None:
    protocol, wire = connected()
    protocol.data_received(b"no HTTP at all\r\n\r\n")
    await some_turns()
    assert b"".join(wire.heard).startswith(b"HTTP/1.1 400 ")
    assert wire.is_closed


async def test_nothing_is_written_to_a_line_that_is_gone() -> None:
    protocol, wire = connected()
    protocol.data_received(REQUEST)
    await asyncio.sleep(0)
    wire.close()
    protocol.connection_lost(None)
    await some_turns()
    assert len(wire.heard) <= 1
