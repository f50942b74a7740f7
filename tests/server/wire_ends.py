"""The two ends of a connection without a network: the server's protocol, and the bytes sent.

The protocol is the real one, made as uvicorn makes it. Only the network is not there.
"""

import asyncio
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.server.connections import NANOSECONDS, Connections
from app.server.fast_path import FastHandler, FastPath
from app.server.handover import attended
from app.server.http_connection import HttpConnection

CALLER = ("10.0.0.7", 40404)


class Wire(asyncio.Transport):
    """The network: what is written to it, and whether it is closed."""

    def __init__(self) -> None:
        super().__init__({"peername": CALLER})
        self.heard: list[bytes] = []
        self.is_closed = False
        self.is_ended = False
        """whether nothing more will be said, be it closed or not"""
        self.is_paused = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_ended
        self.heard.append(bytes(data))

    @override
    def write_eof(self) -> None:
        self.is_ended = True

    @override
    def close(self) -> None:
        self.is_closed = self.is_ended = True

    @override
    def abort(self) -> None:
        self.close()

    @override
    def is_closing(self) -> bool:
        return self.is_closed

    @override
    def pause_reading(self) -> None:
        self.is_paused = True

    @override
    def resume_reading(self) -> None:
        self.is_paused = False


def connected(
    application: ASGIApp, handler: FastHandler[Any] | None
) -> tuple[HttpConnection, Wire]:
    connections = Connections(100, deadline_ns=10 * NANOSECONDS, keep_alive_ns=75 * NANOSECONDS)
    fast_path = None if handler is None else FastPath(handler)
    config = configured(attended(application))
    protocol, wire = HttpConnection(config, ServerState(), {}, connections, fast_path), Wire()
    protocol.connection_made(wire)
    return protocol, wire


def by_uvicorn_alone(application: ASGIApp) -> tuple[HttpToolsProtocol, Wire]:
    protocol, wire = HttpToolsProtocol(configured(application), ServerState(), {}), Wire()
    protocol.connection_made(wire)
    return protocol, wire


def configured(application: ASGIApp) -> uvicorn.Config:
    config = uvicorn.Config(
        application,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
    )
    config.load()
    return config


async def some_turns() -> None:
    for _ in range(8):
        await asyncio.sleep(0)
