"""The two ends of a wire: the protocol that the server makes for a connection, and what is heard.

The protocol is the real one, made as uvicorn makes it. Only the network is not there.
"""

import asyncio
from typing import TypeVar

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

Speaker = TypeVar("Speaker", bound=HttpToolsProtocol)

CALLER = ("10.0.0.7", 40404)


class Wire(asyncio.Transport):
    """The network: what is written to it, and whether it is closed."""

    def __init__(self) -> None:
        super().__init__({"peername": CALLER})
        self.heard: list[bytes] = []
        self.is_closed = False
        self.is_paused = False

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

    @override
    def pause_reading(self) -> None:
        self.is_paused = True

    @override
    def resume_reading(self) -> None:
        self.is_paused = False


def connected(speaker: type[Speaker], application: ASGIApp) -> tuple[Speaker, Wire]:
    config = uvicorn.Config(
        application,
        http=speaker,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
    )
    config.load()
    protocol, wire = speaker(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
